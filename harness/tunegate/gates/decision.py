"""The rule of all gates, open only if all tests passed on the bytes on disk; and the receipt."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from itertools import chain, product
from pathlib import Path
from typing import Any

from ..checking.accepted import ACCEPTED_FILE
from ..config.project import require_suite
from ..config.schema import Config
from ..config.suite_files import project_version
from ..interfaces.installed import project_plugin_files
from ..interfaces.trainer import Plan
from ..results.session_results import SessionResults
from ..session.context import SessionContext
from ..storage.state_dir import Run
from ..utils.files import sha256_file, sha256_json
from ..utils.text import counted
from ..utils.timestamps import timestamp

# Each of these can configure which functions pytest takes for tests.
PYTEST_FILES = (
    *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"),
    *("pyproject.toml", "tox.ini", "setup.cfg"),
)
# Environment variables that would change what the child process collects.
UNTRUSTED_ENV = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONOPTIMIZE")


def suite_fingerprint(suite: Path, root: Path, config: Config) -> dict[str, str]:
    """Return the sha256 of each file that decides what a suite checks, by its path below `root`."""
    parents = [folder for folder in suite.parents if folder == root or root in folder.parents]
    other_files = [folder / "conftest.py" for folder in parents]
    other_files += [root / name for name in ("tunegate.toml", ACCEPTED_FILE, *PYTEST_FILES)]
    other_files += (root / "reviews").glob("*.csv")
    if spec := config.data.row_schema:
        other_files.append(root / spec.rpartition(":")[0])
    for name, table in config.checks.items():
        other_files += table.program(name, root).source_files()
    files = sorted({*suite_files(suite), *(p for p in other_files if p.is_file())})
    names = [path.relative_to(root) if path.is_relative_to(root) else path for path in files]
    return {name.as_posix(): sha256_file(file) for name, file in zip(names, files, strict=True)}


def suite_files(suite: Path) -> Iterator[Path]:
    """Yield the files of a suite; links to folders are followed, as pytest does, each once."""
    seen: set[str] = set()
    for folder, subfolders, names in os.walk(suite, followlinks=True):
        subfolders[:] = [name for name in subfolders if name != "__pycache__"]
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        yield from (path for name in names if (path := Path(folder, name)).is_file())


def installed_versions(*names: str) -> dict[str, str]:
    """Return the versions of Python, the core's distributions and those named, if installed."""
    installed = {"python": platform.python_version()}
    for name in ("tunegate", "pytest", "pandas", "rapidfuzz", *names):
        with suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return installed


class CollectionFailed(Exception):
    """The suite could not be listed; the message is the last error that pytest printed."""


@dataclass(frozen=True, slots=True)
class CollectedSuite:
    """The node ids of a suite's tests."""

    tests: list[str]
    removed: list[str] = field(default_factory=list)  # those that a conftest or plugin took out
    skipped: list[str] = field(default_factory=list)  # files that skipped themselves, unknown tests
    untested: list[str] = field(default_factory=list)  # sentences on what seems a test, and is none


