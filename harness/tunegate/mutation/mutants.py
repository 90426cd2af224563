"""Runs the suites of a project on rows with one planted fault each, in copies of it."""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from ..config.data_files import find_data_files
from ..config.project import read_table
from ..config.schema import load
from ..data.hf_datasets import to_json_lines
from ..errors import ConfigError
from ..gates.decision import UNTRUSTED_ENV, installed_versions, suite_fingerprint
from ..storage.state_dir import StateDir
from ..utils.atomic import atomic_write
from ..utils.hashing import sha256_file, sha256_json
from ..utils.processes import WORKERS_VARIABLE
from ..utils.text import toml_string
from .faults import ANSWERS, Fault, Rows, plant

NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "venv", "registry.jsonl")
LARGEST_COPY = 4_000_000  # bytes: weights of models are linked
CAUGHT, MISSED, NOT_APPLICABLE, NOT_RUN = "caught", "MISSED", "not applicable", "not run"
RECORDER = "tunegate.pytest_plugin.record_session"
LYING_JUDGE, JUDGE_MODULE = "lying-judge", "tunegate_lying_judge"


def _copy_or_link(source: str, target: str) -> None:
    """Copy a file, so that a test which writes to it leaves the user's alone; link a large one."""
    (shutil.copy2 if os.path.getsize(source) <= LARGEST_COPY else os.symlink)(source, target)


