"""Every way round the gate that somebody might take, on purpose or not: nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.mark import ParameterSet
    from conftest import Project, Result

NONE_RAN = "0 of 4 tests passed; suites/data/test_it.py::test_rows[train] and 3 more"
MORE = "suites/data/test_more.py"


@dataclass(frozen=True)
class Way:
    """One way round: what is added to the command or the files, and the reason that is given."""

    name: str
    why: str
    args: str = ""
    more: str = ""  # another test file of the suite
    conftest: str = ""  # added to the project's conftest
    env: dict[str, str] = field(default_factory=dict)
    code: int = 1
    slow: bool = False  # a near relation of another one
    crash: bool = False  # under xdist it takes its worker down

    def __str__(self) -> str:
        return self.name


# What the command line can leave out, and pytest calls a success.
COMMANDS = [
    Way("collect-only", NONE_RAN, "--collect-only"),
    Way("setup-plan", NONE_RAN, "--setup-plan"),
    Way("setup-only", NONE_RAN, "--setup-only", slow=True),
    Way("fixtures", NONE_RAN, "--fixtures"),
    Way("k", "3 of 4 tests passed; suites/data/test_it.py::test_size", "-k rows"),
    Way("k-nothing", NONE_RAN, "-k nothing", code=5, slow=True),
    Way("m", NONE_RAN, "-m slow", code=5, slow=True),
    Way(
        "deselect",
        "test_it.py::test_size did not run",
        "--deselect suites/data/test_it.py::test_size",
    ),
    Way("ignore", "test_more.py::test_x did not run", f"--ignore {MORE}", "def test_x(): pass"),
    Way(
        "ignore-glob",
        "test_more.py::test_x did not run",
        "--ignore-glob *more*",
        "def test_x(): pass",
        slow=True,
    ),
    Way("python-files", NONE_RAN, "-o python_files=check_*.py", code=5),
    Way("python-functions", "3 of 4 tests", "-o python_functions=test_rows"),
    Way("addopts", "3 of 4 tests", env={"PYTEST_ADDOPTS": "-k rows"}),
    Way("addopts-ini", "3 of 4 tests", "-o addopts=-krows", slow=True),
    Way("last-failed-none", NONE_RAN, "--lf --lfnf=none", code=5, slow=True),
    Way("maxfail", "1 failed: suites/data/test_a.py::test_no", "--maxfail=1"),
    Way("no-python", NONE_RAN, "-p no:python", code=5, slow=True),
]

# What a test or a fixture can do that is not a pass.
OUTCOMES = [
    Way("failed", "1 failed: suites/data/test_more.py::test_x", more="def test_x(): assert 0"),
    Way("skip", "1 skipped: ", more="def test_x(): pytest.skip('later')"),
    Way("skip-mark", "1 skipped: ", more="@pytest.mark.skip\ndef test_x(): pass", slow=True),
    Way(
        "skip-module",
        "test_more.py skipped itself",
        more="pytest.skip('no', allow_module_level=True)",
    ),
    Way("xfail", "1 xfailed: ", more="@pytest.mark.xfail\ndef test_x(): assert 0"),
    Way("xfail-strict", "1 failed: ", more="@pytest.mark.xfail(strict=True)\ndef test_x(): pass"),
    Way("xfail-called", "1 xfailed: ", more="def test_x(): pytest.xfail('known')", slow=True),
    Way("xpass", "1 xpassed: ", more="@pytest.mark.xfail\ndef test_x(): pass"),
    Way(
        "setup-error",
        "1 error in setup: ",
        more="@pytest.fixture\ndef f(): 1/0\ndef test_x(f): pass",
    ),
    Way(
        "teardown-error",
        "1 error in teardown: ",
        more="@pytest.fixture\ndef f():\n yield\n 1/0\ndef test_x(f): pass",
    ),
    Way("import-error", "the suite could not be listed", more="import nothing_of_the_kind", code=2),
    Way("subtest", "1 failed: ", more="def test_x(subtests):\n with subtests.test('s'): assert 0"),
    Way("exit", "did not run", more="def test_x(): pytest.exit('enough')", code=2, crash=True),
    Way("exit-0", "did not run", more="def test_x(): pytest.exit('enough', 0)", code=1, slow=True),
    Way("ctrl-c", "did not run", more="def test_x(): raise KeyboardInterrupt", code=2, crash=True),
    Way(
        "edited-data",
        "the train data changed while it was being checked",
        more="def test_x(train): open(train.path, 'a').write('\\n')",
    ),
    Way(
        "edited-suite",
        "the suite or its configuration changed while it ran",
        more="def test_x(): open(__file__, 'a').write('#')",
    ),
    Way(
        "edited-limits",
        "the suite or its configuration changed while it ran",
        more="def test_x(project_root): open(project_root/'tunegate.toml', 'a').write('#')",
        slow=True,
    ),
    Way(
        "new-suite-file",
        "test_later.py::test_y did not run",
        more="LATER = Path(__file__).with_name('test_later.py')\n"
        "def test_x(): LATER.write_text('def test_y(): pass')",
    ),
]

RERUN = """
from _pytest.runner import runtestprotocol
def pytest_runtest_protocol(item, nextitem):
    if item.name == "test_size":
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            report.outcome = "rerun" if report.when == "call" else report.outcome
            item.ihook.pytest_runtest_logreport(report=report)
        runtestprotocol(item, nextitem=nextitem)
        return True
