"""Reports that say "passed" of tests that did not pass, and files that somebody edited by hand.

The reports are all made in one session; each file is edited in a copy and verified without pytest.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunegate import Dataset
from tunegate.gates.promotion import PromotionRefused, check_promotable
from tunegate.models.spec import resolve_candidate
from tunegate.storage.registry import Registry, RegistryBroken
from tunegate.storage.state_dir import Run, SealBroken, StateDir, find_finished

if TYPE_CHECKING:
    from conftest import Project

RAISED = "raised AssertionError; a plugin ran it again, or reported it as passed"
SKIPPED = RAISED.replace("AssertionError", "Skipped")
NOT_RUN = "did not run; a plugin reported it as passed"
REWRITTEN = "a plugin changed what its report says"

FAILS = "    assert 0\n"
FAILS_ONCE = "    seen.append(1)\n    assert seen.count(1) > 1\n"
SKIPS = "    pytest.skip('later')\n"
FINDS = "    find(train)\n"

# By the name of the test: its body, and what the gate says of it.
EVASIONS: dict[str, tuple[str, str]] = {
    "caught_around_the_function": (FAILS, RAISED),
    "caught_around_the_call": (FAILS, RAISED),
    "caught_in_runtest": (FAILS, RAISED),
    "exception_taken_from_the_call": (FAILS, RAISED),
    "outcome_set_when_the_report_is_made": (FAILS, RAISED),
    "outcome_set_when_the_report_is_logged": (FAILS, RAISED),
    "another_report_put_in_its_place": (FAILS, RAISED),
    "expected_failure_that_is_no_more": (FAILS, RAISED),
    "run_again_in_a_protocol": (FAILS_ONCE, RAISED),
    "run_again_when_the_report_is_made": (FAILS_ONCE, RAISED),
    "function_called_twice": (FAILS_ONCE, RAISED),
    "runtest_replaced": (FAILS, NOT_RUN),
    "function_call_taken_over": (FAILS, NOT_RUN),
    "reports_without_a_run": (FAILS, NOT_RUN),
    "skipped_and_reported_as_passed": (SKIPS, SKIPPED),
    "properties_emptied": (FINDS, REWRITTEN),
    "finding_taken_out_of_the_report": (FINDS, REWRITTEN),
    "outcome_of_a_check_changed": (FINDS, REWRITTEN),
    "properties_replaced_when_logged": (FINDS, REWRITTEN),
}  # fmt: skip

PLUGIN = """
from _pytest.runner import runtestprotocol
from tunegate.pytest_plugin.fixtures import SESSION

def is_named(item, *names): return item.name.removeprefix("test_") in names

@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    if is_named(pyfuncitem, "function_called_twice"):
        try:
            pyfuncitem.obj()
        except AssertionError:
            pass
    try:
        return (yield)
    except BaseException:
        if is_named(pyfuncitem, "caught_around_the_function"): return True
        raise

class More:
    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        return True if is_named(pyfuncitem, "function_call_taken_over") else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        try:
            return (yield)
        except BaseException:
            if not is_named(item, "caught_around_the_call"): raise

def pytest_configure(config): config.pluginmanager.register(More())

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if is_named(item, "runtest_replaced"): item.runtest = lambda: None
        if is_named(item, "caught_in_runtest"): item.runtest = caught(item.runtest)

