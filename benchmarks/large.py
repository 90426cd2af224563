"""The whole data suite on a large file: seconds per test, and the most memory at any time.

    python benchmarks/large.py [--rows 200000] [--keep FOLDER]

Writes a bilingual classification set in the chat form (tickets of one or a few paragraphs, some
faults planted), with validation and test beside it, runs `pytest suites/data` on it in a child
process, and prints wall and CPU seconds of each test, and the peak memory of the child with all its
descendants: their resident sizes from /proc, summed, sampled ten times a second. What processes
share counts once for each, so the sum is an upper bound.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples" / "triage"))

SYSTEM = "Which team is this for? Answer with one word."
CONFIG = '[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\ntest = "test.jsonl"\n'
# Shares of all rows; no row has two.
FAULTS = {
    "copy": 0.002, "near copy": 0.01, "wrong label": 0.01, "contradiction": 0.001,
    "personal data": 0.003, "secret": 0.0005, "blank": 0.0005,
}  # fmt: skip
PERSONAL = ("My e-mail is ana.souza{n}@mail.com.br.", "Meu CPF é 529.982.247-25.")

# What the child's conftest.py does: it writes down the time of each test, also of its own children.
CONFTEST = """\
import json, os, time, pytest

def now():
    return time.perf_counter(), sum(os.times()[:4])

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    start = now()
    result = yield
    wall, cpu = (b - a for a, b in zip(start, now()))
    with open("times.jsonl", "a") as file:
        print(json.dumps([item.nodeid, wall, cpu]), file=file)
    return result
"""


def tickets(count: int, seed: str) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and language: one paragraph mostly, a few sometimes."""
    from world import LABELS, LANGUAGES, World

    world, rng = World(seed), random.Random(seed)
    for k in range(count):
        label, language = LABELS[k % len(LABELS)], LANGUAGES[k // len(LABELS) % 2]
        paragraphs = min(1 + int(rng.expovariate(1.2)), 12)
        texts = (world.ticket(language, label).text for _ in range(paragraphs))
        yield "\n\n".join(texts), label, language


def rows(count: int, seed: str) -> Iterator[str]:
    """Yield lines of JSONL, some of them with a fault."""
    rng, before = random.Random(f"faults {seed}"), ("", "", "")
    for n, (text, label, language) in enumerate(tickets(count, seed)):
        fault = _fault(rng)
        if n and fault in ("copy", "near copy", "contradiction"):
            text, was, language = before
            label = label if fault == "contradiction" else was
            text += "!" if fault == "near copy" else ""
        if fault == "wrong label":
            label = rng.choice(("billing", "delivery", "returns", "account", "technical", "other"))
        if fault == "personal data":
            text += " " + rng.choice(PERSONAL).format(n=n)
        if fault == "secret":
            text += f" token ghp_{rng.getrandbits(180):036x}"[:47]
        before = text, label, language
        yield _line(text if fault != "blank" else " ", label, language)


def _fault(rng: random.Random) -> str:
    chance = rng.random()
    for fault, share in FAULTS.items():
        chance -= share
        if chance < 0:
            return fault
    return ""


def _line(text: str, label: str, language: str) -> str:
    turns = (("system", SYSTEM), ("user", text), ("assistant", label))
    messages = [{"role": role, "content": content} for role, content in turns]
    return json.dumps({"messages": messages, "language": language}, ensure_ascii=False) + "\n"


def project(folder: Path, count: int) -> None:
    """Write the data, the configuration and the suite; a fifth as much is validation."""
    sizes = {"train": count, "validation": count // 5, "test": count // 10}
    for split, size in sizes.items():
        with open(folder / f"{split}.jsonl", "w", encoding="utf-8") as file:
            file.writelines(rows(size, split))
    (folder / "tunegate.toml").write_text(CONFIG)
    (folder / "conftest.py").write_text(CONFTEST)
    shutil.copytree(ROOT / "suites" / "data", folder / "suites" / "data", dirs_exist_ok=True)


def resident(root: int) -> int:
    """Return the bytes that a process and its descendants hold in memory, each by itself."""
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        children.setdefault(_parent(int(entry)), []).append(int(entry))
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        total += _pages(process)
        waiting += children.get(process, [])
    return total * os.sysconf("SC_PAGE_SIZE")


def _parent(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return -1


def _pages(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0


def watched(command: Sequence[str], folder: Path) -> tuple[int, float, str]:
    """Run a command; return its most memory in bytes, its wall seconds and its last line."""
    peak, start = 0, time.perf_counter()
    with open(folder / "output.txt", "w+") as out:
        child = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        while child.poll() is None:
            peak = max(peak, resident(child.pid))
            time.sleep(0.1)
    lines = (folder / "output.txt").read_text().strip().splitlines()
    return peak, time.perf_counter() - start, lines[-1] if lines else ""


def report(folder: Path) -> None:
    """Run the suite and print what it took."""
    (folder / "times.jsonl").unlink(missing_ok=True)
    size = (folder / "train.jsonl").stat().st_size / 1e6
    print(f"train.jsonl: {size:,.0f} MB; pytest suites/data ...", flush=True)
    peak, wall, last = watched([sys.executable, "-m", "pytest", "-q", "suites/data"], folder)
    times = [json.loads(line) for line in (folder / "times.jsonl").read_text().splitlines()]
    for name, seconds, cpu in sorted(times, key=lambda t: -t[1]):
        if seconds >= 0.1:
            print(f"{seconds:8.1f} s  {cpu:8.1f} CPU-s  {name.removeprefix('suites/data/')}")
    total = sum(cpu for *_, cpu in times)
    print(f"{wall:8.1f} s  {total:8.1f} CPU-s  in all; peak {peak / 2**30:.2f} GiB; {last}")


def main() -> None:
    """Write the data where there is none yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="of the training set")
    parser.add_argument("--keep", type=Path, help="a folder to write to, and to use again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "train.jsonl").exists():
            project(folder, options.rows)
        report(folder)


if __name__ == "__main__":
    main()
