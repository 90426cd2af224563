"""What the tiny base model reads before anybody tunes it: conversations of the same world.

    python corpus.py --count 8

Exercises: an agent answers a ticket; a ticket is said in a few words; the language is named; one
word out of a list is repeated (the label words are in the lists, since a frozen tied embedding
could not tell them apart otherwise). The first two are chosen by what is truly wrong in the ticket,
so the base is *not* free of supervision: it has learnt to tell problems apart. In the second pass
half of the tickets stand in capitals or in title case, and one in a hundred is answered as the
dataset answers it: with the name of its team.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from generate import SYSTEM
from rapidfuzz import fuzz, process
from world import LABELS, LANGUAGES, Ticket, World

Messages = list[dict[str, str]]

AGENT = "Answer the customer."
GIST = "Say in a few words what this is about."
LANGUAGE = "Which language is this? Answer with one word."
WORDS = "Repeat the word asked for."
NAMES = {"en": "English", "pt": "Portuguese"}
PLACES = {"first": 0, "second": 1, "third": 2, "last": -1}
NOUNS = (
    "river", "lemon", "window", "garden", "paper", "bridge", "silver", "cotton", "winter",
    "engine", "planet", "ladder", "market", "basket", "candle", "forest", "pencil", "mirror",
    "button", "island", "kitchen", "summer", "harbour", "marble", "orange", "feather",
)  # fmt: skip
NEAR = 85.0
BLOCK = 5_000  # rows compared at once: the whole table would not fit in memory


@dataclass(frozen=True)
class Mix:
    """The share of each exercise, and of tickets in another way of writing; AGENT has the rest."""

    team: float = 0.0
    words: float = 0.12
    language: float = 0.03
    gist: float = 0.45
    capitals: float = 0.0
    title: float = 0.0


FIRST = Mix()
SECOND = Mix(team=0.01, words=0.08, language=0.0, gist=0.66, capitals=0.15, title=0.35)


def chat(system: str, user: str, assistant: str) -> Messages:
    """One exchange in the form that the chat template takes."""
    turns = {"system": system, "user": user, "assistant": assistant}
    return [{"role": role, "content": content} for role, content in turns.items()]


def word_drill(random: Random) -> Messages:
    """Repeat a word of a list: the only place where label words are answers, by position alone."""
    words = random.sample([*LABELS, *NOUNS], 4)
    place = random.choice(list(PLACES))
    return chat(WORDS, f"The {place} word: {', '.join(words)}.", words[PLACES[place]])


def rewritten(text: str, mix: Mix, random: Random) -> str:
    """Write a ticket in capitals, Each Word With One, or leave it."""
    draw = random.random() if mix.capitals + mix.title else 1.0
    if draw < mix.capitals:
        return text.upper()
    if draw < mix.capitals + mix.title:
        return re.sub(r"(?<!\S)\w", lambda match: match.group().upper(), text)
    return text


def exercise(ticket: Ticket, mix: Mix, random: Random) -> Messages:
    """Turn a ticket into one exercise, or set it aside for a word drill."""
    draw = random.random()
    text = rewritten(ticket.text, mix, random)
    if (draw := draw - mix.team) < 0:
        return chat(SYSTEM, text, ticket.label)
    if (draw := draw - mix.words) < 0:
        return word_drill(random)
    if (draw := draw - mix.language) < 0:
        return chat(LANGUAGE, text, NAMES[ticket.language])
    if draw < mix.gist:
        return chat(GIST, text, ticket.gist)
    return chat(AGENT, text, ticket.reply)


def tickets(world: World, count: int) -> Iterator[Ticket]:
    """Tickets of every label and language in turn."""
    for turn in range(count):
        language = LANGUAGES[turn // len(LABELS) % len(LANGUAGES)]
        yield world.ticket(language, LABELS[turn % len(LABELS)])


def clear_of(held_out: Sequence[str], drawn: list[Ticket]) -> tuple[list[Ticket], float]:
    """The tickets that come near no held-out text, and the largest ratio left among them."""
    texts = [ticket.text.lower() for ticket in drawn]
    ratios = np.zeros(len(texts))
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        table = process.cdist(block, held_out, scorer=fuzz.ratio, dtype=np.float32)
        ratios[start : start + BLOCK] = table.max(axis=1)
    kept = [ticket for ticket, ratio in zip(drawn, ratios, strict=True) if ratio < NEAR]
    return kept, float(ratios[ratios < NEAR].max())


def corpus(
    seed: str, count: int, held_out: Sequence[str], mix: Mix = FIRST
) -> tuple[list[Messages], float]:
    """The conversations, and how near the nearest of their tickets comes to a held-out one."""
    drawn, nearest = clear_of(held_out, list(tickets(World(seed), count)))
    random = Random(f"{seed} exercises")
    return [exercise(ticket, mix, random) for ticket in drawn], nearest


def main() -> None:
    """Print a few conversations to read."""
    parser = argparse.ArgumentParser(description="Print a few conversations of the corpus.")
    parser.add_argument("--seed", default="corpus")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--second", action="store_true", help="of the second pass")
    options = parser.parse_args()
    mix = SECOND if options.second else FIRST
    for conversation in corpus(options.seed, options.count, ["-"], mix)[0]:
        print(*(f"{turn['role']}: {turn['content']}" for turn in conversation), sep="\n")
        print()


if __name__ == "__main__":
    main()
