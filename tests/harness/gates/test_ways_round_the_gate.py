"""Every way round the gate that somebody might take, on purpose or not: nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.mark import ParameterSet
    from conftest import Project, Result

SPLITS = ("train", "validation", "test")
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
    files: dict[str, str] = field(default_factory=dict)
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
    Way("ctrl-c", "did not run", "", "def test_x(): raise KeyboardInterrupt", code=130, crash=True),
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

FAILED = "1 failed: suites/data/test_more.py::test_x"
FAILS = "def test_x(): assert 0"
QUIET = "-W ignore -p no:warnings"
THREAD = (
    "import threading\ndef test_x():\n"
    " t = threading.Thread(target=int, args='x')\n t.start()\n t.join()"
)
UNITTEST = "import unittest\nclass T(unittest.TestCase):\n "

# What is written as a test and tests nothing.
NO_TESTS = [
    Way("returned", FAILED, more="def test_x(): return False"),
    Way(
        "returned-quiet",
        FAILED,
        QUIET,
        "import warnings\n@pytest.fixture(autouse=True)\ndef f(): warnings.simplefilter('ignore')\n"
        "@pytest.mark.filterwarnings('ignore')\ndef test_x(): return False",
    ),
    Way(
        "returned-unittest",
        "1 failed: suites/data/test_more.py::T::test_x",
        QUIET,
        UNITTEST + "def test_x(self): return False",
        slow=True,
    ),
    Way(
        "async-unittest",
        "1 failed: suites/data/test_more.py::T::test_x",
        more=UNITTEST + "async def test_x(self): assert 0",
    ),
    Way("async", FAILED, more="async def test_x(): assert 0", slow=True),
    Way(
        "returned-quiet-in-the-body",
        FAILED,
        more="import warnings\ndef test_x():\n warnings.simplefilter('ignore')\n return False",
    ),
    Way(
        "async-unittest-quiet-in-the-body",
        "1 failed: suites/data/test_more.py::T::test_x",
        more="import unittest, warnings\nclass T(unittest.IsolatedAsyncioTestCase):\n"
        " async def test_x(self):\n  warnings.simplefilter('ignore')\n  return False",
        slow=True,
    ),
    Way("never-awaited", FAILED, QUIET, "async def f(): assert 0\ndef test_x(): f()"),
    Way("thread", FAILED, QUIET, THREAD),
    Way(
        "asserted-tuple",
        "suites/data/test_more.py, line 3: an asserted tuple always holds; write",
        more="def test_x(): assert (0, 'no')",
    ),
    Way(
        "asserted-tuple-plain",
        "suites/data/test_more.py, line 3: an asserted tuple always holds; write",
        f"--assert=plain {QUIET}",
        "def test_x(): assert (0, 'no')",
        slow=True,
    ),
    Way(
        "class-init",
        "suites/data/test_more.py: cannot collect test class 'TestA' because it has a __init__",
        more="class TestA:\n def __init__(self): 0\n def test_x(self): assert 0",
        files={"pytest.ini": "[pytest]\nfilterwarnings = ignore\n"},
    ),
    Way(
        "class-new",
        "suites/data/test_more.py: cannot collect test class 'TestA' because it has a __new__",
        more="class TestA:\n def __new__(cls): 0\n def test_x(self): assert 0",
        slow=True,
    ),
    Way(
        "callable",
        "suites/data/test_more.py: cannot collect 'test_x' because it is not a function",
        more="class C:\n def __call__(self): assert 0\ntest_x = C()",
        slow=True,
    ),
]

NOT_COLLECTED = "suites/data/hard/test_h.py was not collected: collect_ignore, norecursedirs or"
HARD = {"suites/data/hard/test_h.py": FAILS}

# What the files of the suite show, and its listing does not.
LEFT_OUT = [
    Way(
        "norecursedirs",
        NOT_COLLECTED,
        files={"pytest.ini": "[pytest]\nnorecursedirs = hard\n", **HARD},
    ),
    Way(
        "collect-ignore",
        NOT_COLLECTED,
        conftest="collect_ignore = ['suites/data/hard']",
        files=HARD,
    ),
    Way(
        "ignore-collect",
        NOT_COLLECTED,
        conftest="def pytest_ignore_collect(collection_path):\n"
        " return 'hard' in str(collection_path) or None",
        files=HARD,
        slow=True,
    ),
    Way(
        "usual-norecursedirs",
        "suites/data/build/test_h.py was not collected",
        files={"suites/data/build/test_h.py": FAILS},
        slow=True,
    ),
    Way(
        "python-files-ini",
        "suites/data/test_more.py was not collected",
        more=FAILS,
        files={"pytest.ini": "[pytest]\npython_files = test_it.py\n"},
    ),
    Way(
        "own-python-files",
        "suites/data/hard/check_h.py was not collected",
        files={
            "pytest.ini": "[pytest]\npython_files = test_*.py check_*.py\nnorecursedirs = hard\n",
            "suites/data/hard/check_h.py": FAILS,
        },
        slow=True,
    ),
    Way(
        "doctests",
        "5 of 6 tests passed; suites/data/test_more.py::test_more.f did not run",
        "-o addopts=",
        "def f():\n '''\n >>> 1\n 2\n '''\ndef test_x(): pass",
        files={"pytest.ini": "[pytest]\naddopts = --doctest-modules\n"},
    ),
    Way("no-test", "suites/data/test_more.py holds no test", more="def tset_x(): assert 0"),
    Way(
        "no-test-module",
        "suites/data/test_more.py holds no test",
        more="__test__ = False\n" + FAILS,
        slow=True,
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

CATCHES = """
import pytest
@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    try:
        return (yield)
    except AssertionError:
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
    Way(
        "helper-edited",
        "helper.py changed while the suite ran; run again",
        more="import helper\ndef test_x(): open(helper.__file__, 'a').write('#')",
        files={"helper.py": ""},
        env={"PYTHONPATH": "."},
    ),
    Way(
        "caught-by-a-plugin",
        "suites/data/test_more.py::test_x raised AssertionError; a plugin ran it again, or",
        "-p evil",
        FAILS,
        files={"evil.py": CATCHES},
        env={"PYTHONPATH": "."},
        slow=True,
    ),
    Way(
        "caught-by-a-named-plugin",
        "suites/data/test_more.py::test_x raised AssertionError; a plugin ran it again, or",
        more=FAILS,
        files={"evil.py": CATCHES},
        env={"PYTHONPATH": ".", "PYTEST_PLUGINS": "evil"},
        slow=True,
    ),
    Way("reruns", "1 rerun: suites/data/test_it.py::test_size", conftest=RERUN),
]

