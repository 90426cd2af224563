"""What the data suite costs a million rows, test by test, and what the exact join costs.

    python benchmarks/scale.py [ROWS ...] [--join TEXTS ...] [--keep FOLDER]

For each number of rows it writes a bilingual classification set in the chat form (tickets of about
300 letters, some faults planted), with a tenth as much for validation and for test, and runs
`pytest suites/data` on it in a child process. Of each test it prints CPU seconds and memory a
million rows of training, and how much the CPU time per row grew from the last size but one:

- CPU seconds are those of the test's own call, children included, all splits together. Fixtures,
  which read the files, have a line of their own, and so has Python's `json.loads` on every line: on
  a slow or shared machine the ratios to it still hold.
- Memory is the most that the child and its descendants held while the test ran, less what they held
  when it began: resident sizes from /proc, summed, sampled ten times a second. What processes share
  counts once for each, so it is an upper bound. The line `all` counts from before the first test.

`--join` measures the search of all near-duplicates by itself: on texts of about 100 letters, each
compared with all of like length, and of about 300 letters, compared where they share runs of words.
Imports and compilation are left out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples" / "triage"))

LETTERS = 300
SHORT = 100  # letters; a text of up to 192 is compared with every one of like length
SYSTEM = "Which team is this for? Answer with one word."
CONFIG = '[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\ntest = "test.jsonl"\n'
# Shares of all rows; no row has two.
FAULTS = {
    "copy": 0.002, "near copy": 0.01, "wrong label": 0.01, "contradiction": 0.001,
    "personal data": 0.003, "secret": 0.0005, "blank": 0.0005,
}  # fmt: skip
PERSONAL = ("My e-mail is ana.souza{n}@mail.com.br.", "Meu CPF é 529.982.247-25.")
BARE, FIXTURES = "json.loads of each line, to compare", "fixtures: reading the files"
ALL = "all"
SMALLEST_SHARE = 0.005  # of all CPU time: tests below are one line together

# What the child's conftest.py does: it writes down the times of each test, also of its children.
CONFTEST = """\
import json, os, time, pytest

def timed(name):
    start, cpu = time.time(), sum(os.times()[:4])
    try:
        return (yield)
    finally:
        with open("times.jsonl", "a") as file:
            print(json.dumps([name, start, time.time(), sum(os.times()[:4]) - cpu]), file=file)

@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    return (yield from timed(""))

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from timed(item.nodeid))
"""


@dataclass
class Cost:
    """CPU seconds of one test, and the most bytes that were held more than when it began."""

    cpu: float = 0.0
    memory: int = 0


def tickets(count: int, seed: str, letters: int) -> Iterator[tuple[str, str, str]]:
    """Yield text, label and language; a text has `letters` letters, a fifth more or less."""
    from world import LABELS, LANGUAGES, World

    world, rng = World(seed), random.Random(seed)
    for k in range(count):
        label, language = LABELS[k % len(LABELS)], LANGUAGES[k // len(LABELS) % 2]
        size, text = rng.uniform(0.8, 1.2) * letters, world.ticket(language, label).text
        while len(text) < size:
            text += "\n\n" + world.ticket(language, label).text
        yield text[: int(size)].rstrip(), label, language


def rows(count: int, seed: str) -> Iterator[str]:
    """Yield lines of JSONL, some of them with a fault."""
    rng, before = random.Random(f"faults {seed}"), ("", "", "")
    for n, (text, label, language) in enumerate(tickets(count, seed, LETTERS)):
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
    """Write the data, the configuration and the suite."""
    folder.mkdir(parents=True)
    for split, size in {"validation": count // 10, "test": count // 10, "train": count}.items():
        with open(folder / f"{split}.jsonl", "w", encoding="utf-8") as file:
            file.writelines(rows(size, split))
    (folder / "tunegate.toml").write_text(CONFIG)
    (folder / "conftest.py").write_text(CONFTEST)
    shutil.copytree(ROOT / "suites" / "data", folder / "suites" / "data")


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


def suite(folder: Path) -> dict[str, Cost]:
    """Run the suite; return what each test took, with `FIXTURES` and `BARE`."""
    (folder / "times.jsonl").unlink(missing_ok=True)
    moments, held, start = list[float](), list[int](), time.perf_counter()
    with open(folder / "output.txt", "w+") as out:
        command = [sys.executable, "-m", "pytest", "-q", "suites/data"]
        child = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        while child.poll() is None:
            moments.append(time.time())
            held.append(resident(child.pid))
            time.sleep(0.1)
        out.seek(0)
        last = (out.read().strip().splitlines() or [""])[-1]
    wall, costs = time.perf_counter() - start, {BARE: Cost(_bare(folder)), FIXTURES: Cost()}
    times = [json.loads(line) for line in (folder / "times.jsonl").read_text().splitlines()]
    costs[ALL] = Cost(memory=max(held) - held[max(0, bisect(moments, times[0][1]) - 1)])
    for name, begin, end, cpu in times:
        test = name.removeprefix("suites/data/").partition("[")[0] or FIXTURES
        cost = costs.setdefault(test, Cost())
        cost.cpu, costs[ALL].cpu = cost.cpu + cpu, costs[ALL].cpu + cpu
        # A short test has no sample of its own: the one before it is near.
        before, *samples = held[max(0, bisect(moments, begin) - 1) : bisect(moments, end)]
        cost.memory = max([cost.memory, *(sample - before for sample in samples)])
    print(f"  {wall:,.0f} s, peak {max(held) / 2**30:.2f} GiB in all; pytest: {last}", flush=True)
    return costs


def _bare(folder: Path) -> float:
    """Return the CPU seconds in which Python's own reader goes through the files."""
    start = time.process_time()
    for path in folder.glob("*.jsonl"):
        if path.stem in ("train", "validation", "test"):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    json.loads(line)
    return time.process_time() - start


