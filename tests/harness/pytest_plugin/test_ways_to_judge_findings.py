"""Whether a passed test has judged what its checks found, in each way that it can be written."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Project

CHECKS = """\
from threading import Thread
import pytest
from tunegate import Finding, check, proportion

@check(name="odd")
def odd(dataset):
    for example in dataset:
        if example.row in (3, 5):
            yield example.finding("odd", example.prompt)
        if example.row == 4:
            yield example.hint("even", example.prompt)

@check(name="clean")
def clean(dataset):
    yield dataset[0].hint("advice", "look at it")

@check(name="outer")
def outer(dataset):
    assert odd(dataset)
    yield from odd(dataset)[2:]
"""

# Each passes. The first word of a name says whether the findings count as judged.
WAYS = """
def test_ignored_an_assert_is_forgotten(train): odd(train)
def test_ignored_it_only_looks(train):
    if odd(train): print("there are some")
def test_ignored_the_not_is_forgotten(train): assert odd(train)
def test_ignored_the_count_is_asserted(train): assert len(odd(train)) == 2
def test_ignored_it_is_expected_to_fail(train):
    with pytest.raises(AssertionError): assert not odd(train)
def test_ignored_the_limit_is_not_asserted(train): odd(train).rate <= 0.01
def test_ignored_the_rate_is_only_looked_at(train):
    if odd(train).rate > 0.01: print("many")
def test_ignored_the_limit_is_not_set(train): assert odd(train).rate <= None
def test_ignored_other_findings_are_held(train):
    odd(train)
    assert odd(train).rate <= 0.1
def test_ignored_it_runs_in_a_thread(train):
    thread = Thread(target=odd, args=(train,))
    thread.start()
    thread.join()
@pytest.fixture
def at_the_end(train):
    yield
    odd(train)
def test_ignored_at_the_end_of_a_fixture(at_the_end): pass

def test_judged_nothing_was_found(train): assert not clean(train)
def test_judged_a_check_asks_another(train): assert not outer(train)
def test_judged_by_its_rate(train): assert odd(train).rate <= 0.1
def test_judged_by_a_rate_that_is_not_above(train): assert not odd(train).rate > 0.1
def test_judged_between_two_limits(train): assert 0.01 < odd(train).rate < 0.2
def test_judged_by_a_score_of_its_rows(train):
    found = odd(train)
    right = len(train) - len(found.rows)
    assert proportion("even", right, len(train), misses=found) >= 0.9
def test_judged_as_advice(train): odd(train, advisory=True)
def test_judged_under_a_mark(request, train):
    request.applymarker(pytest.mark.xfail(reason="known"))
    assert not odd(train)
"""

KEEP = """
def pytest_unconfigure(config):
    import json
    results = config.pluginmanager.get_plugin("tunegate-session").context.results
    if not hasattr(config, "workerinput"):
        with open("results.json", "w") as file:
            json.dump([results.passed, results.not_passed, results.ignored_findings()], file)
