"""Plants the faults of faults.toml into rows, and runs the suites on copies of a project."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.data_files import find_data_files
from ..config.schema import load
from ..data.comparison import label_counts
from ..data.dataset import PLAIN_READING, Example, Reading
from ..data.tables import to_json_lines
from ..errors import ConfigError
from ..gates.decision import UNTRUSTED_ENV, installed_versions, suite_fingerprint
from ..storage.state_dir import StateDir
from ..utils.files import atomic_write, sha256_file, sha256_json
from ..utils.optional_deps import require
from ..utils.processes import WORKERS_VARIABLE
from ..utils.strict_json import parse_json_text

Row = dict[str, Any]
Rows = Mapping[str, Sequence[Row]]  # by split, each with its `messages`
ANSWERS = "answers"  # beside the splits: what a model answers each test row, as its only message
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "venv", "registry.jsonl")
LARGEST_COPY = 4_000_000  # bytes: weights of models are linked
CAUGHT, MISSED, NOT_APPLICABLE, NOT_RUN = "caught", "MISSED", "not applicable", "not run"
RECORDER = "tunegate.pytest_plugin.record_session"  # takes the models out of the configuration
LYING_JUDGE, JUDGE_MODULE = "lying-judge", "tunegate_lying_judge"


@dataclass(frozen=True)
class Fault:
    """A kind of fault; faults.toml says what the fields mean."""

    name: str
    found_by: str
    severity: str = "high"  # or "medium"
    suite: str = "data"  # or "model"
    how: str = "rewrite"
    text: str = "{text}"
    role: str = "user"
    split: str = "train"
    source: str = ""
    all: bool = False
    each: bool = False


_table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
PRIVATE_VALUES: list[list[str]] = _table.pop("private")
FAULTS = tuple(Fault(name, **values) for name, values in _table.items())


def plant(
    fault: Fault, rows: Rows, *, seed: object = 0, n: int = 5, reading: Reading = PLAIN_READING
) -> dict[str, list[Row]]:
    """Return the rows of each split, n of them with a fault, and the same ones for a seed.

    No row that is given is changed. All come back as they are where the fault applies to none.
    """
    every = {split: [*rows.get(split, ())] for split in ("train", "validation", "test", ANSWERS)}
    getattr(Draft(fault, every, random.Random(f"{seed} {fault.name}"), n, reading), fault.how)()
    return {split: every[split] for split in rows}


def faults(like: Rows | Sequence[Row], kind: str = "") -> Any:
    """Draw for hypothesis the name of a fault, the clean rows, and these with it in one of them.

    Clean rows are given by split, or of training. Raises ValueError for a kind that fits none.
    """
    draw = require("hypothesis.strategies", "hypothesis")
    rows = {s: [*r] for s, r in (like if isinstance(like, Mapping) else {"train": like}).items()}
    fitting = [fault for fault in FAULTS if plant(fault, rows, n=1) != rows]
    if not (chosen := [fault for fault in fitting if kind in (fault.name, "")]):
        raise ValueError(f"no fault {kind!r} in these rows; valid: {[f.name for f in fitting]}")
    planted = lambda f, seed: (f.name, rows, plant(f, rows, seed=seed, n=1))  # noqa: E731
    return draw.builds(planted, draw.sampled_from(chosen), draw.integers(0, 2**32))


def filled(form: str, text: str, rng: random.Random) -> str:
    """Return what a form of faults.toml makes of a text."""
    name, value = rng.choice(PRIVATE_VALUES)
    is_json, middle = not isinstance(parse_json_text(text), str), len(text) // 2
    values = {
        "name": name, "value": value,
        "escaped": "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in value),
        "key": "AKIA" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=16)),
        "text": text, "mistyped": text[:middle] + text[middle : middle + 1] + text[middle:],
        "misread": text.encode().decode("cp1252", "replace"),
        "cut": text if is_json or len(text) < 60 else text[: len(text) * 2 // 3],
        "unclosed": text.rstrip()[:-1] if is_json else text,
    }  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda place: values.get(place[1], place[0]), form)


@dataclass
class Draft:
    """Rows with a fault being planted: the lists are changed, and no row in them."""

    fault: Fault
    rows: dict[str, list[Row]]
    rng: random.Random
    n: int  # rows that are planted, where single rows are
    reading: Reading

    def examples(self, split: str) -> list[Example]:
        """Return the rows of a split as checks see them."""
        return [Example(i, i + 1, row, self.reading) for i, row in enumerate(self.rows[split])]

    def shuffled(self, split: str) -> list[int]:
        """Return the numbers of the rows of a split in random order."""
        return self.rng.sample(range(len(self.rows[split])), len(self.rows[split]))

    def rewrite(self, n: int = 0) -> set[int]:
        """Put rewritten copies of rows over rows of the split, and return over which."""
        fault, changed, places = self.fault, set[int](), self.shuffled(self.fault.split)
        most = len(places) if fault.all else min(n or self.n, len(places))
        for i in self.shuffled(fault.source) if fault.source else places:
            before = self.rows[fault.source or fault.split][i]
            if len(changed) < most and ((row := self.rewritten(before)) != before or fault.source):
                changed.add(place := places[len(changed)] if fault.source else i)
                self.rows[fault.split][place] = row
        return changed

    def rewritten(self, row: Row) -> Row:
        """Return a copy of a row as the fault rewrites it."""
        row = deepcopy(row)
        turns, text = row["messages"], self.fault.text
        if text == "<turn_round>":
            turns.insert(-1, turns.pop())
        elif text == "<drop_system>":
            turns[:] = [turn for turn in turns if turn["role"] != "system"]
        elif text == "<break_call>":
            for call in [call for turn in turns for call in turn.get("tool_calls") or ()][:1]:
                call["function"]["arguments"] = call["function"]["arguments"][:-1]
        else:
            for turn in [turn for turn in turns if turn["role"] == self.fault.role][-1:]:
                parts = turn["content"] if isinstance(turn.get("content"), list) else [turn]
                for part, key in [(p, "content" if p is turn else "text") for p in parts]:
                    if isinstance(part.get(key), str):
                        part[key] = filled(text, part[key], self.rng)
        return row

    def exchange(self) -> None:
        """Give pairs of rows each other's reply or, to contradict, one the other's question."""
        rows, examples, order = self.rows["train"], self.examples("train"), self.shuffled("train")
        pairs = zip(order[::2], order[1::2], strict=False)
        different = [(i, k) for i, k in pairs if examples[i].label != examples[k].label]
        applies = bool(label_counts(examples)) is (self.fault.text != "replies")
        for i, k in different[: self.n] if applies else ():
            (*asked, reply), (*other_asked, other_reply) = rows[i]["messages"], rows[k]["messages"]
            if self.fault.text == "contradict":
                rows[i] = {**rows[k], "messages": [*other_asked, reply]}
            else:
                rows[i] = {**rows[i], "messages": [*asked, other_reply]}
                rows[k] = {**rows[k], "messages": [*other_asked, reply]}

    def shrink_class(self) -> None:
        """Leave one row of a class in training and in validation."""
        classes = self.rng.sample(sorted(c := label_counts(self.examples("train"))), len(c))
        for split in ("train", "validation") if len(classes) > 1 else ():
            of_class = [e.row for e in self.examples(split) if e.label == classes[0]]
            for i in reversed(of_class[1:]):
                del self.rows[split][i]

    def answer(self) -> None:
        """Answer test rows what is right of others: drawn, in order, or of one of them."""
        right = self.rows[ANSWERS]
        right[:] = {
            "at random": self.rng.sample(right, len(right)), "other rows": right[::-1],
            "one class": right[:1] * len(right),
        }[self.fault.text]  # fmt: skip

    def make_easy(self) -> None:
        """Fill the test set with copies of training rows, and answer no other one right."""
        answers, n = self.rows[ANSWERS], len(self.rows["test"])
        if answers and len(self.rows["train"]) >= n:
            copies = self.rewrite(n - max(n // 20, 3))
            answers[:] = [{"messages": row["messages"][-1:]} for row in self.rows["test"]]
            for i in {*range(n)} - copies:
                answers[i] = self.rng.choice([a for a in answers if a != answers[i]] or answers)


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
