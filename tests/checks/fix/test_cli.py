"""`tunegate fix` as a user meets it: one file, a project, mistakes, and the gates behind it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dirty import CPF, EMAIL, KEY, TEAMS, prompts, read, row, write

from tunegate.cli import main
from tunegate.config.data_files import find_data_files
from tunegate.config.schema import load
from tunegate_checks.fix import steps

ROOT = Path(__file__).parents[3]
Out = pytest.CaptureFixture[str]
CONFIG = """\
[data]
train = "raw/train.jsonl"
validation = "raw/validation.jsonl"
test = "raw/test.jsonl"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()  # no configuration above counts
    return tmp_path


def tunegate(*args: str) -> int:
    return main.main(["fix", *args])


def test_one_file(here: Path, capsys: Out) -> None:
    rows = [row(p, TEAMS[i % 3]) for i, p in enumerate(prompts(30))]
    rows += [row(f"Meu CPF é {CPF}, {EMAIL}"), rows[3], '{"cut']
    write(here / "train.jsonl", rows, "\r\n")
    assert tunegate("train.jsonl", "-o", "clean/train.jsonl") == 1
    out = capsys.readouterr().out
    assert (
        out
        == """\
train.jsonl -> clean/train.jsonl
  rows in           33
  redacted           1   cpf 1, email 1
  duplicates        -1   exact 1
  set aside         -1
  rows out          31
  checked: format 0, pii 0, secrets 0, labels 0, duplicates 0
  left for you: 1 row set aside; line 33: not JSON: invalid control character;
    is the row cut off? (line 33, character 6 of the row)
  each change: clean/train.fix.csv
next: pytest suites/data --train-data clean/train.jsonl
"""
    )
    assert tunegate("clean/train.jsonl", "-o", "again/train.jsonl") == 0
    assert Path("again/train.jsonl").read_bytes() == Path("clean/train.jsonl").read_bytes()
    assert '33,,format,set aside,"not JSON: ' in Path("clean/train.fix.csv").read_text("utf-8")


def test_a_table_comes_out_as_chat_rows(here: Path, capsys: Out) -> None:
    lines = [f"{p},{TEAMS[i % 3]}" for i, p in enumerate(prompts(9))] + ["too,many,fields"]
    (here / "t.csv").write_text("text,team\n" + "\n".join(lines))
    config = '[data]\ncolumns = {prompt = "text", reply = "team"}\n'
    (here / "tunegate.toml").write_text(config)
    assert tunegate("t.csv", "-o", "t.jsonl") == 1
    assert read(here / "t.jsonl")[0] == row(prompts(1)[0], system="")
    out = capsys.readouterr().out
    assert "a table became chat messages: text as prompt, team as reply" in out
    assert "left for you: 1 row set aside; line 11: " in out


def test_what_is_left_is_named_with_its_kind_and_line(here: Path, capsys: Out) -> None:
    rows = [row(p, TEAMS[i % 3]) for i, p in enumerate(prompts(60))]
    write(here / "train.jsonl", [*rows, row("Who?", "The team is billing.")])
    assert tunegate("train.jsonl", "-o", "new.jsonl", "--only", "labels") == 1
    said = "  left for you: near miss (labels), at line 61 of new.jsonl\n"
    assert said in capsys.readouterr().out
    assert tunegate("train.jsonl", "-o", "clean/train.jsonl", "--only", "labels") == 1
    # The folder too: the row may have another line in the file that was read.
    assert "at line 61 of clean/train.jsonl\n" in capsys.readouterr().out


def test_another_system_prompt_is_left_for_a_person(here: Path, capsys: Out) -> None:
    rows = [row(p, TEAMS[i % 3]) for i, p in enumerate(prompts(60))]
    rows[4] = row(prompts(5)[4], TEAMS[1], system="Name the  team.")
    source = write(here / "train.jsonl", rows)
    assert tunegate("train.jsonl", "-o", "new.jsonl") == 1
    said = "  left for you: another system prompt, or none, from line 5 of new.jsonl\n"
    assert said in capsys.readouterr().out
    assert (here / "new.jsonl").read_bytes() == source.read_bytes()


def test_lines_are_at_most_80_columns_wide(here: Path, capsys: Out) -> None:
    kinds = [
        CPF,
        EMAIL,
        KEY,
        "(11) 98765-4321",
        "192.168.7.33",
        "senha: Abc123!x",
        "AA:BB:CC:DD:EE:01",
    ]
    write(
        here / "train.jsonl", [row(f"{p} {k}", k) for p, k in zip(prompts(7), kinds, strict=True)]
    )
    (here / "tunegate.toml").write_text(CONFIG)
    for split in ("train", "validation", "test"):
        shutil.copy(here / "train.jsonl", write(here / "raw" / f"{split}.jsonl", []))
    assert tunegate("-o", "a-folder-with-a-name") == 1
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