"""


def results(project: Project) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str], str]:
    """Return the outcomes by test, why tests did not pass, and the reason to close."""
    passed, not_passed, reason = json.loads((project.root / "results.json").read_text())
    return (
        {nodeid.rpartition("::")[2]: outcomes for nodeid, outcomes in passed.items()},
        not_passed,
        reason,
    )


@pytest.fixture
def kept(project: Project) -> Project:
    """A project that keeps the results of its session."""
    project.add("conftest.py", KEEP)
    return project


def test_every_way_to_write_it(kept: Project) -> None:
    kept.write("suites/data/test_it.py", CHECKS + WAYS)
    result = kept.pytest("suites/data")
    passed, not_passed, reason = results(kept)
    assert list(not_passed.values()) == ["xfailed"], result.out
    judged = {
        name: all(outcome["held"] for outcome in outcomes if "found" in outcome)
        for name, outcomes in passed.items()
    }
    assert judged == {name: name.startswith("test_judged") for name in passed}
    assert len(passed) == WAYS.count("def test_") - 1
    figures = {"found": 2, "n": 20, "test_passed": True}
    assert passed["test_ignored_an_assert_is_forgotten"][0].items() >= figures.items()
    assert passed["test_judged_a_check_asks_another"][0]["name"] == "outer"
    assert len(passed["test_judged_a_check_asks_another"]) == 1
    first = "suites/data/test_it.py::test_ignored_an_assert_is_forgotten"
    assert reason == (
        f"{first} passed in spite of <odd: 2 odd in 2 of 20 examples of train> (and 10 more like "
        "this); write `assert not find(...)`, hold its .rate to a limit, or call it with "
        "advisory=True"
    )
    assert result.line("findings") == reason
    assert result.code == 1
    assert "odd of train: advisory: 2 odd in 2 of 20 examples" in result.out


def test_an_ignored_finding_closes_the_gate_and_a_judged_one_does_not(project: Project) -> None:
    suite = CHECKS + "def test_x(dataset): odd(dataset, advisory=True)\n"
    project.write("suites/data/test_it.py", suite.replace(", advisory=True", ""))
    result = project.gate()
    line = result.line("gate")
    name = "suites/data/test_it.py::test_x[train]"
    assert line.startswith(
        f"closed, nothing was trained: {name} passed in spite of <odd: 2 odd in 2 of 20 examples "
        "of train> (and 2 more like this); write"
    )
    assert (result.code, project.left("receipt.json")) == (1, [])
    project.write("suites/data/test_it.py", suite)
    result = project.gate()
    assert result.code == 0, result.out
    tests = json.loads((project.run / "receipt.json").read_text())["tests"]
    (outcome,) = tests[name]
    expected = {"found": 2, "n": 20, "held": True, "advisory": True, "test_passed": True}
    assert outcome.items() >= expected.items()


@pytest.mark.parametrize(
    "asserted",
    ["not odd(train)", "len(odd(train)) == 0", "odd(train).rows == []", "odd(train) == []",
     "not list(odd(train))", "odd(train).rate <= 0.01", "(odd(train), False)[1]"],
)  # fmt: skip
def test_a_failed_test_shows_the_table_however_it_asserts(project: Project, asserted: str) -> None:
    project.write("suites/data/test_it.py", CHECKS + f"def test_x(train): assert {asserted}\n")
    result = project.pytest("suites/data")
    assert result.code == 1
    assert result.out.count("- odd: 2 in train, train.jsonl -") == 1
    assert "      4  odd   question 3\n      6  odd   question 5\n" in result.out
    assert "findings  " not in result.out


FIXTURES = """
@pytest.fixture(scope="session")
def strange(train): return [odd(train)]

@pytest.fixture
def stranger(strange): return strange[0]
"""


@pytest.mark.parametrize(
    ("tests", "judged"),
    [
        ("def test_a(strange): pass\ndef test_b(train): pass\n", False),
        # One test that holds their rate is enough for all, whichever comes first.
        ("def test_a(strange): pass\ndef test_b(stranger): assert stranger.rate <= 0.1\n", True),
        ("def test_a(stranger): assert stranger.rate <= 0.1\ndef test_b(strange): pass\n", True),
        # What another test finds itself is not held by it.
        ("def test_a(train): odd(train)\ndef test_b(stranger): assert stranger.rate <= 1\n", False),
    ],
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_what_a_fixture_finds_counts_for_every_test_that_uses_it(
    kept: Project, tests: str, judged: bool, workers: tuple[str, ...]
) -> None:
    kept.write("suites/data/test_it.py", CHECKS + FIXTURES + tests)
    result = kept.pytest("suites/data", *workers)
    passed, not_passed, reason = results(kept)
    assert not_passed == {}, result.out
    assert (reason == "", result.code) == (judged, int(not judged)), result.out
    for test in ("test_a", "test_b"):
        uses_it = "strange" in tests.partition(f"def {test}")[2].partition("\n")[0]
        found = [o for o in passed[test] if o.get("fixture") == "strange"]
        assert bool(found) == uses_it


def test_a_failed_test_shows_what_a_fixture_found_for_an_earlier_one(project: Project) -> None:
    tests = "def test_a(strange): pass\ndef test_b(strange): assert not strange[0]\n"
    project.write("suites/data/test_it.py", CHECKS + FIXTURES + tests)
    result = project.pytest("suites/data")
    assert result.out.count("- odd: 2 in train, train.jsonl -") == 1
    project.write("suites/data/test_it.py", CHECKS + FIXTURES + tests.replace("pass", "assert 0"))
    result = project.pytest("suites/data")
    assert result.out.count("- odd: 2 in train, train.jsonl -") == 2
    assert "as under suites/data/test_it.py::test_a" in result.out


def test_outside_of_the_suites_nothing_is_asked(project: Project) -> None:
    """A test of a check of one's own counts what the check finds."""
    project.write("tests/test_odd.py", CHECKS + "def test_x(train): assert len(odd(train)) == 2\n")
    result = project.pytest("tests", "--train-data", str(project.root / "train.jsonl"))
    assert (result.code, "passed in spite of" in result.out) == (0, False)


