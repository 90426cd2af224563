"""`--json`: what each command prints is one JSON value that its published schema describes.

The schemas are those of docs/schemas, as tools/schemas.py writes them. A published schema allows
keys that it does not name; here none is allowed, so that a key that the code adds is published too.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from published import check, schemas

from tunegate.cli.main import installed_commands, load_command, main
from tunegate.interfaces.trainer import Plan
from tunegate.mutation import faults
from tunegate.storage.state_dir import Run, StateDir, run_id
from tunegate.utils.masking import masked_output, print_json, print_result

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]
BASE = ROOT / "examples" / "triage" / "base"

# The command of each schema that describes an output.
COMMANDS = {
    "data-next": "data next",
    "accept": "accept", "data-diff": "data diff", "data-finding": "data findings",
    "data-list": "data list", "data-plan": "data plan", "data-restore": "data restore",
    "data-show": "data show", "data-tokens": "data tokens", "doctor": "doctor",
    "failures": "failures", "fix": "fix", "mutate": "mutate", "registry-history":
    "registry history", "registry-lineage": "registry lineage", "registry-verify":
    "registry verify", "review-status": "review status", "run-diagnose": "run diagnose",
    "run-export-mlflow": "run export mlflow", "run-job": "run job", "run-pack": "run pack",
    "run-preflight": "run preflight", "run-purge": "run purge", "run-serve-check":
    "run serve-check", "run-unpack": "run unpack", "split": "split",
}  # fmt: skip


# The schemas.


@pytest.mark.parametrize("name", schemas.DOCUMENTS)
def test_a_published_schema_is_what_the_tool_writes(name: str) -> None:
    path = schemas.FOLDER / schemas.file_name(name)
    assert path.read_text("utf-8") == schemas.text_of(name), "python tools/schemas.py --write"
    schema = json.loads(path.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:tunegate:schema:{name}:v1"
    assert '"additionalProperties": false' not in path.read_text("utf-8")  # keys may be added


def test_no_schema_is_left_over() -> None:
    written = {path.name for path in schemas.FOLDER.iterdir()}
    assert written == {schemas.file_name(name) for name in schemas.DOCUMENTS}


def test_every_command_with_json_has_a_schema_and_a_line_in_the_pages() -> None:
    with_json = set()
    for path, entry_point in installed_commands().items():
        _, parser = load_command(path, entry_point)
        if any("--json" in action.option_strings for action in parser._actions):
            with_json.add(path)
    assert with_json == {*COMMANDS.values()}
    for page in ("json.md", "json.pt-BR.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        for name in schemas.DOCUMENTS:
            assert f"schemas/{schemas.file_name(name)})" in text, (page, name)
        for command in with_json:
            assert f"`tunegate {command}" in text, (page, command)


def test_the_words_of_a_verdict_are_those_of_the_code() -> None:
    verdict = schemas.schema_of("mutate")["$defs"]["FaultVerdict"]["properties"]
    results = {faults.CAUGHT, faults.MISSED, faults.NOT_RUN, faults.NOT_APPLICABLE}
    assert {*verdict["result"]["enum"]} == results
    assert {fault.severity for fault in faults.FAULTS} == {*verdict["severity"]["enum"]}


def golden_lines() -> list[Any]:
    text = (GOLDEN / "registry.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_what_older_versions_wrote_is_described() -> None:
    runs = GOLDEN / "state" / "runs"
    cards = sorted(runs.glob("*/scorecards/*.json"))
    receipts = sorted(runs.glob("*/receipt.json"))
    assert (len(cards), len(receipts)) == (3, 2)
    for name, paths in (("scorecard", cards), ("receipt", receipts)):
        for path in paths:
            check(name, json.loads(path.read_text("utf-8")))
    for line in golden_lines():
        check("registry-line", line)


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("scorecard", {"made": "yesterday"}),
        ("scorecard", {"gate": None}),
        ("scorecard", {"new_key": 1}),
        ("receipt", {"data": {"train": {"path": "x"}}}),
        ("receipt", {"tests": [1]}),
    ],
)
def test_a_file_that_is_none_is_seen(name: str, harm: dict[str, Any]) -> None:
    pattern = "scorecards/*.json" if name == "scorecard" else "receipt.json"
    path = next((GOLDEN / "state" / "runs").glob(f"*/{pattern}"))
    with pytest.raises(AssertionError):
        check(name, json.loads(path.read_text("utf-8")) | harm)


# The helper.


def test_what_is_printed_is_json_whatever_it_holds(capsys: Out) -> None:
    texts = ["a\x7fb\x1b[2J\u202e", "“ção”", 'a "quoted" \\ one', "\ud800", "line\r\nend"]
    with masked_output():
        print_json({"texts": texts, "nan": float("nan"), "inf": -float("inf"), "path": Path("a/b")})
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x7f" not in out
    read = json.loads(out)
    assert read == {"texts": texts, "nan": None, "inf": None, "path": "a/b"}


def test_each_text_is_masked_by_itself(capsys: Out) -> None:
    value = {
        "cpf": 52998224725,  # a number, which would be masked in the whole
        "rows": [{"text": "mail ana.lima@correio.com.br"}, ["cpf 529.982.247-25"]],
    }
    with masked_output():
        print_result(True, value, ["for people"])
    out = capsys.readouterr().out
    read = json.loads(out)
    assert read["cpf"] == 52998224725
    assert "ana.lima" not in out
    assert "529.982" not in out
    print_result(False, value, ["for", "people"])
    assert capsys.readouterr().out == "for\npeople\n"
    print_result(False, value, [])
    assert capsys.readouterr().out == ""


# What the commands print, on real projects.


def told(capsys: Out, name: str, *options: str, code: int = 0) -> Any:
    """Run a command with --json: one value on stdout, held to its schema, nothing on stderr."""
    command = COMMANDS[name].split()
    assert main([*command, *options, "--json"]) == code
    out, err = capsys.readouterr()
    assert err == ""
    value = json.loads(out)
    check(name, value)
    keys = re.findall(r'"([^"]*)": ', re.sub(r'"(packages|kinds|checked)": \{[^}]*\}', "", out))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) for key in keys if key), keys
    return value


def test_a_promotion(promoted: Project, capsys: Out) -> None:
    for path in promoted.root.glob(".tunegate/runs/*/scorecards/*.json"):
        check("scorecard", json.loads(path.read_text("utf-8")))
    check("receipt", json.loads((promoted.run / "receipt.json").read_text("utf-8")))
    for line in promoted.registry:
        check("registry-line", line)

    chain = told(capsys, "registry-lineage")
    assert (chain["alias"], chain["compared"], chain["faults"]) == ("production", True, [])
    paths = {record["record"]: record["path"] for record in chain["records"]}
    card = json.loads((promoted.root / paths["scorecard"]).read_text("utf-8"))
    assert (card["gate"], card["run"]) == ("open", chain["run"])
    assert paths["promotion"] is None

    history = told(capsys, "registry-history")
    assert [(e["line"], e["action"], e["alias"]) for e in history["entries"]] == [
        (1, "promote", "production")
    ]
    assert (history["undecided"], history["fault"], history["judged"]) == ([], None, [])
    assert told(capsys, "registry-history", "staging")["entries"] == []
    judged = told(capsys, "registry-history", "latest")["judged"]
    assert [(j["gate"], j["path"]) for j in judged] == [("open", paths["scorecard"])]

    sound = told(capsys, "registry-verify")
    assert sound == {"entries": 1, "wrong": 0, "compared": 1, "faults": []}
    promoted.write("registry.jsonl", json.dumps(promoted.registry[0] | {"who": "eve"}) + "\n")
    broken = told(capsys, "registry-verify", code=1)
    assert (broken["wrong"], broken["faults"][0]["line"]) == (1, 1)
    assert told(capsys, "registry-history", code=1)["fault"]["line"] == 1
    promoted.write("registry.jsonl", "{}\n")
    assert told(capsys, "registry-verify", code=1)["faults"][0]["line"] is None


def test_a_mistake_leaves_stdout_empty(promoted: Project, capsys: Out) -> None:
    for command in (
        ("registry", "lineage", "staging"), ("failures", "nope"), ("data", "diff", "nope"),
        ("data", "plan", "--limit", "2"), ("split", "gone.jsonl"), ("accept", "--why", "x"),
    ):  # fmt: skip
        assert main([*command, "--json"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1


def test_answers_and_state(promoted: Project, capsys: Out) -> None:
    wrong = told(capsys, "failures", "-o", "wrong.jsonl")
    assert wrong == {"path": "wrong.jsonl", "wrong": 0, "n": 6, "times": 1, "clusters": []}
    assert (promoted.root / "wrong.jsonl").read_bytes() == b""

    facts = told(capsys, "doctor")
    assert facts["ok"] is True
    about: dict[str, Any] = {}
    for fact in facts["facts"]:
        about.setdefault(fact["about"], fact)
    size = (promoted.root / "train.jsonl").stat().st_size
    assert (about["data"]["split"], about["data"]["bytes"]) == ("train", size)
    assert about["latest"]["run"] == promoted.run.name
    assert about["alias"]["run"] == promoted.run.name
    assert about["disk"]["free_bytes"] <= about["disk"]["total_bytes"]
    promoted.write("registry.jsonl", "{}\n")
    assert told(capsys, "doctor", code=1)["ok"] is False


def test_findings_and_what_is_accepted(
    project: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch, example_row: Any
) -> None:
    monkeypatch.chdir(project.root)
    project.add("train.jsonl", example_row("bad ana@correio.com.br", "a"))
    assert project.pytest("suites/data").code == 1
    assert main(["data", "findings", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    (line,) = out.splitlines()
    finding = json.loads(line)
    check("data-finding", finding)
    assert "ana@" not in line

    done = told(capsys, "accept", finding["id"], "--why", "ours")
    assert [(e["status"], e["id"]) for e in done["entries"]] == [("accepted", finding["id"])]
    again = told(capsys, "accept", finding["id"], "--why", "ours")
    assert again["entries"][0]["status"] == "accepted before"
    assert told(capsys, "accept")["entries"][0]["status"] == "in force"
    text = (project.root / "train.jsonl").read_text().replace("bad", "good")
    project.write("train.jsonl", text)
    assert project.pytest("suites/data").code == 0
    assert told(capsys, "accept")["entries"][0]["status"] == "stale"
    assert told(capsys, "accept", "--prune")["entries"][0]["status"] == "dropped"
    assert told(capsys, "accept") == {"action": "list", "entries": []}


def test_rows(
    project: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch, example_row: Any
) -> None:
    monkeypatch.chdir(project.root)
    for command in ("init --quiet", "add --all", "commit --quiet -m first"):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *who, *command.split()], cwd=project.root, check=True)
    rows = [example_row(f"ana.lima@correio.com.br asks {n}", "ab"[n % 2]) for n in range(30)]
    project.write("train.jsonl", "".join(rows))
    (train, *_) = told(capsys, "data-diff", "HEAD")["splits"]
    assert (train["split"], train["added"], train["removed"]) == ("train", 30, 20)
    assert len(train["rows"]) == 50  # all, where people are shown the first
    assert "ana.lima" not in str(train)

    fixed = told(capsys, "fix", "-o", "clean", code=1)
    (train, *_) = fixed["files"]
    assert train["rows_in"] == 30
    assert train["rows_out"] == len((project.root / train["data"]).read_text().splitlines())
    assert {step["step"] for step in train["steps"]} >= {"redact"}

    made = told(capsys, "split", str(ROOT / "examples/triage/data/test.jsonl"), "-o", "parts")
    assert [split["split"] for split in made["splits"]] == ["train", "validation", "test"]
    assert sum(split["share"] for split in made["splits"]) == pytest.approx(1)
    assert len(made["labels"]) == 6

    plan = told(capsys, "data-plan", "--mode", "lower", "--accuracy", "0.97", "--label-cost", "0.1")
    assert (plan["rows"], plan["label_usd"]) == (647, pytest.approx(64.7))
    told(capsys, "data-plan", "--paired")

    assert main(["review", "sample", "test.jsonl", "-o", "reviews/test.csv"]) == 0
    capsys.readouterr()
    reviews = {s["split"]: s for s in told(capsys, "review-status")["splits"]}
    assert (reviews["train"]["reviewed"], reviews["train"]["errors"]) == (0, 0)
    assert len(reviews["test"]["pending"]) == 1

    faults = told(capsys, "mutate", "--kinds", "leak", "--minutes", "0", code=75)
    assert [v["result"] for v in faults["verdicts"]] == ["not run"]


def test_a_training(project: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(project.root)
    project.add("tunegate.toml", f'[train.qlora]\nbase = "{BASE}"\nbatch = 4\n')
    view = told(capsys, "data-tokens", "train.jsonl", "--row", "1")
    (shown,) = view["views"]
    assert (view["line"], shown["length"], shown["refused"]) == (2, len(shown["tokens"]), "")
    assert any(token["trained"] for token in shown["tokens"])
    training = told(capsys, "run-preflight")["training"]
    assert (training["rows"], training["steps_per_epoch"]) == (20, 5)
    parts = training["memory_bytes"]
    assert parts["total"] == pytest.approx(
        parts["weights"] + parts["trained"] + parts["activations"], abs=2
    )


def test_a_job_at_a_provider(
    project: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    from tunegate_openai.commands import job as command
    from tunegate_openai.job import Submission
    from tunegate_openai.trainer import OpenAITrainer

    monkeypatch.chdir(project.root)
    state, trainer = StateDir(project.root), OpenAITrainer()
    config = trainer.resolve({"base": "small"}, project.root)
    snapshot = state.store_snapshot((project.root / "train.jsonl").read_bytes())
    plan = Plan("openai", snapshot, None, None, config, "openai:small", "", 0)
    run = Run(state, run_id(plan))
    run.write_intent(plan, [])
    Submission.read(run.folder).with_saved(run.folder, job="ftjob-1")
    made = SimpleNamespace(id="ftjob-1", status="succeeded", fine_tuned_model="ft:small")
    jobs = SimpleNamespace(
        **dict.fromkeys(("pause", "resume", "cancel", "retrieve"), lambda _: made)
    )
    client = SimpleNamespace(fine_tuning=SimpleNamespace(jobs=jobs))
    monkeypatch.setattr(command, "connect", lambda settings: client)
    job = {"run": run.id, "job": "ftjob-1", "status": "succeeded", "model": "ft:small"}
    assert told(capsys, "run-job", run.id) == job
    forgotten = dict.fromkeys(("job", "status", "model"))
    assert told(capsys, "run-job", run.id, "--forget") == {"run": run.id, **forgotten}


def test_the_keys_of_an_older_registry(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tunegate.toml").write_text("")
    shutil.copy(GOLDEN / "registry.jsonl", tmp_path)
    shutil.copytree(GOLDEN / "state", tmp_path / ".tunegate")
    monkeypatch.chdir(tmp_path)
    history = told(capsys, "registry-history")
    assert [e["line"] for e in history["entries"]] == [1, 2, 3, 4]
    assert told(capsys, "registry-lineage", "staging")["compared"] is True
    assert told(capsys, "registry-verify")["entries"] == 4
