"""What the pages in docs/ say is so: their code runs, and their table of checks is whole."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import forking
import pytest
from hypothesis import HealthCheck, Phase, settings
from readmes import ROOT, blocks

from tunegate import Dataset
from tunegate.config.schema import Config, Limits
from tunegate.interfaces.programs import Program
from tunegate_checks.data import programs
from tunegate_qlora import config as qlora

sys.path.insert(0, str(ROOT / "tools"))

import configuration

CHECKS = ("docs/checks.md", "docs/checks.pt-BR.md")
CUSTOM = ("docs/writing-checks.md", "docs/writing-checks.pt-BR.md")
Row = dict[str, Any]


def rows(page: str) -> dict[str, list[str]]:
    """Return the cells of the page's tables by what stands in the first, `module.function`."""
    lines = re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", (ROOT / page).read_text("utf-8"), re.M)
    assert len(lines) == len(dict(lines))
    return {name: cells.split(" | ") for name, cells in lines}


def checks() -> set[str]:
    """Return every function marked `@check` in the library for data."""
    found = set()
    for path in (ROOT / "checks" / "tunegate_checks" / "data").glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            marks = node.decorator_list if isinstance(node, ast.FunctionDef) else []
            if any(ast.unparse(mark).startswith("check") for mark in marks):
                found.add(f"{path.stem}.{node.name}")  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("page", CHECKS)
def test_every_check_stands_in_the_table(page: str) -> None:
    assert set(rows(page)) == checks()
    assert {len(cells) for cells in rows(page).values()} == {4}
    assert all(cell.strip() for cells in rows(page).values() for cell in cells)


def test_every_check_says_what_it_finds() -> None:
    silent = []
    for name in checks():
        module, function = name.split(".")
        made = __import__(f"tunegate_checks.data.{module}", fromlist=[function])
        if not (getattr(made, function).__doc__ or "").strip():
            silent.append(name)
    assert silent == []


def named(page: str) -> dict[str, str]:
    """Return the limits that the table names, with the default it gives them ("" for unset)."""
    said = " ".join(cells[2] for cells in rows(page).values())
    return dict(re.findall(r"`(\w+)(?: = ([^`]+))?`", said))


@pytest.mark.parametrize("page", CHECKS)
def test_each_limit_exists_and_has_that_default(page: str) -> None:
    limits = Limits().model_dump()
    for name, default in named(page).items():
        wanted = tomllib.loads(f"x = {default}")["x"] if default else None
        assert (name, limits.get(name, "no such limit")) == (name, wanted)


@pytest.mark.parametrize("page", CHECKS)
def test_each_limit_of_the_suites_is_in_the_table(page: str) -> None:
    suites = (ROOT / "suites" / "data").glob("*.py")
    used = {name for path in suites for name in re.findall(r"limits\.(\w+)", path.read_text())}
    assert used - {"own"} <= set(named(page))


@pytest.mark.parametrize("page", CHECKS)
def test_each_setting_it_names_exists(page: str) -> None:
    said = " ".join(cells[2] for cells in rows(page).values())
    settings = re.findall(r"`(\w+)\.(\w+)`", said)
    assert settings
    for table, key in settings:
        section: Any = Config.model_fields[table].annotation
        assert key in {field.alias or name for name, field in section.model_fields.items()}


@pytest.mark.parametrize(("page", "other"), [CHECKS, CUSTOM])
def test_both_languages_hold_the_same(page: str, other: str) -> None:
    limits = [{name: named_in(cells[2]) for name, cells in rows(p).items()} for p in (page, other)]
    assert limits[0] == limits[1]
    for language in ("python", "toml"):
        assert [shape(b) for b in blocks(page, language)] == [
            shape(b) for b in blocks(other, language)
        ]


def test_both_tutorials_hold_the_same_code() -> None:
    pages = ("docs/tutorial.md", "docs/tutorial.pt-BR.md")
    for language in ("python", "js", "json"):
        assert blocks(pages[0], language) == blocks(pages[1], language)
    tables = [[tomllib.loads(text) for text in blocks(page, "toml")] for page in pages]
    assert tables[0] == tables[1]
    for table in tables[0]:
        Config.model_validate(table)


def named_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def shape(code: str) -> str:
    """Return code without its texts and comments, which are translated."""
    return re.sub(r'"""[^"]*"""|"[^"\n]*"|#.*', "", code)


@pytest.mark.parametrize("page", [*CHECKS, *CUSTOM])
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    assert targets
    assert [t for t in targets if not (ROOT / "docs" / t).exists()] == []