def collect_suite(suite: Path, root: Path, options: Sequence[str] = ()) -> CollectedSuite:
    """List the tests of a suite by `pytest --collect-only` in a child process.

    It gets no option of the session, nor `addopts`: `-k` would hide tests. Raises CollectionFailed.
    """
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "inventory.json"
        command = [
            *(sys.executable, "-m", "pytest", str(suite), "--collect-only", "-q"),
            *("-o", "addopts=", "-p", "no:cacheprovider", "-p", "tunegate"),
            *(f"--inventory={listing}", *options),
        ]
        env = {k: v for k, v in os.environ.items() if k not in UNTRUSTED_ENV}
        child = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
        # 5 means that no test was collected: `Gate.evaluate` reports that in its own words.
        if child.returncode in (0, 5) and listing.exists():
            return CollectedSuite(**json.loads(listing.read_text("utf-8")))
    lines = [line.strip() for line in (child.stdout + child.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    raise CollectionFailed((errors or lines or ["it printed nothing"])[-1].removeprefix("ERROR: "))


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Why a gate is closed, "" where it is open, and the sha256 of each data file at that time."""

    reason: str = ""
    collected: CollectedSuite = field(default_factory=lambda: CollectedSuite([]))
    digests: dict[str, str] = field(default_factory=dict)


class Gate:
    """The gate of one session: its suite, and the digests of its files before the first test."""

    def __init__(self, session: SessionContext, configured: str, option: str) -> None:
        self.session = session
        self.suite = require_suite(session.suite, session.root, configured, option)
        self.fingerprint = partial(suite_fingerprint, self.suite, session.root, session.config)
        self.suite_files = self.fingerprint()

    def evaluate(
        self, exit_status: int, required: Sequence[str], needed: Mapping[Any, str], model: str = ""
    ) -> GateDecision:
        """Decide from the results of the session whether the gate is open.

        The suite is listed anew, in a child process: the command line, an environment variable or a
        plugin of this session can leave tests out, and then a gate may not open. The `exit_status`
        of pytest can close the gate and never opens it. A passed test must have used each of the
        `required` splits, or "predictions", and these must be of the `model` with this digest.
        `needed`: check or score, and split, that passed tests must have, with what to say of none.
        """
        session, results = self.session, self.session.results
        options = [f"--{split}-data={path}" for split, path in session.splits.paths.items()]
        # A data file outside the project, named on the command line, would change pytest's rootdir,
        # to which all node ids are relative.
        options += [f"--rootdir={session.rootdir}", f"--import-mode={session.import_mode}"]
        try:
            collected = collect_suite(self.suite, session.root, options)
        except CollectionFailed as error:
            return GateDecision(failed_tests(results) or f"the suite could not be listed: {error}")
        digests = session.splits.current_digests()
        reasons = self._reasons(collected, exit_status, {**digests, "predictions": model}, required)
        ran = {(o.get("name"), o.get("split")) for o in chain(*results.passed.values())}
        lacking = (f"{said} of `tunegate init`" for key, said in needed.items() if key not in ran)
        return GateDecision(next(filter(None, chain(reasons, lacking)), ""), collected, digests)

    def _reasons(
        self, collected: CollectedSuite, exit_status: int, digests: Mapping[str, str],
        required: Sequence[str],
    ) -> Iterator[str]:  # fmt: skip
        """Yield what keeps the gate closed, the first thing to tell first; "" is none."""
        results = self.session.results
        yield failed_tests(results)
        yield from results.false_reports()
        yield results.ignored_findings()
        if collected.skipped:  # the tests of such a file are not known
            yield f"{abbreviate(collected.skipped)} skipped itself while it was imported"
        if not collected.tests:
            yield "the suite holds no test"
        if untested := collected.untested:
            more = f" (and {len(untested) - 1} more like this)" if len(untested) > 1 else ""
            yield f"{untested[0]}{more}"
        if missing := [nodeid for nodeid in collected.tests if nodeid not in results.passed]:
            n, absent = len(collected.tests), abbreviate(missing)
            yield f"{n - len(missing)} of {counted(n, 'test')} passed; {absent} did not run"
        if exit_status:
            yield f"every test passed, but pytest ended with exit status {int(exit_status)}"
        if self.fingerprint() != self.suite_files:
            yield "the suite or its configuration changed while it ran; run again"
        if changed := self.session.environment.changed_files():
            yield f"{abbreviate(changed)} changed while the suite ran; run again"
        for split in required:
            if not (used := {digest for name, digest in results.digests if name == split}):
                subject = "predictions" if split == "predictions" else f"{split} data"
                yield f"no test of the suite looked at the {subject}"
            elif used != {digests[split]}:
                yield f"the {split} data changed while it was being checked; run again"

    def needed_of_data(self) -> dict[tuple[str, str], str]:
        """Return, for `evaluate`, what the configuration says that a data suite must have run."""
        config = self.session.config
        held = {name: (f"[checks.{name}]", "programs") for name in config.checks}
        held |= {"schema": ("data.schema", "schema")} if config.data.row_schema else {}
        return {
            (name, split): f"no test ran {what} on {split}: see suites/data/test_{file}.py"
            for (name, (what, file)), split in product(held.items(), self.session.splits.paths)
        }

    def notes(self, decision: GateDecision) -> Iterator[str]:
        """Yield what a reader of an open gate should know: what was left out, or not judged."""
        session, removed = self.session, decision.collected.removed
        if removed:
            left_out = f"{len(removed)} left out by a conftest: {abbreviate(removed)}"
            yield f"{left_out}; in the receipt too"
        if unjudged := session.results.unjudged():
            yield f"no check and no score in {len(unjudged)} of them: {abbreviate(unjudged)}"
        if others := session.environment.outsiders(session.root, self.suite_files):
            yield f"loaded from outside of the suite: {abbreviate(others)}"

    def start_run(self, run: Run, plan: Plan, decision: GateDecision) -> None:
        """Write intent and sealed receipt, with which a run may be trained."""
        run.write_intent(plan, project_plugin_files(self.session.plugin_manager))
        receipt = self.receipt(run.id, decision, plan.config)
        receipt["intent"] = sha256_json(run.intent)
        run.state.write_sealed(run.folder / "receipt.json", receipt)

    def receipt(
        self, run: str, decision: GateDecision, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return which bytes passed which tests, under which limits, and who took part.

        `verdict`, a digest, is the same wherever the same suite passed on the same data.
        """
        session, suites = self.session, project_version(self.session.root)
        version = {"tunegate": suites.tunegate, "digest": suites.digest} if suites else {}
        data: dict[str, Any] = {}
        for split, digest in decision.digests.items():
            path, n = str(session.splits.paths[split]), len(session.splits.get(split))
            data[split] = {"path": path, "digest": digest, "n": n}
        receipt = {
            "run": run, "made": timestamp("seconds"), "data": data, "config": dict(settings),
            "suite": {"path": str(self.suite), "files": self.suite_files, "version": version},
            "tests": {n: session.results.passed[n] for n in decision.collected.tests},
            "unjudged": session.results.unjudged(), "removed": decision.collected.removed,
            "accepted": session.seen.to_receipt(session.accepted),
            "limits": session.config.limits.model_dump(),
            "versions": installed_versions("torch", "transformers", "peft", "bitsandbytes"),
            "environment": session.environment.to_dict(session.root),
        }  # fmt: skip
        return {**receipt, "verdict": verdict_digest(receipt)}


def verdict_digest(receipt: Mapping[str, Any]) -> str:
    """Return the digest of data, suite, configuration, tests and judgements of a receipt."""
    judged = {key: receipt[key] for key in ("tests", "removed", "accepted", "limits", "config")}
    data = {split: values["digest"] for split, values in receipt["data"].items()}
    return sha256_json({**judged, "data": data, "suite": receipt["suite"]["files"]})


def failed_tests(results: SessionResults) -> str:
    """Count what kept tests from passing, by kind, and name the first of them; "" for none."""
    if not results.not_passed:
        return ""
    counts = ", ".join(f"{n} {kind}" for kind, n in Counter(results.not_passed.values()).items())
    more = " ..." if len(results.not_passed) > 1 else ""
    return f"{counts}: {next(iter(results.not_passed))}{more}"


def abbreviate(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