UNDER_XDIST_TOO = {
    "k",
    "failed",
    "edited-data",
    "returned",
}  # in `make test`; the others in `make test-slow`


def closed(project: Project, way: Way, *args: str) -> Result:
    """Take the way, and see that it leads nowhere."""
    if way.name == "maxfail":
        project.write("suites/data/test_a.py", "def test_no(): assert 0")
    if way.more:
        project.write(MORE, "import pytest\nfrom pathlib import Path\n" + way.more)
    project.add("conftest.py", way.conftest)
    for name, text in way.files.items():
        project.write(name, text)
    command = ["suites/data", "--train-with", "toy", *way.args.split(), *args]
    result = project.pytest(*command, env=way.env)
    assert "run.json" not in str(project.left("*")), result.out
    assert not project.left("receipt.json"), result.out
    assert way.why in result.line("gate      closed, nothing was trained:"), result.out
    return result


ALL_WAYS = COMMANDS + OUTCOMES + NO_TESTS + LEFT_OUT + PLUGINS


def params(ways: list[Way], fast: Callable[[Way], bool]) -> list[ParameterSet]:
    """Return ways as pytest takes them, those that are not fast marked as slow."""
    return [
        pytest.param(way, id=way.name, marks=() if fast(way) else pytest.mark.slow) for way in ways
    ]


@pytest.mark.parametrize("way", params(ALL_WAYS, lambda way: not way.slow))
def test_closed(project: Project, way: Way) -> None:
    assert closed(project, way).code == way.code


# In processes of xdist one of near relations is tried, and of options those that count tests there.
COUNTED_THERE = {"collect-only", "k", "deselect", "maxfail"}
DISTINCT_WAYS = [
    way for way in ALL_WAYS if not way.slow and (way not in COMMANDS or way.name in COUNTED_THERE)
]


@pytest.mark.parametrize("way", params(DISTINCT_WAYS, lambda way: way.name in UNDER_XDIST_TOO))
def test_closed_under_xdist(project: Project, way: Way) -> None:
    if way.crash:
        way = replace(way, why="1 crashed: suites/data/test_more.py::test_x")
    assert closed(project, way, "-n", "2").code != 0


def test_a_test_that_ends_the_process(project: Project) -> None:
    project.write(MORE, "import os\ndef test_x(): os._exit(0)")
    result = project.gate()
    assert (result.code, project.left("*")) == (1, []), result.out
    assert result.line("gate") == f"closed: os._exit in {MORE}::test_x"


@pytest.mark.slow
def test_a_linked_folder_that_is_edited(project: Project) -> None:
    project.write("shared/test_s.py", "def test_s(): open(__file__, 'a').write('#')")
    (project.root / "suites/data/extra").symlink_to("../../shared")
    assert "the suite or its configuration changed" in project.gate().line("gate")


