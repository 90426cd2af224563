"""The gate when it opens, what it leaves behind, and files that somebody writes by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.exit_codes import INTERRUPTED
from tunegate.gates.data_gate import DataGate
from tunegate.gates.decision import verdict_digest
from tunegate.pytest_plugin.hooks import GateSession
from tunegate.session.context import Environment
from tunegate.storage.state_dir import Run, StateDir

if TYPE_CHECKING:
    from conftest import Project


SPLITS = ("train", "validation", "test")


def rewrite(path: Path, **changes: object) -> None:
    """Edit a JSON file as a hand would: the seal stays what it was."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def receipt(project: Project) -> dict[str, object]:
    return json.loads((project.run / "receipt.json").read_text())


@pytest.mark.parametrize("args", [(), ("-x",), ("--lf",), ("-p", "no:cacheprovider")], ids=str)
def test_open(project: Project, args: tuple[str, ...]) -> None:
    result = project.gate(*args)
    assert result.code == 0, result.out
    said = "all 4 tests of the suite passed on exactly these bytes"
    assert result.line("gate      open:") == said
    assert result.line("model") == f"run:{project.run.name}"
    assert result.line("next") == "pytest suites/model --model latest"
    assert (project.run / "toy.txt").read_text() == (project.root / "train.jsonl").read_text()
    assert set(receipt(project)["data"]) == {"train", "validation", "test"}  # type: ignore[call-overload]


@pytest.mark.slow
def test_open_under_xdist(project: Project) -> None:
    result = project.gate("-n", "2")
    assert result.code == 0, result.out
    assert len(receipt(project)["tests"]) == 4  # type: ignore[arg-type]


def test_the_receipt_names_what_was_judged(trained: Project) -> None:
    written = receipt(trained)
    assert set(written["suite"]["files"]) == {  # type: ignore[index]
        "conftest.py",
        "suites/data/test_it.py",
        "tunegate.toml",
    }
    assert written["suite"]["version"] == {}  # type: ignore[index]
    (judged,) = written["tests"]["suites/data/test_it.py::test_rows[train]"]  # type: ignore[index]
    assert (judged["name"], judged["split"], judged["held"]) == ("test_it", "train", True)
    assert written["limits"]["accuracy"] == 0.95  # type: ignore[index]
    assert written["unjudged"] == ["suites/data/test_it.py::test_size"]


def test_the_receipt_says_who_was_there_and_a_verdict_that_is_the_same_elsewhere(
    trained: Project,
) -> None:
    written: dict[str, Any] = receipt(trained)
    environment = written["environment"]
    assert environment["command"][-3:] == ["suites/data", "--train-with", "toy"]
    assert {"conftest.py", "suites/data/test_it.py"} <= environment["modules"].keys()
    assert environment["modules"]["conftest.py"] == written["suite"]["files"]["conftest.py"]
    elsewhere = {**written, "environment": {}, "made": "", "versions": {}}
    elsewhere["data"] = {s: {**d, "path": "/srv"} for s, d in written["data"].items()}
    assert verdict_digest(elsewhere) == written["verdict"]
    for key in ("tests", "limits", "config", "accepted", "removed"):
        assert verdict_digest({**written, key: {"another": 1}}) != written["verdict"]


def test_arguments_with_private_values_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-proj-" + "Abc9" * 12
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-k {key}")
    kept = Environment(["pytest", f"--token={key}"]).to_dict(Path())
    assert kept["command"][0] == "pytest"
    assert kept["variables"]["PYTEST_ADDOPTS"].startswith("-k ")
    assert key not in json.dumps(kept)


def test_the_version_of_the_suites_is_in_the_receipt_and_an_older_one_is_said(
    project: Project,
) -> None:
    manifest = {"tunegate": "0.0.9", "digest": "0123456789abcdef", "files": {}}
    project.write("suites/.tunegate-suites.json", json.dumps(manifest))
    result = project.gate()
    assert result.code == 0, result.out
    line = result.line("suites    older (0.0.9, 012345) than the installed ones (")
    assert line.endswith("): tunegate init --update")
    suite = receipt(project)["suite"]
    assert suite["version"] == {"tunegate": "0.0.9", "digest": "0123456789abcdef"}  # type: ignore[index]


