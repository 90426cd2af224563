"""What a failed gate looks like: the face of the product, at 80 columns."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Project, Result

FINDINGS = """\
_______________________________ test_rows[train] _______________________________

dataset = <train: 22 examples, DIGEST>

    def test_rows(dataset):
>       assert not find(dataset)
E       assert not <test_it: 2 bad in 2 of 22 examples of train>
E        +  where <test_it: 2 bad in 2 of 22 examples of train> = find(<train: 22 examples, DIGEST>)

suites/data/test_it.py:10: AssertionError
----------------------- test_it: 2 in train, train.jsonl -----------------------
   line  kind  evidence
     21  bad   a bad thing
     22  bad   another bad thing, told at such length that it does not fit into
               one line of eighty columns
known, and right as it is? -v shows ids: tunegate accept ID --why "..."
=========================== short test summary info ============================
FAILED suites/data/test_it.py::test_rows[train] - assert not <test_it: 2 bad ...
"""

SUITE = """\
from tunegate import Finding, Findings
from tunegate import proportion

def test_accuracy():
    misses = Findings("accuracy", [Finding(2, 3, "b for a", "a late parcel")], split="test")
    accuracy = proportion("accuracy", 447, 500, misses=misses)
    assert accuracy >= 0.95

def test_both():
    one, other = proportion("one", 9, 10), proportion("other", 1, 10)
    assert one >= 0.5 and other >= 0.5
"""

ACCURACY = """\
________________________________ test_accuracy _________________________________

    def test_accuracy():
        misses = Findings("accuracy", [Finding(2, 3, "b for a", "a late parcel")], split="test")
        accuracy = proportion("accuracy", 447, 500, misses=misses)
>       assert accuracy >= 0.95
E       assert accuracy 89.4% >= 95%
E         447 of 500, 95 % interval 86.4% to 91.8%; 28 more must be right

suites/model/test_m.py:7: AssertionError
----------------------------- accuracy: 1 in test ------------------------------
   line  kind     evidence
      3  b for a  a late parcel
__________________________________ test_both ___________________________________
"""

LONG = "another bad thing, told at such length that it does not fit into one line of eighty columns"


@pytest.fixture
def dirty(project: Project, example_row: Callable[[str, str], str]) -> Project:
    """A project with two bad rows."""
    project.add("train.jsonl", example_row("a bad thing", "a") + example_row(LONG, "a"))
    return project


def tidy(result: Result) -> str:
    """Return what was printed, digests aside."""
    return re.sub(r"[0-9a-f]{12}>", "DIGEST>", result.out)


def table(text: str) -> str:
    """Return the table of findings, its heading aside."""
    return text[text.index("   line  kind") :].partition("\nknown,")[0].rstrip()


def test_findings(dirty: Project) -> None:
    printed = tidy(dirty.pytest("suites/data"))
    assert FINDINGS in printed
    assert "accuracy" not in printed


@pytest.mark.parametrize("args", [("--show-capture=no",), ("-n", "2"), ("--tb=short",)], ids=str)
def test_the_table_is_always_there(dirty: Project, args: tuple[str, ...]) -> None:
    assert table(dirty.pytest("suites/data", *args).out) == table(FINDINGS)


VERBOSE = """\
   line  kind  id            evidence
     21  bad   0123456789ab  a bad thing
     22  bad   0123456789ab  another bad thing, told at such length that it does
                             not fit into one line of eighty columns
