"""`tunegate report`: what stands on the page of a run, in whatever state the run is."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import astuple
from datetime import UTC, datetime
from hashlib import sha256
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cli.main import main
from tunegate.cli.purge import purge_snapshots
from tunegate.reporting.html.render import make_report, render_html
from tunegate.reporting.html.verdict import Link
from tunegate.storage.state_dir import Run, StateDir
from tunegate.storage.store import Store

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.usefixtures("own_modules")
FETCHES = re.compile(
    r"<script|<link|<img|<iframe|@import|url\(|\b(?:src|href)=\"(?!#|[\w%-]+\.html\")|https?://",
    re.I,
)
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def promoted_once(trained_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose run was judged and promoted, for `promoted` to copy."""
    made = trained_once.copied(tmp_path_factory.mktemp("promoted") / "project")
    result = made.judge("--promote", "production", "--why", "first <model>")
    assert result.code == 0, result.out
    return made


@pytest.fixture
def promoted(promoted_once: Project, tmp_path: Path) -> Project:
    """A copy, yours to spoil."""
    return promoted_once.copied(tmp_path / "project")


def report(project: Project, *args: str) -> str:
    """Write the page of a run and return it, entities and all."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project.root)
        assert main(["report", *args, "-o", "page.html"]) == 0
    return (project.root / "page.html").read_text("utf-8")


def words(page: str) -> str:
    """Return what a reader reads, on one line."""
    body = page[page.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body.replace("<wbr>", ""))).split())


def strict(project: Project, accuracy: str = "accuracy = 1.0") -> None:
    """Expect another label in one test row, and more than can be reached."""
    lines = (project.root / "test.jsonl").read_text().splitlines(keepends=True)
    project.write("test.jsonl", "".join(lines).replace('"a"', '"c"', 1))
    project.add("tunegate.toml", f"[limits]\n{accuracy}\n")


def test_a_promoted_run_says_so_and_its_chain_verifies(promoted: Project) -> None:
    printed = promoted.python("-m", "tunegate", "report")
    place = promoted.run / "report.html"
    told = [f"run {promoted.run.name}: Promoted: production", str(place)]
    assert printed.out.splitlines() == told
    assert place.stat().st_mode & 0o777 == 0o600
    page = place.read_text("utf-8")
    text = words(page)
    assert "✓ Promoted: production" in text
    assert ": “first <model>”." in text
    assert "6 of 6" in text
    assert "None: all 6 answers were right." in text
    assert not re.search("does not verify|cannot be looked at", text)
    assert text.count("✓ verified") == 10
    assert not FETCHES.search(page)
    assert str(promoted.root) not in page  # no path of this machine


def test_a_run_that_was_never_judged(trained: Project) -> None:
    text = words(report(trained, trained.run.name[:6]))
    asked = f"pytest suites/model --model run:{trained.run.name}"
    assert f"Never judged No model suite has judged it: {asked}" in text
    assert text.count("Never judged") >= 3  # verdict, scores, wrong answers: a sentence each
    assert "No loss curves: the training left none." in text
    assert "has no line about this run" in text


def test_a_closed_gate_shows_the_score_that_missed_its_limit(promoted: Project) -> None:
    """And the scorecard of the session before can be named instead."""
    (first,) = promoted.left("scorecards/*.json")
    strict(promoted)
    assert promoted.judge("--promote", "production").code == 1
    text = words(report(promoted))
    why = "closed the gate: accuracy is 83.3%, the limit >= 100%."
    assert f"A later session of the model suite {why}" in text
    assert "✗ Promoted: production" in text
    (promoted.root / "registry.jsonl").unlink()
    text = words(report(promoted))
    assert "✗ Not promoted: the gate is closed" in text
    assert f"The model suite {why}" in text
    assert "test_m.py::test_accuracy : failed ; did not hold: accuracy 0.8333 >= 1" in text
    assert re.search(r"accuracy 83.3% .{,40}>= 100% .{,400}✗ missed", text)
    assert "1 of 6 answers were wrong." in text
    assert "1 c got 'a' for: question 30" in text
    older = words(report(promoted, "--scorecard", first.stem[:8]))
    assert "None: all 6 answers were right." in older


def test_what_was_changed_does_not_verify(promoted: Project) -> None:
    (card,) = promoted.left("scorecards/*.json")
    card.write_text(card.read_text().replace('"n": 6', '"n": 600'))
    (promoted.run / "toy.txt").write_text("other weights")
    receipt = promoted.run / "receipt.json"
    receipt.write_text(receipt.read_text().replace('"held": true', '"held": false', 1))
    text = words(report(promoted))
    assert "links of the chain do not verify: " in text
    for name in ("receipt", "model", "scorecard", "promotion, line 1 of registry.jsonl"):
        assert re.search(rf"{name} ✗ does not verify", text), name
    assert "configuration ✓ verified" in text


def test_a_broken_registry_promotes_nothing(promoted: Project) -> None:
    path = promoted.root / "registry.jsonl"
    path.write_text(path.read_text().replace('"previous": ""', '"previous": "0"'))
    text = words(report(promoted))
    assert "Whether it was promoted nobody can say: the registry is broken." in text
    assert "registry ✗ does not verify registry.jsonl, line 1: the chain is broken here" in text


def test_purged_data_is_a_sentence_each(promoted: Project) -> None:
    state, page = StateDir(promoted.root), promoted.run / "report.html"
    page.write_text("a row")
    for path in (state.folder / "snapshots").iterdir():
        store = Store(state, state.folder / "store")
        purge_snapshots(store, {path.stem: store.uses()[path.stem]}, None, dry_run=False)
    assert not page.exists()  # it may show what was purged
    promoted.write("test.jsonl", "")
    text = words(report(promoted))
    assert text.count("the snapshot is not kept any more (purged?)") == 3
    assert "The test data that it was judged on is not here any more (purged, or moved)." in text
    assert "4 of 10" not in text


HOSTILE = "</td><script>alert(1)</script>\u202e & \"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "nav"),
    *("footer", "h1", "h2", "h3", "p", "a", "ul", "li", "dl", "div", "dt", "dd", "table"),
    *("caption", "thead", "tbody", "tr", "th", "td", "code", "small", "span", "bdi", "pre"),
    *(
        "figure",
        "figcaption",
        "svg",
        "desc",
        "path",
        "rect",
        "line",
        "circle",
        "text",
        "polyline",
        "wbr",
    ),
}


class Seen(HTMLParser):
    """Collects what a browser would make of a page: elements, attributes, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(value: Any) -> Any:
    """Put hostile text into every text of a value; `tone` and `kind` are words of our own."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, tuple | list):
        return tuple(map(hostile, value))
    if isinstance(value, dict):
        return {key: hostile(v) for key, v in value.items()}
    if isinstance(value, Link):
        return Link(*map(hostile, astuple(value)))
    if not isinstance(value, SimpleNamespace):
        return value
    own = vars(value).items()
    return SimpleNamespace(**{k: v if k in ("tone", "kind") else hostile(v) for k, v in own})


def test_hostile_text_stays_text_wherever_it_stands(promoted: Project) -> None:
    (promoted.run / "curves.jsonl").write_text(
        "".join(json.dumps({"step": i, "train_loss": 1 / (i + 1)}) + "\n" for i in range(9))
    )
    _, page = make_report(promoted.root, "latest", "", datetime.now(UTC))
    seen = Seen(render_html("page.html", page=hostile(page)).decode())
    assert seen.tags <= TAGS
    assert not [name for name in seen.attributes if name.startswith("on") or name == "src"]
    assert seen.text.count(HOSTILE) > 50
    assert (
        "default-src 'none'; style-src 'unsafe-inline'"
        in render_html("page.html", page=page).decode()
    )
    page.run = "\ud800"  # no UTF-8 can hold it
    assert b"\\ud800" in render_html("page.html", page=page)


def test_a_hostile_label_and_reason(promoted: Project) -> None:
    strict(promoted, "accuracy = 0.5")
    said = json.dumps(HOSTILE)[1:-1]
    (promoted.root / "registry.jsonl").unlink()
    test = promoted.root / "test.jsonl"
    test.write_text(test.read_text().replace('"c"', f'"{said}"'))
    assert promoted.pytest("suites/data", "--for", "latest").code == 0
    assert promoted.judge("--promote", "production", "--why", HOSTILE).code == 0
    page = report(promoted)
    text = Seen(page).text
    assert HOSTILE in text
    assert "Limits lowered since the data gate: accuracy 0.95 -> 0.5." in text
    assert "test rows that a data gate of their own saw, without" in text
    assert "&lt;script&gt;alert(1)" in page
    assert Seen(page).tags <= TAGS


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nonsense"], "no finished run 'nonsense'; finished runs: "),
        (["--scorecard", "feed"], "no scorecard 'feed'; scorecards: "),
        (["-o", "suites"], "suites is a folder; name a file: -o suites/report.html"),
    ],
)
def test_a_mistake_is_one_line(
    trained: Project, args: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(trained.root)
    assert main(["report", *args]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["run.json", "receipt.json", "scorecards/*.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_file_that_cannot_be_read_is_named(
    promoted: Project, name: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    (path,) = promoted.left(name)
    path.write_text(text)
    monkeypatch.chdir(promoted.root)
    assert main(["report"]) == 2
    assert f"{path} is not what tunegate wrote there" in capsys.readouterr().err


def answers(project: Project) -> list[list[str]]:
    """Return the rows that the page of answers holds."""
    page = (project.root / "page-answers.html").read_text("utf-8")
    (data,) = re.findall(r'(?s)<script type="application/json" id="rows">(.*?)</script>', page)
    rows: list[list[str]] = json.loads(data)
    return rows


def test_every_answer_stands_on_a_page_of_its_own(promoted: Project) -> None:
    """Right and wrong ones, without text of the data as markup, and gone with the data."""
    strict(promoted)
    assert promoted.judge().code == 1
    page = report(promoted)
    assert '<a href="page-answers.html">Every answer</a>' in page
    rows = answers(promoted)
    assert [row[:2] for row in rows] == [["1", "wrong"], *([str(n), "right"] for n in range(2, 7))]
    assert rows[0][3:6] == ["c", "c", "a"]
    other = (promoted.root / "page-answers.html").read_text("utf-8")
    assert not re.search(r"<link|<img|<iframe|url\(|https?://", other)
    without_script = words(other[: other.index("<script")])
    assert without_script.count("question 3") == len(rows)
    assert promoted.python("-m", "tunegate", "report").code == 0
    kept = promoted.run / "report-answers.html"
    assert kept.stat().st_mode & 0o777 == 0o600
    state = StateDir(promoted.root)
    for path in (state.folder / "snapshots").iterdir():
        store = Store(state, state.folder / "store")
        purge_snapshots(store, {path.stem: store.uses()[path.stem]}, None, dry_run=False)
    assert not kept.exists()


def test_only_its_own_script_may_run_on_the_page_of_answers() -> None:
    rows = [["1", "right", "", HOSTILE, HOSTILE, HOSTILE, HOSTILE, "\ud800"]]
    made = render_html("answers.html", rows=rows, title=HOSTILE, report=HOSTILE).decode()
    scripts = re.findall(r"(?s)<script([^>]*)>(.*?)</script>", made)
    assert [attributes for attributes, _ in scripts] == [' type="application/json" id="rows"', ""]
    digest = b64encode(sha256(scripts[1][1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in made
    assert json.loads(scripts[0][1]) == rows
    assert "innerHTML" not in scripts[1][1]


def test_beside_another_run_the_rows_that_changed_are_listed(promoted: Project) -> None:
    """The baseline answers everything with "a": what the model gained is what should be "b"."""
    with_itself = words(report(promoted, "--against", promoted.run.name))
    assert f"Against run {promoted.run.name} models compared" in with_itself
    assert "0 gained 0 lost" in with_itself
    strict(promoted)
    text = words(report(promoted, "--against", "baseline"))
    assert "accuracy of baseline" in text
    gained = [row for row in answers(promoted) if row[2] == "gained"]
    lost = [row for row in answers(promoted) if row[2] == "lost"]
    assert f"{len(gained)} gained" in text
    assert f"{len(lost)} lost" in text
    assert gained


def test_a_comment_has_the_verdict_first_and_no_markup_of_an_answer(
    promoted: Project, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(promoted.root)
    assert main(["report", "--against", "baseline", "--comment"]) == 0
    text = capsys.readouterr().out
    marker = "<!-- tunegate -->"
    assert text.startswith(f"{marker}\n### ✅ Run <code>{promoted.run.name}</code>: Promoted")
    assert "<td><code>accuracy</code></td><td>100.0%</td>" in text
    assert re.search(r"<summary>\d+ gained against baseline</summary>", text)
    assert not list(promoted.run.glob("report*.html"))
    _, page = make_report(promoted.root, "latest", "", datetime.now(UTC))
    page.misses = SimpleNamespace(rows=((1, HOSTILE, HOSTILE),), total="1 wrong", more="")
    page.scores.not_passed, page.scores.more = (("t", "failed", "a\n\n# b"),), "3 more"
    page.scores.rows[0].hints = ["line 1: @someone\n\n# b"]
    page.verdict.sentences = ("said @someone: ![x](https://x.example) *b*", "ask ana@x-shop.com")
    made = render_html("comment.md", page=page).decode()
    assert "said @&#8203;someone: !&#91;x&#93;(https://x.example) &#42;b&#42;\n" in made
    assert "x-shop.com" not in made
    assert "+nan" not in text
    assert HOSTILE not in made
    assert "<code>line 1: @&#8203;someone # b</code>" in made
    assert "- <code>t</code>: failed; did not hold: <code>a # b</code>\n- 3 more\n" in made
    assert escape("<b>") in made or "&lt;" in made


def test_a_comment_says_who_reviewed_what_it_cost_and_what_the_test_shows(
    promoted: Project,
) -> None:
    _, page = make_report(promoted.root, "latest", "", datetime.now(UTC))
    page.suite.hints = (("review of train", ["300 rows reviewed by ana | <b>"]), ("pii", ["x"]))
    values = {"cost": 0.01234, "n": 1200, "flips": 40, "shown": 0.039}
    text = render_html("comment.md", page=page, **values).decode()
    assert "Review of train: <code>300 rows reviewed by ana | &lt;b&gt;</code>.\n" in text
    assert "The answers to it cost $0.0123.\n" in text
    shown = (
        "This test set shows differences of 3.9 points or more (1,200 rows, 40 of which changed)."
    )
    assert shown in text
    assert "pii" not in text


def test_the_page_links_the_model_card_beside_the_model(
    promoted: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "model card" not in report(promoted)
    path = promoted.run / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"model": f"folder:{promoted.run.name}/my model"}))
    card = promoted.root / promoted.run.name / "my model" / "README.md"
    card.parent.mkdir(parents=True)
    card.touch()
    page = report(promoted)
    assert f'(<a href="{promoted.run.name}/my%20model/README.md">model card</a>)' in page


def test_a_comment_compares_with_production_and_its_data(
    promoted: Project, monkeypatch: pytest.MonkeyPatch, capsys: Out, fake_gh: Any
) -> None:
    """The run after it has another training row, and the same answers."""
    monkeypatch.chdir(promoted.root)
    first = promoted.run.name
    lines = (promoted.root / "train.jsonl").read_text().replace("question 3", "question 99")
    promoted.write("train.jsonl", lines)
    assert promoted.pytest("suites/data", "--train-with", "toy").code == 0
    assert promoted.judge().code == 0
    fake_gh()
    assert main(["report", "--post"]) == 0
    assert capsys.readouterr().out == "https://github.com/o/r/pull/7#issuecomment-1\n"
    text = fake_gh()[1][1]
    assert f"### The data, compared with `run:{first}`\n" in text
    assert "| train | 1 | 1 | 0 | 19 |" in text
    assert "<summary>Accepted findings: none new or gone</summary>" in text
    assert f"### Against <code>run {first}</code>" in text
    assert re.search(
        r"<code>accuracy of run .{60,140}% to", text
    )  # its paired interval, not folded
    assert "<summary>0 gained against" in text
    assert "This test set shows differences of 100.0 points or more (6 rows)." in text


def test_beside_what_was_never_asked_there_is_one_line(
    trained: Project, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(trained.root)
    assert main(["report", "--against", "baseline"]) == 2
    assert "--against: the answers of run" in capsys.readouterr().err


def test_what_a_server_answered_stands_beside_the_scores(promoted: Project) -> None:
    """As `tunegate run serve-check` records it; one that is closed says why."""
    agreement = {"value": 0.5, "low": 0.2, "high": 0.8, "n": 6, "errors": 0}
    compared = {"claim": "accuracy not worse by 3.0%", "value": -0.5, "low": -0.8, "high": -0.2}
    compared |= {"n": 6, "errors": 0, "hits": None, "sign": ">", "limit": -0.03}
    facts = {"made": "2026-01-02T03:04:05+00:00", "model": "openai:<here>", "verdict": "closed"}
    facts |= {"agreement": agreement, "comparison": compared, "trained": "run:latest"}
    facts |= {"reasons": ["see chat template"], "differences": ["line 1, word 1: 'a' became ''"]}
    run = Run(StateDir(promoted.root), promoted.run.name)
    run.add_to_record("served_checks", "openai:<here>", facts)
    run.add_to_record("served_checks", "openai:ok", facts | {"verdict": "open", "reasons": []})
    text = words(report(promoted))
    assert "openai:<here> 50.0% 20.0% - 80.0% 6 -0.5000 -0.8000 - -0.2000 ✗ closed" in text
    assert "2026-01-02 03:04 UTC, beside run:latest: accuracy not worse by 3.0%" in text
    assert "› see chat template › line 1, word 1: 'a' became ''" in text
    assert "✓ served as trained" in text


def advised(project: Project, **told: Any) -> None:
    """Leave what `pytest suites/readiness` leaves."""
    digest = sha256((project.root / "train.jsonl").read_bytes()).hexdigest()
    reasons = [
        {"name": "prompting", "holds": True, "evidence": "few: accuracy <60.0%>"},
        {"name": "pays", "holds": False, "evidence": "months until it has paid: never"},
        {"name": "tone", "holds": None, "evidence": "left out"},
    ]
    body = {"verdict": "not yet", "why": "first put right: pays", "train": digest}
    state = StateDir(project.root)
    state.write_sealed(state.path("readiness.json"), {**body, "reasons": reasons, **told})


def test_the_verdict_of_readiness_stands_on_the_page(promoted: Project) -> None:
    assert 'id="readiness"' not in report(promoted)
    advised(promoted)
    page = report(promoted)
    text = words(page)
    assert "said not yet : first put right: pays . It is advice." in text
    assert "prompting ✓ yes few: accuracy <60.0%> pays ✗ no months" in text
    assert "tone – not known left out" in text
    assert "other training rows" not in text
    assert not FETCHES.search(page)
    promoted.add("tunegate.toml", "[readiness]\ngate = true\n")
    advised(promoted, train="0" * 64)
    text = words(report(promoted))
    assert "It gates the training ([readiness] gate)." in text
    assert "Note: it is about other training rows than those of this page." in text


def test_a_verdict_that_was_edited_is_told_as_such(promoted: Project) -> None:
    advised(promoted)
    path = promoted.root / ".tunegate" / "readiness.json"
    note = "Note: its file was changed since"
    assert note not in words(report(promoted))
    path.write_text(path.read_text().replace('"not yet"', '"fine-tune"'))
    assert note in words(report(promoted))
    path.write_text(path.read_text().replace('"seal"', '"no"'))  # as versions before 0.3 left it
    text = words(report(promoted))
    assert note not in text
    assert "said fine-tune" in text


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", '{"verdict": "prompt"}', '{"verdict": "prompt", "reasons": 3}'),
        '{"verdict": "prompt", "reasons": [{"holds": [1], "name": {}, "evidence": null}]}',
        '{"verdict": "prompt", "why": {"a": []}, "train": 3, "reasons": "few"}',
        '{"verdict": "prompt", "why": NaN, "seal": 1}',
    ],
)
def test_a_verdict_that_somebody_has_harmed_harms_no_page(promoted: Project, content: str) -> None:
    StateDir(promoted.root).path("readiness.json").write_text(content)
    assert ("said prompt" in words(report(promoted))) == ("prompt" in content)


def test_a_replay_of_logged_requests_stands_on_the_page(promoted: Project) -> None:
    assert 'id="shadow"' not in report(promoted)
    state = promoted.root / ".tunegate"
    (path,) = state.glob("runs/*/scorecards/*.json")
    card = json.loads(path.read_text("utf-8")) | {"traffic": "9 of 12 different <requests>"}
    (state / "shadow").mkdir()
    kept = state / "shadow" / f"{card['model_digest'][:12]}.json"
    kept.write_text(json.dumps(card), "utf-8")
    page = report(promoted)
    assert 'id="shadow"' in page
    assert "9 of 12 different <requests>. Gate open." in words(page)
    assert not FETCHES.search(page)
    kept.rename(kept.with_name("another.json"))
    assert 'id="shadow"' not in report(promoted)