def caught(runtest):
    def run():
        try: runtest()
        except AssertionError: pass
    return run

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    if is_named(item, "exception_taken_from_the_call"): call.excinfo = None
    report = yield
    if call.when != "call": return report
    if is_named(item, "outcome_set_when_the_report_is_made", "skipped_and_reported_as_passed"):
        report.outcome, report.longrepr = "passed", None
    if is_named(item, "another_report_put_in_its_place"):
        call.excinfo = None
        report = pytest.TestReport.from_item_and_call(item, call)
    if is_named(item, "run_again_when_the_report_is_made"):
        again = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), "call")
        report = pytest.TestReport.from_item_and_call(item, again)
    if is_named(item, "properties_emptied"): report.user_properties = []
    for name, value in report.user_properties:
        if is_named(item, "finding_taken_out_of_the_report"): value["judgements"] = []
        if is_named(item, "outcome_of_a_check_changed"): value["judgements"][0]["found"] = 0
    return report

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    if "outcome_set_when_the_report_is_logged" in report.nodeid: report.outcome = "passed"
    if "expected_failure_that_is_no_more" in report.nodeid and report.when == "call":
        report.outcome = "passed"
        vars(report).pop("wasxfail", None)
    if "properties_replaced_when_logged" in report.nodeid: report.user_properties = []

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if is_named(item, "run_again_in_a_protocol"):
        runtestprotocol(item, nextitem=nextitem, log=False)
        runtestprotocol(item, nextitem=nextitem)
        return True
    if is_named(item, "reports_without_a_run"):
        for when in ("setup", "call", "teardown"):
            done = pytest.CallInfo.from_call(lambda: None, when)
            report = pytest.TestReport.from_item_and_call(item, done)
            item.ihook.pytest_runtest_logreport(report=report)
        return True

def pytest_unconfigure(config):
    if SESSION in config.stash and not config.option.inventory:
        results = config.stash[SESSION].results
        said = {"false": [*results.false_reports()], "not passed": results.not_passed}
        (config.rootpath / "said.json").write_text(json.dumps(said))
"""


HEAD = """
import collections, pytest
from tunegate import check
SEEN = collections.defaultdict(list)
@check(name="bad")
def find(dataset):
    yield dataset[3].finding("bad", "planted")
"""


@pytest.fixture(scope="module")
def said(trained_once: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the gate says of each test of one session in which all reports say "passed"."""
    project = trained_once.copied(tmp_path_factory.mktemp("evasions") / "project")
    shutil.rmtree(project.root / ".tunegate")
    bodies = [
        f"{'@pytest.mark.xfail' if name.startswith('expected') else ''}\n"
        f"def test_{name}({'train' if body == FINDS else ''}):\n    seen = SEEN['{name}']\n{body}"
        for name, (body, _) in EVASIONS.items()
    ]
    project.write("suites/data/test_evasions.py", HEAD + "\n".join(bodies))
    project.add("conftest.py", "import json\n" + PLUGIN)
    result = project.gate()
    assert result.code == 1, result.out
    assert not project.left("receipt.json")
    said: dict[str, Any] = json.loads((project.root / "said.json").read_text())
    assert said["not passed"] == {}, result.out  # pytest, and all reports, call it a success
    assert said["false"][0] in result.line("gate      closed, nothing was trained:")
    return said


@pytest.mark.parametrize("name", EVASIONS)
def test_a_report_that_says_passed(said: dict[str, Any], name: str) -> None:
    (line,) = [line for line in said["false"] if f"test_{name}" in line]
    assert EVASIONS[name][1] in line


def test_no_other_test_is_suspected(said: dict[str, Any]) -> None:
    assert len(said["false"]) == len(EVASIONS)


# Files that somebody edited.

RECEIPT = (
    *("run", "made", "data", "suite", "tests", "unjudged", "removed", "accepted", "limits"),
    *("config", "versions", "environment", "verdict", "intent", "seal"),
)
RECORD = (
    *("model", "digest", "figures", "checkpoints", "run", "baseline", "made", "receipt", "seal"),
)
INTENT = (
    *("trainer", "train", "validation", "test", "config", "base", "base_digest", "seed"),
    *("columns", "incidental", "decoding", "plugins"),
)
EDITED_KEYS = [
    *(("receipt.json", key) for key in RECEIPT),
    *(("run.json", key) for key in RECORD),
    *(("intent.json", key) for key in INTENT),
]


