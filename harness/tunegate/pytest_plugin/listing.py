"""Lists the tests of a suite under `--inventory`, and what is written as a test and is none."""

import argparse
import ast
import json
import os
import shlex
import warnings
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ..gates.decision import CollectedSuite, suite_files

TEST_FILES = ("test_*.py", "*_test.py")  # each holds a test, whatever `python_files` says


class SuiteListing:
    """The hooks that list a suite under `--inventory`; `unlisted` runs under an option alone."""

    def __init__(self, path: Path, suite: Path | None, unlisted: str) -> None:
        self.path, self.suite, self.unlisted = path, suite, unlisted
        self.collected, self.ids = CollectedSuite([]), list[str]()
        self.collected_files, self.files_with_tests = set[Path](), set[Path]()

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Collect the doctests that the ini file asks for, since `addopts` is emptied here."""
        from _pytest.config.findpaths import load_config_dict_from_file

        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--doctest-modules", action="store_true")
        parser.add_argument("--doctest-glob", action="append", default=[])
        config = session.config
        values = load_config_dict_from_file(config.inipath) if config.inipath else None
        addopts: Any = values["addopts"].value if values and "addopts" in values else []
        words = shlex.split(addopts) if isinstance(addopts, str) else map(str, addopts)
        wanted, option = parser.parse_known_args([*words])[0], config.option
        option.doctestmodules, option.doctestglob = wanted.doctest_modules, wanted.doctest_glob

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Note each file that is collected, and classes and functions that pytest leaves out."""
        self.collected_files.add(collector.path)
        with warnings.catch_warnings(record=True) as log:
            warnings.simplefilter("always", pytest.PytestCollectionWarning)
            report = yield
        for warning in log:
            if issubclass(warning.category, pytest.PytestCollectionWarning):
                message = str(warning.message).partition(" (from: ")[0]
                self.collected.untested.append(f"{collector.nodeid.partition('::')[0]}: {message}")
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that skips itself: its tests are in no list."""
        if report.skipped:
            self.collected.skipped.append(report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the collected tests as JSON, and the test files that yielded none."""
        collected, config = self.collected, session.config
        suite, patterns = self.suite, (*TEST_FILES, *config.getini("python_files"))
        if suite is not None:
            collected.untested.extend(asserted_tuples(suite, config.rootpath))
        for path in suite_modules(suite) if suite else ():
            name = os.path.relpath(path, config.rootpath)
            is_test_file = any(map(path.match, patterns))
            if not is_test_file or (path.parent == suite and path.name == self.unlisted):
                continue
            if path not in self.collected_files:
                why = "was not collected: collect_ignore, norecursedirs or a plugin leaves it out"
                collected.untested.append(f"{name} {why}")
            elif path not in self.files_with_tests and any(map(path.match, TEST_FILES)):
                named = any(text.startswith(name) for text in collected.untested)
                collected.untested.extend([] if named else [f"{name} holds no test"])
        collected.tests[:] = [item.nodeid for item in session.items]
        collected.removed.extend(n for n in self.ids if n not in set(collected.tests))
        self.path.write_text(json.dumps(asdict(collected)), "utf-8")


def suite_modules(suite: Path) -> list[Path]:
    """Return the Python files of a suite, sorted, without those of hidden folders."""
    files = sorted(path for path in suite_files(suite) if path.suffix == ".py")
    return [f for f in files if not any(p.startswith(".") for p in f.relative_to(suite).parts)]


def asserted_tuples(suite: Path, rootdir: Path) -> list[str]:
    """Name each asserted tuple, which always holds; pytest warns only when it compiles a file."""
    return [
        f"{os.path.relpath(path, rootdir)}, line {node.lineno}: an asserted tuple always holds; "
        "write `assert condition, message` without parentheses"
        for path in suite_modules(suite)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple) and node.test.elts
    ]
