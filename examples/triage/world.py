"""A small world of support tickets: a grammar, not a list of templates.

    python world.py --seed 1 --count 5

A ticket is made of blocks in shuffled order: where it comes from, the problem with a detail, at
times a distractor that names another team's topic only to wave it away, at times how urgent it is.
What decides the label is which topic the problem is bound to, so counting words is not quite
enough. The words themselves stand in `lexicon/*.toml`. Nothing in them is personal data.
"""

from __future__ import annotations

import argparse
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

LABELS = ("billing", "delivery", "returns", "account", "technical", "other")
LANGUAGES = ("en", "pt")

_OPEN = re.compile(r"\{([^{}]*)\}|<(\w+)>")
_WORD = re.compile(r"[^\W\d_]{5,}")


@dataclass(frozen=True)
class Knobs:
    """How hard the world is: the chance of each trap and of each kind of noise."""

    distractor: float = 0.50
    shared: float = 0.40
    typo: float = 0.015
    lower: float = 0.20
    upper: float = 0.01
    plain: float = 0.20


@dataclass(frozen=True)
class Ticket:
    """One ticket, the team it belongs to, and what an agent would make of it."""

    language: str
    label: str
    text: str
    gist: str
    reply: str


@cache
def lexicon(language: str) -> dict[str, Any]:
    """The words of one language, read once."""
    path = Path(__file__).with_name("lexicon") / f"{language}.toml"
    return tomllib.loads(path.read_text("utf-8"))


class World:
    """Draws tickets; the same seed draws the same ones, whatever the machine or hash order."""

    def __init__(self, seed: str, knobs: Knobs | None = None) -> None:
        self.random = Random(seed)
        self.knobs = knobs or Knobs()

    def ticket(self, language: str, label: str) -> Ticket:
        """Draw one ticket of the given language and label."""
        words = lexicon(language)
        said, gist, reply = self._problem(words, label)
        text = self._noise(self._assemble(words, label, said))
        opening: str = self.random.choice(words["openings"])
        return Ticket(language, label, text, gist, opening + reply)

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _problem(self, words: dict[str, Any], label: str) -> tuple[str, str, str]:
        """What the customer says, in a few words what it is, and what the agent answers."""
        if self._chance(self.knobs.shared):
            topic = {"topic": self.random.choice(words["topics"][label])}
            said = self._draw(words, words["shared"], topic)
            return said, topic["topic"], self._expand(words, words["about"], topic)
        problem = self.random.choice(list(words["problems"][label].values()))
        return self._draw(words, problem["said"]), problem["gist"], problem["reply"]

    def _assemble(self, words: dict[str, Any], label: str, said: str) -> str:
        if self._chance(0.8):
            details = words["details"][label] if self._chance(0.5) else words["remarks"]
            said = f"{said} {self._draw(words, details)}"
        blocks = [said, *self._maybe(words, "contexts", 0.7), *self._maybe(words, "cues", 0.35)]
        if self._chance(self.knobs.distractor):
            blocks.append(self._distractor(words, label))
        self.random.shuffle(blocks)
        blocks = [*self._maybe(words, "greetings", 0.6), *blocks]
        return " ".join([*blocks, *self._maybe(words, "closings", 0.5)])

    def _maybe(self, words: dict[str, Any], part: str, probability: float) -> list[str]:
        return [self._draw(words, words[part])] if self._chance(probability) else []

    def _distractor(self, words: dict[str, Any], label: str) -> str:
        """A sentence that names another team's topic, and says that it is not the problem."""
        other = self.random.choice([name for name in LABELS if name != label])
        topic = {"topic": self.random.choice(words["topics"][other])}
        return self._draw(words, words["distractors"], topic)

    def _draw(
        self, words: dict[str, Any], patterns: list[str], bound: Mapping[str, str] | None = None
    ) -> str:
        sentence = self._expand(words, self.random.choice(patterns), bound or {})
        return sentence[0].upper() + sentence[1:]

    def _expand(self, words: dict[str, Any], text: str, bound: Mapping[str, str]) -> str:
        """Replace alternations and slots from the inside out, then contract (`de o` to `do`)."""
        while match := _OPEN.search(text):
            choice, slot = match.groups()
            value = (
                self.random.choice(choice.split("|"))
                if slot is None
                else bound.get(slot) or self._slot(words, slot)
            )
            text = text[: match.start()] + value + text[match.end() :]
        for pair, contracted in words["contractions"].items():
            text = re.sub(rf"\b{pair}\b", contracted, text)
        return text

    def _slot(self, words: dict[str, Any], slot: str) -> str:
        pattern: str = self.random.choice(words["slots"][slot])
        return re.sub("#", lambda _: str(self.random.randint(1, 9)), pattern)

    def _noise(self, text: str) -> str:
        """What hurried people do: slips of the finger, no capitals, no accents."""
        text = _WORD.sub(lambda match: self._slip(match.group()), text)
        if self._chance(self.knobs.plain):
            parts = unicodedata.normalize("NFD", text)
            text = "".join(sign for sign in parts if not unicodedata.combining(sign))
        if self._chance(self.knobs.lower):
            return text.lower()
        return text.upper() if self._chance(self.knobs.upper) else text

    def _slip(self, word: str) -> str:
        if not self._chance(self.knobs.typo):
            return word
        at = self.random.randrange(1, len(word) - 1)
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return self.random.choice([swapped, word[:at] + word[at + 1 :], word[: at + 1] + word[at:]])


def main() -> None:
    """Print a few tickets to read."""
    parser = argparse.ArgumentParser(description="Print a few tickets of this world.")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--count", type=int, default=12)
    options = parser.parse_args()
    world = World(options.seed)
    for number in range(options.count):
        language = LANGUAGES[number % 2]
        ticket = world.ticket(language, LABELS[number // 2 % len(LABELS)])
        print(f"[{ticket.label}] {ticket.text}\n    {ticket.gist} -> {ticket.reply}")


if __name__ == "__main__":
    main()