def run(args: list[str], folder: Path) -> tuple[int, str]:
    # pytest shortens nothing where CI is set; other people's plugins only cost time here.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CI", "BUILD_N"))}
    env |= {"COLUMNS": "80", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return forking.run_python(args, folder, env)


def example(prompt: str, reply: str, **fields: str) -> Row:
    told = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return {"messages": told, **fields}


def write(folder: Path, data: list[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in data)
    (folder / "train.jsonl").write_text(text, "utf-8")


# --- docs/checks.md ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", CHECKS)
def test_the_notebook_runs_without_pytest(page: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", [example("I am ana@example.com", "billing"), example("Hi", "other")])
    code, *_ = blocks(page, "python")
    block = r"^```python\n.*?^```\n\n```\n(.*?)^```"
    printed = re.findall(block, (ROOT / page).read_text("utf-8"), re.M | re.S)
    assert "pytest" not in code
    status, out = run(["-c", f"{code}\nimport sys; assert 'pytest' not in sys.modules"], tmp_path)
    assert status == 0, out
    assert out == printed[0]


@pytest.mark.parametrize("page", CHECKS)
def test_the_settings_are_valid(page: str) -> None:
    for text in blocks(page, "toml"):
        Config.model_validate(tomllib.loads(text))


# --- docs/writing-checks.md --------------------------------------------------------------------

REPLIES = {
    "en": ("Thank you, your order is on its way.", "Please tell me your order number."),
    "pt": ("Obrigado, o seu pedido está a caminho.", "Por favor, diga o número do seu pedido."),
}


def clean() -> list[Row]:
    """Eight rows that all recipes let pass."""
    return [
        example(
            f"Question {i}", REPLIES[language][i % 2],
            language=language, customer=f"customer {i}", source=("mail", "chat")[i % 2],
        )
        for i, language in enumerate(["en", "en", "en", "en", "pt", "pt", "pt", "pt"])
    ]  # fmt: skip


def planted() -> list[Row]:
    """The same rows with six faults: one for each recipe, and none that another would find."""
    made = clean()
    for row in made[:4]:
        row["customer"] = "acme"
    for row in made[:2]:
        row["messages"][1]["content"] = "No."
    made[2]["messages"][1]["content"] = "Thank you, see SUP-20417."
    made[4]["source"] = "fax"
    made[5]["messages"][1]["content"] = "As a language model, por favor: o seu pedido não chegou."
    made[6]["messages"][1]["content"] = REPLIES["en"][0]
    return made


def sections(page: str) -> dict[str, str]:
    """Return what stands under each heading that names a file, by its path."""
    text = (ROOT / page).read_text("utf-8")
    parts = re.split(r"^## \d+\. .*`([\w/]+\.\w+)`$", text, flags=re.M)[1:]
    assert len(parts) == 20
    return dict(zip(parts[::2], parts[1::2], strict=True))


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def code(section: str, language: str) -> str:
    """Return the fenced block of a language; "" where there is none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", section, re.M | re.S)
    return next((text for name, text in fenced if name == language), "")


@pytest.mark.parametrize("page", CUSTOM)
def test_each_check_finds_its_planted_fault_and_passes_the_clean_twin(
    page: str, tmp_path: Path
) -> None:
    pytest.importorskip("pandera")
    parts = {k: v for k, v in sections(page).items() if k.startswith("suites/data/")}
    schema = "suites/data/test_schema.py"
    settings = '[data]\ntrain = "train.jsonl"\n'
    for section in parts.values():
        shown = code(section, "toml")
        own = shown.removeprefix("[data]\n")
        settings = settings + shown if own == shown else settings.replace("\n", f"\n{own}", 1)
    put(tmp_path, {name: code(section, "python") for name, section in parts.items()})
    put(tmp_path, {"tunegate.toml": settings, schema: (ROOT / schema).read_text("utf-8")})

    write(tmp_path, planted())
    suite_alone = ["-m", "pytest", "-p", "tunegate", "-q", "suites/data"]
    _, failed = run(suite_alone, tmp_path)
    assert "6 failed, 1 passed" in failed  # the other language is answered well
    for section in parts.values():
        told = code(section, "").splitlines()
        assert [line for line in told if line not in failed] == [], failed

    write(tmp_path, clean())
    _, passed = run(suite_alone, tmp_path)
    assert "7 passed" in passed


def test_the_test_of_a_check_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = sections(CUSTOM[0])
    for name in ("suites", "suites.data", "suites.data.test_ticket_numbers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    check = vars(sys.modules["suites.data.test_ticket_numbers"])
    exec(code(parts["suites/data/test_ticket_numbers.py"], "python"), check)
    test: dict[str, Any] = {}
    exec(code(parts["tests/test_ticket_numbers.py"], "python"), test)
    few = settings(
        max_examples=10, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    run_few = few(test["test_a_planted_number_is_found"])
    run_few()
    check["re"] = SimpleNamespace(findall=lambda *_: [])  # a check that finds nothing
    with pytest.raises(AssertionError):
        run_few()


MODEL = """\
import json
from tunegate_checks.judge import prompt

def answer(messages):
    text = messages[-1]["content"]
    return "b" if text.startswith(("Please", "Por favor")) or text[-1] in "1357" else "a"

def read(messages):
    data = prompt.read_quoted(messages[-1]["content"])[0]
    return json.dumps({"reason": "", "verdicts": {"promises_nothing": data["answer"] == "a"}})
"""


def test_the_recipes_of_models(tmp_path: Path) -> None:
    parts = {k: v for k, v in sections(CUSTOM[0]).items() if k.startswith("suites/model/")}
    (rubric,) = (code(v, "toml") for k, v in parts.items() if "promises" in k)
    put(tmp_path, {name: code(section, "python") for name, section in parts.items()})
    limits = code(parts["suites/model/test_please.py"], "toml")
    judge = '[judge]\nmodels = "python:model:read"\nrubric = "suites/model/promises.toml"\n'
    write(tmp_path, [example(f"Question {i}", "ab"[i % 2]) for i in range(8)])
    put(tmp_path, {
        "model.py": MODEL,
        "suites/model/promises.toml": rubric,
        "tunegate.toml": f'[data]\ntest = "train.jsonl"\n{limits}{judge}',
    })  # fmt: skip
    suite = ["-m", "pytest", "-p", "tunegate", "-q", "suites/model"]
    _, out = run([*suite, "--model", "python:model:answer"], tmp_path)
    assert "1 failed, 1 passed" in out
    for section in parts.values():
        lines = code(section, "").splitlines()
        assert [line for line in lines if line not in out] == [], out


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize("page", CUSTOM)
def test_the_program_of_the_page_finds_its_fault(page: str, tmp_path: Path) -> None:
    (program,) = blocks(page, "ts")
    (tmp_path / "house.mjs").write_text(program, "utf-8")
    rows = Dataset.of([example("Parse it", "return ok(1)"), example("Parse it", "throw e")])
    house = Program("house", ("node", "house.mjs"), tmp_path)
    (found,) = programs.find(rows, program=house)
    assert (found.row, found.kind, found.evidence) == (1, "throws", "throw e")


# --- docs/reference ---------------------------------------------------------------------------


def test_every_setting_of_the_trainer_qlora_has_a_comment() -> None:
    said = configuration.comments(qlora.Decoding) | configuration.comments(qlora.Settings)
    assert [name for name in qlora.Settings.model_fields if not said.get(name)] == []


def test_the_configuration_is_that_of_the_schema() -> None:
    """Where this fails: `python tools/configuration.py --write`."""
    page = configuration.page()
    assert configuration.PAGE.read_text("utf-8") == page
    unsaid = [line for line in page.splitlines() if re.search(r"\|\s+\|", line)]
    assert unsaid == []  # WORDS in tools/configuration.py says what no comment does
    keys = {key.split(".")[-1] for key in configuration.WORDS}
    assert [key for key in keys if f"| `{key}` |" not in page] == []


# --- docs/notebook.ipynb ----------------------------------------------------------------------


def test_the_notebook_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    notebook = json.loads((ROOT / "docs" / "notebook.ipynb").read_text("utf-8"))
    names: dict[str, object] = {}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 3
    for cell in cells:
        exec("".join(cell["source"]), names)
        shown = "".join(line for out in cell["outputs"] for line in out["text"])
        assert capsys.readouterr().out == shown


def test_the_page_on_it_prints_what_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "library.md").read_text("utf-8")
    ((code, printed),) = re.findall(r"(?ms)^```python\n(.*?)^```\n\n```\n(.*?)^```", text)
    exec(code, {})
    assert capsys.readouterr().out == printed


# --- the site ---------------------------------------------------------------------------------


def nav(entries: list[dict[str, Any]]) -> list[str]:
    """Return the pages of a navigation."""
    values = [value for entry in entries for value in entry.values()]
    return [page for v in values for page in ([v] if isinstance(v, str) else nav(v))]


def test_each_page_stands_once_in_the_navigation() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(nav(site["nav"])) == sorted(page.as_posix() for page in pages)


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    """`make docs` does the same; `pip install -e '.[docs]'` has the test run."""
    pytest.importorskip("zensical", reason="the extra [docs] is not installed: make docs")
    for name in ("docs", "harness", "checks", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("zensical.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = (tmp_path / "site/reference/tunegate/index.html").read_text("utf-8")
    assert "tunegate.Dataset" in made