class Mutants:
    """A project, its rows, and sessions on them; what each found is kept below .tunegate/."""

    def __init__(self, root: Path, folder: Path, *, seed: int, n: int, deadline: float) -> None:
        """Read the rows; copies go into the folder, and time.monotonic() must not pass deadline."""
        self.root, self.folder, self.seed, self.n, self.deadline = root, folder, seed, n, deadline
        config = self.config = load(root)
        files = find_data_files(config, root, {}, root)
        data = {split: files.get(split) for split in files.paths}
        self.rows = {split: [{**e.fields} for e in examples] for split, examples in data.items()}
        self.rows[ANSWERS] = [{"messages": r["messages"][-1:]} for r in self.rows.get("test", ())]
        self.suites = {name: root / path for name, path in config.suites if (root / path).is_dir()}
        digests = [suite_fingerprint(path, root, config) for path in self.suites.values()]
        modules = [path for path in sorted(root.rglob("*.py"))
                   if not NOT_COPIED("", [*path.relative_to(root).parts])]  # fmt: skip
        self.about = [digests, installed_versions(), [*map(sha256_file, modules)]]
        self.clean: dict[str, Any] = {}  # by suite: what a session finds without a fault

    def verdicts(self, faults: Sequence[Fault]) -> Iterator[dict[str, Any]]:
        """Yield what became of each fault; raises ConfigError where a suite cannot run."""
        for suite in {fault.suite: 0 for fault in faults if fault.suite in self.suites}:
            if suite != "model" or self.rows[ANSWERS]:
                self.clean[suite] = self.session(f"clean-{suite}", suite, self.rows)
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(self.verdict, faults)

    def verdict(self, fault: Fault) -> dict[str, Any]:
        """Plant a fault, and return which tests find what they did not find before."""
        rows = plant(fault, self.rows, seed=self.seed, n=self.n, reading=self.config.reading)
        by, lost = dict[str, list[str]](), list[str]()
        kept = [split for split in rows if len(rows[split]) == len(self.rows[split])]
        pairs = {split: zip(self.rows[split], rows[split], strict=True) for split in kept}
        planted = [f"{s}, line {i}" for s in kept for i, (a, b) in enumerate(pairs[s], 1) if a != b]
        applies = rows != self.rows and (fault.name != LYING_JUDGE or self.config.judge.models)
        result = NOT_RUN if applies and fault.suite in self.clean else NOT_APPLICABLE
        before = self.clean.get(fault.suite) if result == NOT_RUN else None
        if before and (found := self.session(fault.name, fault.suite, rows)):
            for test, where in found["failed"].items():
                known = before["failed"].get(test, ())
                new = [place for id_, place in where.items() if id_ not in known]
                by |= {test: new} if new or test not in before["failed"] else {}
            by = by or ({} if found["code"] == before["code"] else {"the gate": []})
            seen = {place for new in by.values() for place in new}
            lost = [place for place in planted if place not in seen] if fault.each and seen else []
            result = CAUGHT if by and not lost else MISSED
        return {
            "kind": fault.name, "severity": fault.severity, "result": result, "planted": planted,
            "not_found": lost, "caught_by": [*by], "found_by": fault.found_by,
        }  # fmt: skip

    def session(self, name: str, suite: str, rows: Rows) -> Any:
        """Return what a suite finds in these rows, once for all; None where the time is over."""
        key = sha256_json([*self.about, name, rows])[:24]
        kept = StateDir(self.root).path("mutants", f"{name}-{key}.json")
        if kept.is_file() or (left := self.deadline - time.monotonic()) <= 0:
            return json.loads(kept.read_bytes()) if kept.is_file() else None
        copy = self.folder / name
        env = {k: v for k, v in os.environ.items() if k not in UNTRUSTED_ENV}
        try:
            child = subprocess.run(
                self.make_copy(copy, suite, rows, lies=name == LYING_JUDGE),
                cwd=copy, env=env | {WORKERS_VARIABLE: "1"}, timeout=left, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None
        record, said = copy / ".tunegate" / "record.json", child.stdout.strip().rpartition("\n")[2]
        if not (ran := record.is_file()) and (suite not in self.clean or child.returncode < 0):
            raise ConfigError(f"the {suite} suite cannot run: {said}")
        failed = json.loads(record.read_bytes()) if ran else {said: {}}
        found = {"failed": failed, "code": child.returncode}
        shutil.rmtree(copy)
        atomic_write(kept, json.dumps(found).encode(), mode=0o600)
        return found

    def make_copy(self, copy: Path, suite: str, rows: Rows, *, lies: bool) -> list[str]:
        """Make a copy of the project with other rows; return the command of a session there."""
        shutil.copytree(self.root, copy, ignore=NOT_COPIED, copy_function=_copy_or_link)
        path, _ = read_table(copy)
        atomic_write(path, without_models(path.read_text("utf-8"), lies=lies).encode())
        if lies:
            rubric = tomllib.loads((copy / str(self.config.judge.rubric)).read_text("utf-8"))
            praise = {criterion["id"]: True for criterion in rubric.get("criteria", [])}
            reply = {"verdicts": praise, "score": max(rubric.get("scale", [1])), "better": "a"}
            code = f"def answer(messages):\n    return {json.dumps(reply)!r}\n"
            atomic_write(copy / f"{JUDGE_MODULE}.py", code.encode())
        options = [f"--model=file:.tunegate/{ANSWERS}.jsonl"] if suite == "model" else []
        for split, planted in rows.items():
            lines = [row["messages"][0] if split == ANSWERS else row for row in planted]
            StateDir(copy).path(f"{split}.jsonl").write_bytes(to_json_lines(lines, {}))
            options += [f"--{split}-data=.tunegate/{split}.jsonl"] if split != ANSWERS else []
        pytest = f"-m pytest -q -o addopts= -p no:cacheprovider -p tunegate -p {RECORDER}".split()
        return [sys.executable, *pytest, str(self.suites[suite].relative_to(self.root)), *options]


def without_models(text: str, *, lies: bool) -> str:
    """Return a configuration less the models that would be asked, or with a judge that lies."""
    document = tomllib.loads(text)
    tool = document.pop("tool", {})
    is_own, own = "tunegate" in tool, tool.pop("tunegate", {})
    for table in (document, own):
        for name in ("baseline", "compare", *["judge"] * (not lies)):
            table.pop(name, None)
        table.get("limits", {}).pop("compare", None)
        table.get("judge", {})["models"] = f"python:{JUDGE_MODULE}:answer"
    tables = {"": document, "[tool]": tool} | ({"[tool.tunegate]": own} if is_own else {})
    lines = ((head, *(to_toml({k: v})[1:-1] for k, v in table.items()))
             for head, table in tables.items() if table or is_own)  # fmt: skip
    return "\n".join(chain.from_iterable(lines))


def to_toml(value: Any) -> str:
    """Return a value as TOML, tables inline."""
    if isinstance(value, dict):
        items = (f"{toml_string(k)} = {to_toml(v)}" for k, v in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(to_toml, value))}]"
    plain = json.dumps(value) if isinstance(value, bool) else str(value)
    return toml_string(value) if isinstance(value, str) else plain