def print_suite(found: Mapping[int, dict[str, Cost]]) -> None:
    """Print a table in Markdown: the tests, the dearest first."""
    costs = [*found.values()][-1]
    tests = sorted(costs.keys() - {BARE, ALL}, key=lambda name: -costs[name].cpu)
    shown = [name for name in tests if costs[name].cpu >= SMALLEST_SHARE * costs[ALL].cpu]
    small = f"{len(tests) - len(shown)} other tests"
    for by_name in found.values():
        rest = [cost for name, cost in by_name.items() if name not in (BARE, ALL, *shown)]
        memory = max((cost.memory for cost in rest), default=0)
        by_name[small] = Cost(sum(cost.cpu for cost in rest), memory)
    head = [f"{size:,} rows: CPU-s | GiB" for size in found]
    head += ["growth"] * (len(found) > 1)
    print("\n| a million rows | " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(found) + len(head)))
    for name in (BARE, *shown, small, ALL):
        by_size = {size: by_name.get(name, Cost()) for size, by_name in found.items()}
        cells = []
        for size, cost in by_size.items():
            held = f"{cost.memory / 2**30 * 1e6 / size:.1f}" if name != BARE else ""
            cells += [f"{cost.cpu * 1e6 / size:,.0f}", held]
        if len(found) > 1:
            before, now = [cost.cpu / size for size, cost in by_size.items()][-2:]
            cells.append(f"{now / before:.2f}" if before else "")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def join(count: int, letters: int) -> tuple[int, float, float, float, int]:
    """Search near-duplicates; return texts, CPU and wall seconds, GiB above the texts, pairs."""
    from tunegate.similarity import search

    texts = list({text.lower() for text, *_ in tickets(count, "join", letters)})
    for _ in search.pairs(texts[:2_000], 0.85, fast=True):  # imports and compiles
        pass
    before, wall, cpu = resident(os.getpid()), time.perf_counter(), time.process_time()
    pairs = sum(1 for _ in search.pairs(texts, 0.85, fast=True))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return len(texts), cpu, wall, (peak - before) / 2**30, pairs


def print_joins(sizes: Sequence[int]) -> None:
    """Print a table in Markdown; each search has a process of its own."""
    head = ("letters", "texts", "CPU-s", "ns a pair", "CPU-s a million texts", "GiB", "found")
    print("\n| " + " | ".join(head) + " |")
    print("| ---: |" + " ---: |" * 6)
    for letters in (SHORT, LETTERS):
        for size in sizes:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                texts, cpu, _, memory, pairs = pool.apply(join, (size, letters))
            cells = f"{cpu:,.1f} | {cpu * 2e9 / texts**2:,.2f} | {cpu * 1e6 / texts:,.0f}"
            print(f"| {letters} | {texts:,} | {cells} | {memory:.2f} | {pairs:,} |", flush=True)


def main() -> None:
    """Write the data where there is none yet, run the suite on each size, and the joins."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [10_000, 30_000]
    parser.add_argument("rows", type=int, nargs="*", default=sizes, help="of the training set")
    parser.add_argument("--join", type=int, nargs="*", default=[20_000, 40_000], metavar="TEXTS")
    parser.add_argument("--keep", type=Path, help="a folder to write to, and to use again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = {}
        for size in options.rows:
            folder = (options.keep or Path(temporary)) / str(size)
            if not folder.exists():
                project(folder, size)
            print(f"{size:,} rows, {(folder / 'train.jsonl').stat().st_size / 1e6:,.0f} MB:")
            found[size] = suite(folder)
        print_suite(found)
    if options.join:
        print_joins(options.join)


if __name__ == "__main__":
    main()