@pytest.mark.slow
def test_a_conftest_above_the_project(project: Project) -> None:
    inner = project.root / "packages" / "triage"
    inner.mkdir(parents=True)
    for name in ("tunegate.toml", "conftest.py", "suites", *(f"{s}.jsonl" for s in SPLITS)):
        (project.root / name).rename(inner / name)
    project.write("pyproject.toml", "[tool.pytest.ini_options]\n")
    project.write("conftest.py", CATCHES)
    project.root = inner
    project.write(MORE, FAILS)
    said = "test_more.py::test_x raised AssertionError; a plugin ran it again, or reported"
    assert said in project.gate().line("gate")
    project.write(MORE, "def test_x(): pass")
    result = project.gate()
    assert f"loaded from outside of the suite: {inner.parents[1] / 'conftest.py'}" in result.out
    assert str(inner.parents[1] / "conftest.py") in (project.run / "receipt.json").read_text()


@pytest.mark.parametrize("plugin", ["threadexception", "unraisableexception"])
def test_closed_without_the_plugin_that_tells_of_errors(project: Project, plugin: str) -> None:
    result = project.gate("-p", f"no:{plugin}")
    assert (result.code, project.left("*")) == (4, [])
    assert result.line(f"ERROR: gates are refused under -p no:{plugin}:")


def test_what_is_no_way_round(project: Project) -> None:
    """Warnings, helper modules, tests for other tasks and folders of editors close nothing."""
    ini = "[pytest]\npython_files = *.py\naddopts = --import-mode=importlib\n"
    project.write("pytest.ini", ini)
    project.write("suites/data/helper.py", "A = 1")
    for folder in "ab":  # two files of one name
        project.write(f"suites/data/{folder}/test_same.py", "def test_same(): pass")
    project.write("suites/data/.ipynb_checkpoints/test_it-checkpoint.py", FAILS)
    project.write(
        "suites/data/test_other.py", f"import pytest\n@pytest.mark.task('style')\n{FAILS}"
    )
    warns = "def test_x(): warnings.warn('a'); warnings.warn('b', DeprecationWarning)"
    forks = "def test_y():\n child = os.fork()\n child or os._exit(0)\n os.waitpid(child, 0)"
    awaits = "class T(unittest.IsolatedAsyncioTestCase):\n async def test_z(self): pass"
    project.write(MORE, "\n".join(["import os, unittest, warnings", warns, forks, awaits]))
    result = project.gate()
    assert result.code == 0, result.out


SHADOW = "\nimport pytest\n@pytest.fixture\ndef {}(): return []\n"
PLUGIN = (
    "\nimport helper, pytest\ndef pytest_configure(config): config.pluginmanager.register(helper)\n"
)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("dataset", ""),
        ("limits", ""),
        ("pytestconfig", ""),
        ("train", "-n 2"),
        ("train", "-k nothing"),
    ],
)
def test_a_fixture_shadowed_from_outside_of_the_suite(
    project: Project, name: str, args: str
) -> None:
    project.add("conftest.py", SHADOW.format(name))
    result = project.gate(*args.split())
    assert (result.code, project.left("*")) == (4, []), result.out
    line = result.line(f"ERROR: the fixture `{name}` of the suites is defined anew in")
    assert line.startswith(f"{project.root / 'conftest.py'}, outside of the suite: rename it")


def test_a_fixture_shadowed_by_a_plugin(project: Project) -> None:
    project.write("helper.py", SHADOW.format("train"))
    project.add("conftest.py", PLUGIN)
    result = project.pytest("suites/data", env={"PYTHONPATH": "."})
    assert result.code == 4, result.out
    assert str(project.root / "helper.py") in result.line("ERROR: the fixture `train`")


def test_the_suite_itself_may_define_fixtures_anew(project: Project) -> None:
    """Its files are in the receipt, and a fixture that it imports is its own too."""
    project.write("helper.py", SHADOW.format("validation"))
    own = "\nfrom helper import validation\n@pytest.fixture\ndef limits(): return 1\n"
    project.write("suites/data/conftest.py", "import pytest" + own)
    text = "def test_x(limits, validation, train): assert (limits, validation, train) == (1, [], 2)"
    project.write(MORE, f"import pytest\n@pytest.fixture\ndef train(): return 2\n{text}\n")
    result = project.pytest("suites/data", env={"PYTHONPATH": "."})
    assert result.code == 0, result.out


def test_pytest_keeps_its_fixtures_where_we_look(
    pytester: pytest.Pytester, request: pytest.FixtureRequest
) -> None:
    """Its manager of fixtures is private: this fails where a new pytest moves it."""
    from tunegate.pytest_plugin.fixtures import visible_fixtures

    seen = visible_fixtures(request.node)
    assert [d.argname for d in seen["pytestconfig"]] == ["pytestconfig"]
    assert {"dataset", "train", "limits", "predictions", "baseline", "trained_on"} <= seen.keys()
    assert [d.func.__module__ for d in seen["train"]] == ["tunegate.pytest_plugin.fixtures"]