"""

# What a conftest or plugin can do.
PLUGINS = [
    Way("logfinish", "did not run", conftest="def pytest_runtest_logfinish(): 1/0", code=3),
    Way(
        "sessionfinish",
        "1 ZeroDivisionError raised: pytest_sessionfinish",
        conftest="def pytest_sessionfinish(): 1/0",
    ),
    Way(
        "sessionfinish-exit",
        "1 Exit raised: pytest_sessionfinish",
        conftest="def pytest_sessionfinish(): pytest.exit('bye')",
    ),
    Way(
        "sessionfinish-exit-0",
        "1 Exit raised: pytest_sessionfinish",
        conftest="def pytest_sessionfinish(): pytest.exit('bye', 0)",
        slow=True,
    ),
    Way(
        "exit-status",
        "pytest ended with exit status 6",
        conftest="def pytest_sessionfinish(session):\n"
        " if not session.config.option.collectonly: session.exitstatus = 6",
        code=6,
    ),
    Way("reruns", "1 rerun: suites/data/test_it.py::test_size", conftest=RERUN),
]

UNDER_XDIST_TOO = {"k", "failed", "edited-data"}  # in `make test`; the others in `make test-slow`


def closed(project: Project, way: Way, *args: str) -> Result:
    """Take the way, and see that it leads nowhere."""
    if way.name == "maxfail":
        project.write("suites/data/test_a.py", "def test_no(): assert 0")
    if way.more:
        project.write(MORE, "import pytest\nfrom pathlib import Path\n" + way.more)
    project.add("conftest.py", way.conftest)
    command = ["suites/data", "--train-with", "toy", *way.args.split(), *args]
    result = project.pytest(*command, env=way.env)
    assert "run.json" not in str(project.left("*")), result.out
    assert not project.left("receipt.json"), result.out
    assert way.why in result.line("gate      closed, nothing was trained:"), result.out
    return result


def params(fast: Callable[[Way], bool]) -> list[ParameterSet]:
    """Return the table as pytest takes it, the ways that are not fast marked as slow."""
    return [
        pytest.param(way, id=way.name, marks=() if fast(way) else pytest.mark.slow)
        for way in COMMANDS + OUTCOMES + PLUGINS
    ]


@pytest.mark.parametrize("way", params(lambda way: not way.slow))
def test_closed(project: Project, way: Way) -> None:
    assert closed(project, way).code == way.code


@pytest.mark.parametrize("way", params(lambda way: way.name in UNDER_XDIST_TOO))
def test_closed_under_xdist(project: Project, way: Way) -> None:
    if way.crash:
        way = replace(way, why="1 crashed: suites/data/test_more.py::test_x")
    assert closed(project, way, "-n", "2").code != 0