MISTAKES = [
    (["nope.jsonl", "-o", "x"], "nope.jsonl is not a file"),
    (["train.jsonl", "-o", "train.jsonl"], "train.jsonl is read here, and never written over"),
    (["train.jsonl", "-o", "."], "train.jsonl is read here, and never written over"),
    (["train.jsonl", "-o", "there.jsonl"], "there.jsonl: already there; --force replaces"),
    (["train.jsonl", "-o", "there.jsonl/x"], "there.jsonl"),
    (
        ["train.jsonl", "-o", "x", "--only", "redact,label"],
        "'label', did you mean 'labels'?; steps: ",
    ),
    (["train.jsonl", "-o", "x", "--only", "leaks"], "nothing to compare with; give --against"),
    (["train.jsonl", "-o", "x", "--against", "test.jsonl"], "fix test.jsonl --against train.jsonl"),
    (["test.jsonl", "-o", "x", "--against", "test.jsonl"], "against itself"),
    (["test.jsonl", "-o", "x", "--against", "bad.jsonl"], "bad.jsonl: line 1 cannot be read"),
    (
        ["bad.jsonl", "-o", "x"],
        "bad.jsonl: nothing to fix, and nothing was written: line 1: not JSON",
    ),
    (["train.jsonl", "-o", "new.csv"], "new.csv: what is written is JSONL; -o new.jsonl"),
    (
        ["train.jsonl", "-o", "x", "--key-env", "NO_KEY"],
        "--key-env: NO_KEY is not set; put a secret",
    ),
    (["train.jsonl", "-o", "x", "--key-env", "SHORT_KEY"], "SHORT_KEY is 5 characters long"),
    (["train.jsonl", "-o", "x", "--only", "labels", "--surrogates"], "go with the step redact"),
    (["-o", "x"], "no tunegate.toml here or above: name the FILE to fix"),
]


