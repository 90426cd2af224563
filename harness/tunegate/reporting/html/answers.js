const columns = ["line", "outcome", "change", "label", "expected", "got", "prompt", "reasoning"];
const rows = JSON.parse(document.getElementById("rows").textContent)
  .map((cells) => Object.fromEntries(cells.map((cell, i) => [columns[i], cell])));
const form = document.forms[0], table = document.querySelector("table"), size = 100;
const [previous, next] = document.querySelectorAll("button");
let shown = rows, first = 0;

function cellOf(name, text) {
  const cell = document.createElement("td"), isolated = document.createElement("bdi");
  cell.dataset.label = name;
  cell.setAttribute("role", "cell");
  isolated.textContent = text;
  cell.append(isolated);
  return cell;
}

function show() {
  table.tBodies[0].replaceChildren(...shown.slice(first, first + size).map((row) => {
    const line = document.createElement("tr"), answer = cellOf("answer", row.got);
    if (row.reasoning) {
      const more = document.createElement("details"), text = document.createElement("pre");
      more.append(Object.assign(document.createElement("summary"), { textContent: "reasoning" }), text);
      text.textContent = row.reasoning;
      answer.append(more);
    }
    line.setAttribute("role", "row");
    line.append(
      cellOf("line", row.line), cellOf("outcome", `${row.outcome} ${row.change}`),
      cellOf("expected", row.expected), answer, cellOf("prompt", row.prompt),
    );
    return line;
  }));
  const number = (n) => n.toLocaleString("en");
  const last = Math.min(first + size, shown.length), all = number(shown.length);
  const of_all = shown === rows ? "" : ` that fit, of ${number(rows.length)}`;
  document.getElementById("count").textContent = shown.length
    ? `${number(first + 1)} to ${number(last)} of ${all} answers${of_all}` : "No answer fits.";
  previous.disabled = !first;
  next.disabled = last === shown.length;
}

function filter() {
  const text = form.text.value.toLowerCase(), selects = [...form.querySelectorAll("select")];
  const chosen = selects.filter((select) => select.value);
  shown = !text && !chosen.length ? rows : rows.filter((row) =>
    chosen.every((select) => row[select.name] === select.value)
    && (!text || ["expected", "got", "prompt"].some((name) => row[name].toLowerCase().includes(text))));
  first = 0;
  show();
}

for (const select of form.querySelectorAll("select")) {
  const counts = new Map();
  for (const row of rows) counts.set(row[select.name], (counts.get(row[select.name]) ?? 0) + 1);
  const values = [...counts.keys()].filter(Boolean).sort();
  select.append(...values.map((value) => new Option(`${value} (${counts.get(value)})`, value)));
  select.parentElement.hidden = !values.length;
}
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
previous.addEventListener("click", () => { first -= size; show(); });
next.addEventListener("click", () => { first += size; show(); });
form.hidden = document.getElementById("pages").hidden = false;
show();