def test_the_same_command_trains_once(trained: Project) -> None:
    before = (trained.run / "receipt.json").read_bytes(), (trained.run / "run.json").read_bytes()
    result = trained.gate()
    assert "was trained on exactly this before; nothing to do" in result.line("run")
    after = (trained.run / "receipt.json").read_bytes(), (trained.run / "run.json").read_bytes()
    assert before == after  # the chain from the receipt to the model stays whole


def test_a_finished_run_whose_key_cannot_be_read(trained: Project) -> None:
    key = trained.root / ".tunegate" / "key"
    key.unlink()
    key.mkdir()
    said: list[tuple[str, str]] = []
    gate: Any = DataGate.__new__(DataGate)
    gate.session = SimpleNamespace(say=lambda label, text, good: said.append((label, text)))
    assert gate._train(Run(StateDir(trained.root), trained.run.name)) == 70
    assert said == [("run", f"{key}: Is a directory")]


def test_a_gate_that_is_told_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session: Any = GateSession(tmp_path)
    session.session_ran, session.context = True, SimpleNamespace(budget="", candidate=None)
    plugins = SimpleNamespace(get_plugin=lambda name: None)
    session.pytest_config = SimpleNamespace(pluginmanager=plugins)

    def stop(status: int) -> int:
        raise KeyboardInterrupt

    def open_then_stop(status: int) -> int:
        session.print_line("gate", "open: all 2 tests")
        return stop(status)

    for finish, said in (
        (stop, ["gate      closed: interrupted"]),
        (open_then_stop, ["gate      open: all 2 tests", "stopped   interrupted"]),
    ):
        session.gate, session.gate_is_told = SimpleNamespace(finish=finish), False
        assert session.finish_gate(0) == INTERRUPTED
        assert capsys.readouterr().out.splitlines() == said


def test_what_a_conftest_takes_out_is_named(project: Project) -> None:
    removed = "suites/data/test_it.py::test_x"
    project.add("suites/data/test_it.py", "\ndef test_x(): assert 0\n")
    hook = "pytest_collection_modifyitems(items): del items[-1]"
    project.add("conftest.py", f"\n@pytest.hookimpl(tryfirst=True)\ndef {hook}\n")
    result = project.gate()
    assert result.code == 0, result.out
    assert receipt(project)["removed"] == [removed]
    assert f"1 left out by a conftest: {removed}" in result.out


def test_what_the_ini_file_leaves_out(project: Project) -> None:
    """There a `-k` would hide tests from the session and from its inventory alike."""
    project.write("pytest.ini", "[pytest]\naddopts = -k rows\n")
    result = project.gate()
    assert (result.code, project.left("*")) == (1, [])
    assert "3 of 4 tests passed" in result.line("gate")


def test_a_split_nobody_looked_at(project: Project) -> None:
    project.write("suites/data/test_it.py", "def test_train(train): assert len(train)")
    result = project.gate()
    assert result.code == 1
    assert "no test of the suite looked at the validation data" in result.line("gate")
    assert not project.left("*")


def test_no_test_at_all(project: Project) -> None:
    project.write("suites/data/test_it.py", "")
    result = project.gate()
    assert (result.code, result.line("gate")) == (
        5,
        "closed, nothing was trained: the suite holds no test",
    )


def test_deleted_data(project: Project) -> None:
    project.add("suites/data/test_it.py", "\nimport os\ndef test_x(test): os.remove(test.path)\n")
    result = project.gate()
    assert result.code == 1
    assert "test.jsonl is not a file" in result.line("gate")