known, and right as it is? an id above: tunegate accept ID --why "..."
"""


def test_ids(dirty: Project) -> None:
    printed = dirty.pytest("suites/data", "-sv").out
    assert VERBOSE in re.sub(r"\b[0-9a-f]{12}  ", "0123456789ab  ", printed)


def test_more_of_it(dirty: Project, example_row: Callable[[str, str], str]) -> None:
    dirty.add("train.jsonl", example_row("bad", "a") * 60)
    quiet = dirty.pytest("suites/data").out
    assert "         57 more like these; -v shows more, -vv all" in quiet
    more = dirty.pytest("suites/data", "-v").out
    assert "         12 more like these; -v shows more, -vv all" in more
    assert " more; " not in dirty.pytest("suites/data", "-vv").out


def test_junit(dirty: Project) -> None:
    attribute = "import test_it\n\ndef test_more(train): assert not test_it.find(train)\n"
    dirty.write("suites/data/test_more.py", attribute)
    dirty.pytest("suites/data", "--junitxml=out.xml", "--color=yes")
    text = (dirty.root / "out.xml").read_text()
    failure, of_attribute = ElementTree.fromstring(text).iter("failure")
    assert table(FINDINGS) in (failure.text or "")
    assert "where find = test_it.find" in of_attribute.get("message", "")
    assert "\x1b" not in text
    assert "#x1B" not in text


def test_colour(dirty: Project) -> None:
    printed = dirty.pytest("suites/data", "--color=yes").out
    assert "\x1b[1m   line  kind  evidence\x1b[0m\n\x1b[36m     21\x1b[0m" in printed
    assert table(re.sub(r"\x1b\[[0-9;]*m", "", printed)) == table(FINDINGS)


def test_scores(trained: Project) -> None:
    trained.write("suites/model/test_m.py", SUITE)
    printed = trained.judge().out
    assert ACCURACY in printed
    assert "E       assert (one" in printed
    assert "other 10.0% >= 50%" in printed
    assert "one 90.0% >= " not in printed  # it held: nothing to explain
    assert printed.count("b for a  a late parcel") == 1
    assert max(len(line) for line in printed.splitlines() if line[:1] not in " E") <= 80


def test_a_table_that_two_tests_have_stands_under_the_first(trained: Project) -> None:
    again = SUITE.replace("test_accuracy", "test_macro_f1").replace('"accuracy", 447', '"f1", 447')
    trained.write("suites/model/test_m.py", SUITE)
    trained.write("suites/model/test_n.py", again)
    printed = trained.judge().out
    assert printed.count("b for a  a late parcel") == 1
    assert "as under suites/model/test_m.py::test_accuracy" in printed


def test_a_table_that_is_not_printed_is_not_pointed_to(trained: Project) -> None:
    again = SUITE.replace("test_accuracy", "test_macro_f1").replace('"accuracy", 447', '"f1", 447')
    expected = "import pytest\npytestmark = pytest.mark.xfail\n"
    trained.write("suites/model/test_m.py", expected + SUITE)
    trained.write("suites/model/test_n.py", again)
    printed = trained.judge().out
    assert printed.count("b for a  a late parcel") == 1
    assert "as under" not in printed


def test_what_held(trained: Project) -> None:
    printed = trained.judge().out
    assert (
        dedent("""
        ==================================== scores ====================================
        score      value   95 % interval   limit  n
        accuracy  100.0%  61.0% - 100.0%  >= 95%  6
        """)
        in printed
    )


def test_unmeasurable(trained: Project) -> None:
    score = "proportion('accuracy', 470, 500, errors=10)"
    trained.write(
        "suites/model/test_m.py",
        f"from tunegate import proportion\ndef test_x():\n    assert {score} >= 0.95\n",
    )
    result = trained.judge()
    assert result.code == 75
    assert (
        dedent("""
        E       tunegate.Unmeasurable: accuracy >= 95% is unmeasurable
        E       10 of 500 answers could not be had: 94.0% with all of them wrong, 96.0% right
        E       run again: only the missing answers are asked for

        suites/model/test_m.py:3: Unmeasurable
        """)
        in result.out
    )
    assert "score.py" not in result.out


def test_v_shows_ids_where_addopts_are_quiet(dirty: Project) -> None:
    dirty.write("pytest.ini", "[pytest]\naddopts = -q\n")
    printed = dirty.pytest("suites/data", "-v").out
    assert VERBOSE in re.sub(r"\b[0-9a-f]{12}  ", "0123456789ab  ", printed)