def another(value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    if isinstance(value, dict):
        return {**value, "more": 1}
    return [*value, "more"] if isinstance(value, list) else (value or 0) + 1


@pytest.fixture(scope="module")
def intact(trained_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A trained project whose files are edited and put back."""
    return trained_once.copied(tmp_path_factory.mktemp("edited") / "project")


def test_all_keys_are_edited(intact: Project) -> None:
    for name, keys in {"receipt.json": RECEIPT, "run.json": RECORD, "intent.json": INTENT}.items():
        assert {*keys} == json.loads((intact.run / name).read_text()).keys()


@pytest.mark.parametrize(("name", "key"), EDITED_KEYS)
def test_an_edited_file_of_a_run(intact: Project, name: str, key: str) -> None:
    path, state = intact.run / name, StateDir(intact.root)
    find_finished(state, "latest").verify()
    before = path.read_bytes()
    body = json.loads(before)
    path.write_text(json.dumps({**body, key: another(body[key])}))
    try:
        with pytest.raises(SealBroken, match=r"changed since|was not written by|it is not as"):
            Run(state, intact.run.name).verify()
    finally:
        path.write_bytes(before)


FACTS = {
    **{"run": "r", "model": "toy:r", "model_digest": "d", "receipt": "e", "scorecard": "c"},
    **{"test": "t", "test_n": 6, "test_judged": 1, "test_receipt": "u", "test_left_out": 0},
    "lowered": {"accuracy": [0.9, 0.5]},
}
LINE = (*FACTS, "action", "alias", "why", "who", "when", "previous", "signed_by", "seal")


@pytest.mark.parametrize("key", [key for key in LINE if key != "signed_by"])
def test_an_edited_line_of_the_registry(tmp_path: Path, key: str) -> None:
    registry = Registry(tmp_path)
    registry.append("promote", "production", FACTS, "better")
    line = json.loads(registry.path.read_text())
    assert {*LINE} == line.keys()
    registry.path.write_text(json.dumps({**line, key: another(line[key])}) + "\n")
    with pytest.raises((RegistryBroken, SealBroken)):
        StateDir(tmp_path).verify_signed(registry.entries()[-1])


def baseline_file(root: Path) -> Path:
    (path,) = (root / ".tunegate/baselines").iterdir()
    return path


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def without_seal(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "seal"}


def snapshot(root: Path, split: str) -> Path:
    (run,) = (root / ".tunegate/runs").iterdir()
    name = Path(json.loads((run / "intent.json").read_text())[split]).name
    return root / ".tunegate/snapshots" / name


# By what is done to a trained project: how, and why its promotion is refused.
HARMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "baseline of nothing": (lambda r: baseline_file(r).write_text("{}"), "was never measured"),
    "baseline without a seal": (
        lambda r: edit(baseline_file(r), without_seal),
        "was never measured",
    ),
    "baseline edited": (
        lambda r: edit(baseline_file(r), lambda b: {**b, "n": 60}),
        "it is measured again",
    ),
    "baseline removed": (lambda r: baseline_file(r).unlink(), "was never measured"),
    "baseline of another test set": (
        lambda r: baseline_file(r).rename(baseline_file(r).with_name("0-0.json")),
        "was never measured",
    ),
    "receipt removed": (
        lambda r: next(r.glob(".tunegate/runs/*/receipt.json")).unlink(),
        "is missing: no gate opened for this run",
    ),
    "key replaced": (lambda r: (r / ".tunegate/key").write_bytes(b"k" * 32), "was changed since"),
    "training rows replaced": (
        lambda r: snapshot(r, "train").write_text("{}"),
        "was changed: its digest is",
    ),
    "training rows removed": (lambda r: snapshot(r, "train").unlink(), "No such file"),
    "validation rows replaced": (
        lambda r: snapshot(r, "validation").write_bytes(snapshot(r, "train").read_bytes()),
        "was changed: its digest is",
    ),
    "test rows of the training": (
        lambda r: shutil.copy(r / "train.jsonl", r / "test.jsonl"),
        "was never measured",
    ),
    "receipt of a test set by hand": (
        lambda r: (
            StateDir(r).path("runs", find_finished(StateDir(r), "latest").id, "receipts", "0.json")
        ).write_text('{"run": "x", "data": {}}'),
        "was not written by tunegate",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_promotion_of_what_was_harmed(trained: Project, harm: str) -> None:
    state = StateDir(trained.root)
    candidate = resolve_candidate("latest", state)
    change, why = HARMS[harm]
    change(trained.root)
    test = Dataset.read(trained.root / "test.jsonl", "test")
    if harm != "key replaced":
        candidate = resolve_candidate("latest", state)
    else:
        assert candidate.run is not None
        candidate.run.__dict__.pop("record", None)
    with pytest.raises(PromotionRefused, match=why):
        check_promotable(candidate, candidate.digest, test, state)
