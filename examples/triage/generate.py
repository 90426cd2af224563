"""Write the dataset: the same seed gives the same bytes.

    python generate.py

No two tickets, within a split or across splits, are alike (`fuzz.ratio` of the lower-cased ticket
alone, the system prompt and the label left out: what all rows share would only make everything look
similar).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from rapidfuzz import fuzz, process
from world import LABELS, LANGUAGES, Knobs, Ticket, World

SYSTEM = "Which team is this for? Answer with one word: " + ", ".join(LABELS) + "."
SPLITS = {"train": 3000, "validation": 720, "test": 480}
ALIKE = 80.0
HERE = Path(__file__).parent


def distinct(world: World, count: int) -> Iterator[Ticket]:
    """Draw tickets, labels and languages in turn, that are not alike."""
    seen: list[str] = []
    while len(seen) < count:
        turn = len(seen)
        language = LANGUAGES[turn // len(LABELS) % len(LANGUAGES)]
        ticket = world.ticket(language, LABELS[turn % len(LABELS)])
        text = ticket.text.lower()
        if not process.extractOne(text, seen, scorer=fuzz.ratio, score_cutoff=ALIKE):
            seen.append(text)
            yield ticket


def line(ticket: Ticket) -> str:
    """One ticket as one line of JSON."""
    turns = {"system": SYSTEM, "user": ticket.text, "assistant": ticket.label}
    messages = [{"role": role, "content": content} for role, content in turns.items()]
    row = {"messages": messages, "language": ticket.language}
    return json.dumps(row, ensure_ascii=False) + "\n"


def generate(seed: str) -> dict[str, str]:
    """The text of every split, by name."""
    world = World(seed, Knobs(upper=0))  # what capitals do, the model suite measures
    tickets = list(distinct(world, sum(SPLITS.values())))
    files = {}
    for name, size in SPLITS.items():
        part, tickets = tickets[:size], tickets[size:]
        world.random.shuffle(part)
        files[name] = "".join(map(line, part))
    return files


def main() -> None:
    """Write the splits to a folder."""
    parser = argparse.ArgumentParser(description="Write the triage dataset.")
    parser.add_argument("--seed", default="triage")
    parser.add_argument("--out", type=Path, default=HERE / "data")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in generate(options.seed).items():
        path = options.out / f"{name}.jsonl"
        path.write_bytes(text.encode())
        print(f"{path}: {text.count(chr(10))} examples, {len(text.encode()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
