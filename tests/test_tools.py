"""The scripts of tools/: what they count in small trees, and which faults they show."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import mutate  # noqa: E402
import stories  # noqa: E402
import structure  # noqa: E402

CLAMP = """\
def clamp(x: int, top: int = 9) -> int:
    if x > top:
        return top
    return x
"""


def write(root: Path, **files: str) -> None:
    """Write files; two underscores in a name stand for a slash."""
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("a < b", "(a <= b)"),
        ("a and b", "(a or b)"),
        ("a + b", "(a - b)"),
        ("not a", "(a)"),
        ("x = 41", "x = 42"),
        ("f(a, k=b)", "(f(a))"),
        ("del a; f()", "del a; pass"),
        ("é = [a, not b]", "é = [a, (b)]"),
        ("def f():\n    return (\n        a)", "def f():\n    return None"),
    ],
)
def test_a_fault_changes_one_place(code: str, after: str) -> None:
    assert after in [fault.planted(code) for fault in mutate.faults(Path("m.py"), code)]


def test_a_fault_is_shown_with_what_differs() -> None:
    call = "a_function(with_one, with_another, and_a_third, n=1, name=2)"
    shown = [str(fault) for fault in mutate.faults(Path("m.py"), f"x = {call}")]
    assert shown == [
        "m.py:1  ...ther, and_a_third, n=1, name=2) -> ...ther, and_a_third, name=2))",
        "m.py:1  ...er, and_a_third, n=1, name=2) -> ...er, and_a_third, n=1))",
        "m.py:1  1 -> 2",
        "m.py:1  2 -> 3",
    ]


def test_annotations_docstrings_and_formats_are_left_alone() -> None:
    code = 'def f(x: "L[1 + 1]") -> "1":\n    """Doc."""\n    f"{x:{2}}"'
    assert [fault.after for fault in mutate.faults(Path("m.py"), code)] == ["pass"]


def test_the_guard_of_zip_is_left_alone() -> None:
    assert list(mutate.faults(Path("m.py"), "x = zip(a, b, strict=True)")) == []


def test_a_tested_fault_is_seen_and_an_untested_one_is_not(tmp_path: Path) -> None:
    write(tmp_path, harness__m=CLAMP)
    write(tmp_path, test_m="import m\n\ndef test():\n    assert m.clamp(10) == 9\n")
    found = list(mutate.mutate(tmp_path, [Path("harness/m.py")], ["test_m.py"], 9, 0))
    outcomes = {f"{fault.before} -> {fault.after}": seen for fault, seen in found}
    # `return x` is not executed: nothing is planted there.
    assert outcomes == {
        "9 -> 10": True,
        "x > top -> (x >= top)": False,
        "return top -> return None": True,
    }
    assert (tmp_path / "harness" / "m.py").read_text("utf-8") == CLAMP


CACHED = """\
from functools import cache

@cache
def table():
    return [len("ab")]
"""


def test_a_fault_is_shown_to_all_where_the_tests_of_its_line_pass(tmp_path: Path) -> None:
    write(tmp_path, harness__m=CACHED)
    first = "import m\n\ndef test_first():\n    m.table()\n\n"
    write(tmp_path, test_m=f"{first}def test_next():\n    assert m.table() == [2]\n")
    ((fault, seen),) = mutate.mutate(tmp_path, [Path("harness/m.py")], ["test_m.py"], 9, 0)
    assert (fault.after, seen) == ("return None", True)  # only the first test executes the line


def test_what_a_test_starts_is_traced_and_slow_tests_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, harness__m=CLAMP.replace("return x", "return [x][0]"))
    child = "subprocess.run([sys.executable, '-c', 'import m; assert m.clamp(1) == 1'], check=True)"
    slow = "@pytest.mark.slow\ndef test_slow():\n    assert False\n"
    text = f"import subprocess, sys\nimport pytest\n\ndef test():\n    {child}\n\n{slow}"
    write(tmp_path, test_m=text)
    found = list(mutate.mutate(tmp_path, [Path("harness/m.py")], ["test_m.py"], 9, 1))
    assert {f"{f.before} -> {f.after}": seen for f, seen in found} == {
        "9 -> 10": False,
        "x > top -> (x >= top)": False,
        "return [x][0] -> return None": True,
        "0 -> 1": True,
    }


def test_tests_that_fail_without_a_fault_are_said(tmp_path: Path) -> None:
    write(tmp_path, harness__m=CLAMP, test_m="def test():\n    assert False\n")
    with pytest.raises(SystemExit, match=r"test_m\.py: fails without a fault"):
        list(mutate.mutate(tmp_path, [Path("harness/m.py")], ["test_m.py"], 9, 0))


def test_functions_are_counted_at_their_first_call(tmp_path: Path) -> None:
    write(
        tmp_path, harness__a="import b\n\nclass A:\n    def f(self):\n        b.g()\n        h()\n"
    )
    with (tmp_path / "harness" / "a.py").open("a") as file:
        file.write("\ndef h():\n    return [b.g() for _ in range(3)]\n\ndef never(): ...\n")
    write(tmp_path, checks__b="def g():\n    return (lambda: 1)()\n")
    child = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import b; b.g()'])\n"
    write(tmp_path, main=f"import a\na.A().f()\n{child}")
    first, second = stories.run(["main.py"], tmp_path, tmp_path)
    assert first.functions == [
        ("harness/a.py", "A.f:4"),
        ("checks/b.py", "g:1"),
        ("harness/a.py", "h:8"),
    ]
    assert (first.files, first.hops) == (2, 2)
    assert second.functions == [("checks/b.py", "g:1")]


def test_a_story_that_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="exit status 3, not 0"):
        stories.run(["-c", "raise SystemExit(3)"], tmp_path, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> list[structure.Source]:
    write(
        tmp_path,
        harness__core__a="from .b import B\n\ndef _once(): ...\n\n_once()\n",
        harness__core__b="def f():\n    from core import a\n\ndef _two(): ...\n\n_two(_two())\n",
        checks__own__x__a="from ..y import z\n",
        checks__own__y__z="import typing\nif typing. TYPE_CHECKING:\n    import own.x.a\n",
    )
    return structure.read(tmp_path)


def test_private_functions_and_sizes(tree: list[structure.Source]) -> None:
    assert structure.private(tree) == (2, 1, 1)
    lines = list(structure.report(tree))
    assert "files               4" in lines
    assert "functions           3" in lines
    assert lines[lines.index("file names that stand twice: 1") + 1] == "  a.py 2"


def test_circles_at_run_time_and_with_types(tree: list[structure.Source]) -> None:
    at_run_time = structure.circles(structure.file_graph(tree, typing=False))
    assert at_run_time == [["core.a", "core.b"]]
    with_types = structure.circles(structure.package_graph(tree, typing=True))
    assert with_types == [["core.a", "core.b"], ["own.x", "own.y"]]