BROKEN = """\
from tunegate import check

@check(name="mine", per_row=PER_ROW)
def find(dataset):
    for example in dataset:
        yield helper(example)

def helper(example):
    return example.finding("x", example.no_such_field)

def test_x(train):
    assert not find(train)
"""


@pytest.mark.parametrize("per_row", [False, True])
def test_an_exception_in_a_check_shows_the_frames_of_the_user_alone(
    project: Project, per_row: bool
) -> None:
    project.write("suites/data/test_it.py", BROKEN.replace("PER_ROW", str(per_row)))
    result = project.pytest("suites/data")
    places = re.findall(r"^suites/data/test_it\.py:(\d+): ", result.out, re.MULTILINE)
    assert places == ["12", "6", "9"]
    assert "harness/tunegate" not in result.out


def test_an_exception_in_another_process_shows_the_frames_of_the_user_alone(
    project: Project,
) -> None:
    slow = (
        "from tunegate.checking import parallel\n"
        "parallel.CHUNK_ROWS, parallel.MIN_SECONDS, parallel.worker_count = 1, -1, lambda: 2\n"
        "import mine\n"
        "def test_x(train):\n    assert not mine.find(train)\n"
    )
    # The first row is looked at in this process.
    mine = BROKEN.partition("def test_x")[0].replace("PER_ROW", "True")
    mine = mine.replace("yield helper", "if example.row: yield helper")
    project.write("mine.py", mine)
    project.write("suites/data/test_it.py", slow)
    result = project.pytest("suites/data", env={"PYTHONPATH": str(project.root)})
    assert "'Example' object has no attribute 'no_such_field'" in result.out
    assert "mine.py:9: AttributeError" in result.out
    assert "harness/tunegate" not in result.out


def test_a_mistake_in_a_check_is_one_line(project: Project) -> None:
    project.write(
        "suites/data/test_it.py",
        'from tunegate import check\n\n@check(name="mine")\ndef find(dataset):\n'
        '    yield "bad"\n\ndef test_x(train):\n    assert not find(train)\n',
    )
    result = project.pytest("suites/data")
    told = "E       TypeError: check mine (suites/data/test_it.py:3) yields a value of type str; "
    assert result.line(told).startswith("it must yield findings: example.finding(kind, evidence)")
    assert "harness/tunegate" not in result.out


def test_a_mistake_that_a_mark_expects_is_no_failure(project: Project) -> None:
    project.write(
        "suites/data/test_it.py",
        "import pytest\nfrom tunegate import ConfigError\n\n"
        "@pytest.mark.xfail(raises=ConfigError, strict=True)\n"
        "def test_x(train):\n    raise ConfigError('expected')\n",
    )
    assert "1 xfailed" in project.pytest("suites/data").out


def test_training_rows_that_were_purged_are_told_in_one_line(trained: Project) -> None:
    for snapshot in (trained.root / ".tunegate" / "snapshots").iterdir():
        snapshot.unlink()
    trained.write("suites/model/test_m.py", "def test_x(trained_on):\n    pass\n")
    result = trained.judge()
    assert len([line for line in result.out.splitlines() if "No such file" in line]) == 1
    assert "harness/tunegate" not in result.out


def test_what_a_subtest_found_can_be_held_by_its_test(kept: Project) -> None:
    body = (
        "def test_x(train, subtests):\n"
        "    with subtests.test('one'):\n        found = odd(train)\n"
        "    assert found.rate <= 0.1\n"
    )
    kept.write("suites/data/test_it.py", CHECKS + body)
    result = kept.pytest("suites/data", "--junitxml=junit.xml")
    passed, not_passed, reason = results(kept)
    assert (result.code, not_passed, reason) == (0, {}, ""), result.out
    assert [outcome["name"] for outcome in passed["test_x"]] == ["odd", "odd rate of train"]
    assert "2 odd in 2 of 20 examples" in (kept.root / "junit.xml").read_text()