@pytest.mark.parametrize(("args", "said"), MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(
    here: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    monkeypatch.setenv("SHORT_KEY", "12345")
    for name in ("train.jsonl", "test.jsonl", "there.jsonl"):
        write(here / name, [row("x")])
    write(here / "bad.jsonl", ["{"])
    (here / "t.csv").write_text("text,team\na,b\n")
    before = {p: p.read_bytes() for p in here.iterdir() if p.is_file()}
    assert tunegate(*args) == 2
    told = capsys.readouterr()
    assert (told.out, said in told.err) == ("", True), told.err
    assert {p: p.read_bytes() for p in here.rglob("*") if p.is_file()} == before


def test_a_value_is_the_same_in_all_splits_and_with_a_key_in_all_runs(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    """The test split labels the number that training leaves bare."""
    monkeypatch.setenv("FIX_KEY", "a secret of this project")
    monkeypatch.setattr(steps, "findings_of_others", lambda *_: {})  # they take seconds
    (here / "tunegate.toml").write_text(CONFIG)
    for split, text in {"train": "52998224725", "validation": "x", "test": f"CPF {CPF}"}.items():
        write(here / f"raw/{split}.jsonl", [row(text)])
    options = ("--only", "redact", "--key-env", "FIX_KEY")
    assert tunegate("-o", "clean", *options) == 0
    texts = [
        read(here / f"clean/{s}.jsonl")[0]["messages"][1]["content"] for s in ("train", "test")
    ]
    assert f"CPF {texts[0]}" == texts[1]
    assert tunegate("raw/test.jsonl", "-o", "alone.jsonl", *options, "--surrogates") == 0
    assert "[limits] surrogates = true" in " ".join(capsys.readouterr().out.split())
    (fields,) = read(here / "alone.jsonl")
    (invented,) = fields["surrogates"]
    assert fields["messages"][1]["content"] == f"CPF {invented}"
    assert tunegate("raw/test.jsonl", "-o", "again.jsonl", *options) == 0
    assert read(here / "again.jsonl") == read(here / "clean/test.jsonl")


def test_force_replaces_what_an_earlier_call_left(here: Path) -> None:
    write(here / "train.jsonl", [row("x"), "{"])
    assert tunegate("train.jsonl", "-o", "out") == 1
    write(here / "train.jsonl", [row("y")])
    assert tunegate("train.jsonl", "-o", "out", "--force") == 0
    assert sorted(p.name for p in Path("out").iterdir()) == ["train.fix.csv", "train.jsonl"]


SIZES = {"train": 300, "validation": 60, "test": 100}
GATES = ("format", "personal_data", "duplicates", "leakage", "consistency")


def examples(split: str, count: int) -> list[str]:
    path = ROOT / "examples" / "triage" / "data" / f"{split}.jsonl"
    return path.read_text("utf-8").splitlines()[:count]


def planted(line: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in line
        line = line.replace(old, new)
    return line


def test_a_dirty_project_is_clean_enough_for_the_gates(here: Path, capsys: Out) -> None:
    """Everything planted; `tunegate fix -o clean`; then the gates that it answers for are green."""
    train, validation, test = (examples(s, n) for s, n in SIZES.items())
    end = '."}, {"role": "assistant"'
    of = [n for n, line in enumerate(train) if end in line]
    dirt = [f" CPF {CPF}", f" {EMAIL}", f" {KEY}", " (11) 98765-4321"]
    for n, what in zip(of, dirt, strict=False):
        train[n] = planted(train[n], (end, f"{what}{end}"))
    label = '"content": "billing"}'
    of = [n for n, line in enumerate(train) if label in line]
    for n, slip in zip(of, ("Billing", "BILLING ", "biling"), strict=False):
        train[n] = planted(train[n], (label, f'"content": "{slip}"}}'))
    train[51] = planted(train[51], ('"role": "user"', '"role": "human", "name": ""'))
    spoiled = [*train, train[7], train[8], '{"messages": [']
    write(here / "raw" / "train.jsonl", ["\ufeff" + spoiled[0], *spoiled[1:], ""], "\r\n")
    write(here / "raw" / "validation.jsonl", [*validation, train[9], validation[3]])
    write(here / "raw" / "test.jsonl", [*test, train[10], validation[5], train[of[0]]])
    (here / "tunegate.toml").write_text(CONFIG)
    originals = {p: p.read_bytes() for p in (here / "raw").iterdir()}

    assert tunegate("-o", "clean") == 1  # one line is cut off
    out = capsys.readouterr().out
    assert out.count("checked: format 0, pii 0, secrets 0, labels 0, duplicates 0") == 3
    assert {p: p.read_bytes() for p in (here / "raw").iterdir()} == originals
    kept = {s: len(read(here / "clean" / f"{s}.jsonl")) for s in ("train", "validation", "test")}
    assert kept == SIZES

    shutil.copytree(ROOT / "suites", here / "suites")
    suites = [f"suites/data/test_{name}.py" for name in GATES]
    splits = [f"--{s}-data=clean/{s}.jsonl" for s in kept]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CI"))}
    clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tunegate", *suites, *splits],
        cwd=here, env=clean, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


def test_a_project_of_tables_and_its_own_limits(here: Path, capsys: Out) -> None:
    config = 'columns = { prompt = "text", reply = "team" }\n[limits]\npii_ignore = ["cpf"]\n'
    config += 'pii_allow = ["@correio.com.br"]\n'
    (here / "tunegate.toml").write_text(CONFIG.replace(".jsonl", ".csv") + config)
    for n, split in enumerate(("train", "validation", "test")):
        lines = [f"{p},{TEAMS[i % 3]}" for i, p in enumerate(prompts(9, seed=n))]
        lines += [f"cpf {CPF} {EMAIL} (11) 98765-4321 {split * 9},billing"]
        path = here / "raw" / f"{split}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("text,team\n" + "\n".join(lines))
    assert tunegate("-o", "clean") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-2].startswith("next: pytest suites/data --train-data clean/train.jsonl")
    # JSON Lines need no mapping: what is said last works as it stands, with data.columns set.
    root, config = here, load(here)
    given = {s: f"clean/{s}.jsonl" for s in ("train", "validation", "test")}
    assert len(find_data_files(config, root, given, root).get("test")) > 0
    mixed = find_data_files(config, root, {"train": "clean/train.jsonl"}, root)
    assert len(mixed.get("train")) == len(mixed.get("test")) == 10
    assert tunegate("raw/test.csv", "-o", "one.jsonl") == 0
    assert "next: fix the other splits too, since all are tables" in capsys.readouterr().out
    last = read(here / "clean" / "test.jsonl")[-1]["messages"][0]["content"]  # as in train
    assert last == f"cpf {CPF} {EMAIL} [PHONE_1] {'test' * 9}"