@pytest.mark.parametrize("how", ["file", "node"])
def test_a_part_of_the_suite(project: Project, how: str) -> None:
    project.write("suites/data/test_more.py", "def test_x(): pass")
    part = "suites/data/test_it.py" + ("::test_size" if how == "node" else "")
    result = project.pytest(part, "--train-with", "toy")
    assert result.code == 1
    assert " tests passed; suites/data/test_" in result.line("gate")
    assert not project.left("*")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["suites/model", "--train-with", "toy"], "you named model: pytest suites/data "),
        (["--train-with", "toy"], "you named none: pytest suites/data --train-with toy"),
        (["suites", "--train-with", "toy"], "one suite a session, these are 2: data, model"),
        (["suites/data", "--train-with", "tyo"], "no such trainer, did you mean 'toy'?; valid: "),
        (["suites/data", "--model", "latest"], "no finished run 'latest'; finished runs: none yet"),
        (["suites/data", "--promote", "production"], "--promote needs the candidate"),
        (["suites/data", "--model", "latest", "--train-data", "no.jsonl"], "named by --train-data"),
        (["suites/data", "--train-with", "toy", "--noconftest"], "no such trainer"),
        (["suites/data", "--test-data", "/proc/self/mem"], "/mem: Input/output error"),
    ],
)  # fmt: skip
def test_a_mistake_ends_before_the_first_test(project: Project, args: list[str], said: str) -> None:
    result = project.pytest(*args)
    assert result.code == 4
    assert said in result.line("ERROR:"), result.out
    assert "Traceback" not in result.out
    assert not project.left("*")


@pytest.mark.parametrize("how", ["-O", "PYTHONOPTIMIZE"])
def test_asserts_that_vanish(project: Project, how: str) -> None:
    flags, env = (("-O",), {}) if how == "-O" else ((), {"PYTHONOPTIMIZE": "1"})
    result = project.pytest("suites/data", "--train-with", "toy", flags=flags, env=env)
    assert (result.code, project.left("*")) == (4, [])
    assert "python -O" in result.line("ERROR:")


def train(project: Project) -> tuple[int, str]:
    """Start the child process on the run by hand, its `run.json` taken away first."""
    (project.run / "run.json").unlink(missing_ok=True)
    result = project.python("-m", "tunegate.gates.training_process", str(project.run))
    assert not project.left("run.json")
    assert "Traceback" not in result.out
    return result.code, result.line("run ")


def test_a_receipt_by_hand(trained: Project) -> None:
    rewrite(trained.run / "receipt.json", seal="0" * 64)
    code, said = train(trained)
    assert code == 70
    assert "was not written by a gate of this state tree, or was changed since" in said


def test_a_run_folder_by_hand(trained: Project) -> None:
    (trained.run / "receipt.json").write_text('{"run": "me"}')
    code, said = train(trained)
    assert code == 70
    assert "receipt.json was not written by tunegate" in said


def test_another_runs_receipt(trained: Project) -> None:
    other = trained.run.with_name("0123456789ab")
    other.mkdir()
    for name in ("intent.json", "receipt.json"):
        (other / name).write_bytes((trained.run / name).read_bytes())
    result = trained.python("-m", "tunegate.gates.training_process", str(other))
    assert result.code == 70
    assert "the receipt is that of run" in result.out


@pytest.mark.parametrize("key", ["seed", "base_digest", "config"])
def test_a_changed_intent(trained: Project, key: str) -> None:
    rewrite(trained.run / "intent.json", **{key: {"seed": 7, "base": "b"}})
    code, said = train(trained)
    assert (code, "intent.json was changed" in said) == (70, True)


def test_a_changed_snapshot(trained: Project) -> None:
    plan = json.loads((trained.run / "intent.json").read_text())
    snapshot = trained.root / ".tunegate/snapshots" / plan["train"].rpartition("/")[2]
    snapshot.write_text(snapshot.read_text().replace("question 1", "question 99"))
    code, said = train(trained)
    assert code == 70
    assert "was changed: its digest is" in said


def test_a_changed_run(trained: Project) -> None:
    rewrite(trained.run / "run.json", model="toy:base")
    for result in (trained.judge("--promote", "production"), trained.gate()):
        assert result.code in (4, 70)
        assert "run.json was not written by a gate of this state tree" in result.out
        assert "Traceback" not in result.out
    assert trained.registry == []


