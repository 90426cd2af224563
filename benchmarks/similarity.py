"""All near-duplicate pairs of banking77, by ours and by others, in one run, as ratios.

    python benchmarks/similarity.py FOLDER_WITH_THE_CSV_FILES [--texts 36761] [--only ours]

With `--texts`, sentences of support tickets (examples/triage, in English and Portuguese) are put
beside the questions, up to that many texts. Exact searches must find the same pairs; sketches
(MinHash) find candidates, which somebody would have to verify yet, and miss some. CPU seconds of
one thread, the median of five; imports and compiling are left out.
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

CUTOFF = 0.85
PERMUTATIONS, THRESHOLD, GRAM = 128, 0.5, 3  # MinHash: letters in threes; 0.5 favours recall
Found = set[tuple[int, int]]


def questions(source: Path) -> list[str]:
    """Return the distinct questions of both files, in lower case, the shortest first."""
    texts = set()
    for split in ("train", "test"):
        with open(source / f"banking77_{split}.csv", newline="", encoding="utf-8") as file:
            texts |= {" ".join(row["text"].lower().split()) for row in csv.DictReader(file)}
    return in_order(texts)


def in_order(texts: Iterable[str]) -> list[str]:
    """Return texts, the shortest first."""
    return sorted(texts, key=lambda text: (len(text), text))


def sentences(count: int) -> set[str]:
    """Return so many distinct sentences of generated tickets, in lower case."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "triage"))
    world = import_module("world").World("similarity")
    texts: dict[str, None] = {}
    while len(texts) < count:
        for language, label in (("en", "billing"), ("pt", "delivery"), ("en", "technical")):
            ticket = world.ticket(language, label).text.lower()
            texts |= dict.fromkeys(re.split(r"(?<=[.!?]) ", ticket))
            texts[" ".join(ticket.split()[:12])] = None
    return set(list(texts)[:count])


def ours(texts: list[str], fast: bool) -> Found:
    """Return the pairs that `tunegate.similarity.search` finds."""
    from tunegate.similarity import search as similar

    return {(i, j) for i, j, _ in similar.pairs(texts, CUTOFF, fast=fast)}


def cdist(texts: list[str], block: int = 500) -> Found:
    """Return rapidfuzz's pairs: what one would write without us, in a window of lengths."""
    import numpy as np
    from rapidfuzz import fuzz, process

    longest = np.array([len(text) for text in texts]) * ((2 - CUTOFF) / CUTOFF)
    ends = np.searchsorted([len(text) for text in texts], longest, "right")
    found: Found = set()
    for start in range(0, len(texts), block):
        rows = texts[start : start + block]
        window = texts[start : ends[min(start + block, len(texts)) - 1]]
        table = process.cdist(rows, window, scorer=fuzz.ratio, score_cutoff=100 * CUTOFF)
        hits = np.argwhere(table > 0) + start
        found |= {(int(i), int(j)) for i, j in hits if i < j}
    return found


def grams(text: str) -> list[str]:
    """Return a text's runs of three letters."""
    return [text[k : k + GRAM] for k in range(max(1, len(text) - GRAM + 1))]


def rensa(texts: list[str]) -> Found:
    """Return the candidate pairs of rensa's MinHash with LSH."""
    peer = import_module("rensa")
    index = peer.RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=32)
    found: Found = set()
    for j, text in enumerate(texts):
        sketch = peer.RMinHash(num_perm=PERMUTATIONS, seed=0)
        sketch.update(grams(text))
        found |= {(i, j) for i in index.query(sketch)}
        index.insert(j, sketch)
    return found


def datasketch(texts: list[str]) -> Found:
    """Return the candidate pairs of datasketch's MinHash with LSH."""
    peer = import_module("datasketch")
    index = peer.MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    found: Found = set()
    for j, text in enumerate(texts):
        sketch = peer.MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch([gram.encode() for gram in grams(text)])
        found |= {(i, j) for i in index.query(sketch)}
        index.insert(j, sketch)
    return found


def timed(search: Callable[[], Found], runs: int = 5) -> tuple[float, Found]:
    """Return the median CPU time of some runs, in seconds, and what was found."""
    took, found = [], set()
    for _ in range(runs):
        start = time.process_time()
        found = search()
        took.append(time.process_time() - start)
    return statistics.median(took), found


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Near-duplicate pairs, by ours and by others.")
    parser.add_argument("source", type=Path, help="the folder with banking77_{train,test}.csv")
    parser.add_argument("--texts", type=int, default=0, help="put sentences beside, up to so many")
    parser.add_argument("--only", default="", help="only the ways with this in their name")
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    """Print one line for each way to search."""
    said = options()
    texts = questions(said.source)
    if said.texts > len(texts):
        texts = in_order(list({*texts} | sentences(said.texts))[: said.texts])
    ways: dict[str, Callable[[], Found]] = {
        "rapidfuzz cdist, length window": lambda: cdist(texts),
        "ours, with numba": lambda: ours(texts, fast=True),
        "ours, without numba": lambda: ours(texts, fast=False),
        "rensa (MinHash, a guess)": lambda: rensa(texts),
        "datasketch (MinHash, a guess)": lambda: datasketch(texts),
    }
    print(f"{len(texts):,} distinct texts, every pair of similarity >= {CUTOFF}", flush=True)
    base, truth = 0.0, set[tuple[int, int]]()
    for name, search in ways.items():
        if said.only not in name:
            continue
        try:
            seconds, found = timed(search, said.runs)
        except ImportError as error:
            print(f"{name:32} missing: {error.name} is not installed")
            continue
        base, truth = base or seconds, truth or found
        share = len(found & truth) / max(len(truth), 1)
        told = f"{len(found):>9,} pairs, {share:6.1%} of the true ones"
        print(f"{name:32} {seconds:7.2f} s  {base / seconds:5.2f} x  {told}", flush=True)


if __name__ == "__main__":
    main()