def test_rows_that_are_changed_before_they_are_trained_on(project: Project) -> None:
    """A trainer of one's own may read a file without verifying it."""
    conftest = (project.root / "conftest.py").read_text()
    evil = "def preflight(self, plan): plan.train.write_text('{}'); return []"
    project.write("conftest.py", conftest.replace("def preflight(self, plan): return []", evil))
    result = project.gate()
    assert (result.code, project.left("run.json")) == (70, []), result.out
    assert "was changed: its digest is" in result.line(f"run {project.run.name}:")


def test_a_full_disk_is_one_line(project: Project) -> None:
    full = "import errno, os\ndef fsync(fd): raise OSError(errno.ENOSPC, 'No space left')\n"
    project.add("conftest.py", f"{full}os.fsync = fsync\n")
    result = project.gate()
    assert (result.code, project.left("*")) == (1, [])
    assert re.fullmatch(r"closed: /.*/\.tunegate/\S+: No space left", result.line("gate"))
    assert "Traceback" not in result.out


def test_a_trainer_that_fails(project: Project) -> None:
    broken = "(folder / 'toy.txt').write_bytes(1/0)"
    conftest = (project.root / "conftest.py").read_text()
    project.write(
        "conftest.py", conftest.replace("        (folder", f"        {broken}\n        (folder")
    )
    result = project.gate()
    assert result.code == 70
    run = project.run.name
    assert f"run {run}: ZeroDivisionError: division by zero" in result.out
    assert f"run       {run} did not finish (exit 70)" in result.out
    assert "Traceback" not in result.out
    assert not project.left("run.json")


def test_no_training_outlives_the_pytest_that_started_it(project: Project) -> None:
    """kill -9 of the parent: whoever waits for its output waits for the child's end, too."""
    hang = "import threading; os.kill(os.getppid(), 9); threading.Event().wait(60)"
    conftest = (project.root / "conftest.py").read_text()
    project.write(
        "conftest.py", conftest.replace("        (folder", f"        {hang}\n        (folder")
    )
    result = project.pytest("suites/data", "--train-with", "toy", fresh=True)
    assert result.code == -9
    assert f"run {project.run.name}: interrupted; the same command takes it up" in result.out
    assert not project.left("run.json")
    project.write("conftest.py", conftest)
    assert project.gate().code == 0


def test_below_the_root_of_pytest(project: Project, tmp_path: Path) -> None:
    """One project of many in a repository, whose pytest is configured at the top."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    inner = tmp_path / "packages" / "triage"
    inner.mkdir(parents=True)
    for name in ("tunegate.toml", "conftest.py", "suites", *(f"{s}.jsonl" for s in SPLITS)):
        (tmp_path / name).rename(inner / name)
    project.root = inner
    result = project.gate()
    assert result.code == 0, result.out


def test_the_outer_project_is_meant_where_its_suite_is_named(
    project: Project, tmp_path: Path
) -> None:
    project.add("pytest.ini", "[pytest]\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "tunegate.toml").write_text("")
    project.root = inner
    result = project.pytest("../suites/data", "-q")
    assert result.code == 0, result.out


def test_data_beside_the_project(trained: Project) -> None:
    """pytest takes the paths behind our options for its own, and moves its root above both."""
    beside = trained.root.parent / "shared"
    beside.mkdir()
    for split in SPLITS:
        (trained.root / f"{split}.jsonl").rename(beside / f"{split}.jsonl")
    result = trained.gate(*(a for s in SPLITS for a in (f"--{s}-data", f"../shared/{s}.jsonl")))
    assert result.code == 0, result.out


def test_without_a_terminal_it_says_so_all_the_same(project: Project) -> None:
    result = project.gate("-p", "no:terminal", "-k", "rows")
    assert result.code == 1
    assert "3 of 4 tests passed" in result.line("gate      closed, nothing was trained:")


def test_a_suite_outside_the_project(project: Project) -> None:
    project.add("tunegate.toml", '[suites]\ndata = "../elsewhere"\n')
    (project.root.parent / "elsewhere").mkdir(exist_ok=True)
    result = project.pytest("../elsewhere", "--rootdir=.", "--train-with", "toy")
    assert result.code == 4
    assert "must be a folder inside" in result.line("ERROR:")
