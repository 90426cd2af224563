"""Shrinking: a flip as small as it can be made, so that a person sees what did it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tunegate.extraction import LabelRule
from tunegate.predictions import Ask

from .metamorphic import Perturbation

if TYPE_CHECKING:
    from .robustness import Trial

_WORD = re.compile(r"\S+\s*")


class FlipMinimiser:
    """Cuts flips in halves for as long as one half still flips, from the same label.

    Both ways of writing a half are asked, those of several flips in one batch; `calls` bounds the
    questions. It is the first and cheapest step of delta debugging: Zeller & Hildebrandt 2002,
    *Simplifying and isolating failure-inducing input*, IEEE TSE 28(2).
    """

    def __init__(
        self, ask: Ask, label: LabelRule, perturbations: Mapping[str, Perturbation], calls: int
    ) -> None:
        self.ask, self.label, self.perturbations = ask, label, perturbations
        self.calls_left = calls

    def minimise(self, flipped: Sequence[Trial]) -> list[Trial]:
        """Return the flips, smaller where the calls sufficed: one of each kind goes first."""
        minimised: list[Trial] = []
        for wave in _waves(flipped):
            while wave:
                smaller = self._try_halves(wave)
                minimised += [t for i, t in enumerate(wave) if i not in smaller]
                wave = [smaller[i] for i in sorted(smaller)]
        return minimised

    def _try_halves(self, trials: Sequence[Trial]) -> dict[int, Trial]:
        """Return, by place, the first half of each flip that flips as well."""
        from .robustness import with_user_texts

        halves = [(i, half) for i, trial in enumerate(trials) for half in self._halves(trial)]
        halves = halves[: self.calls_left // 2]
        self.calls_left -= 2 * len(halves)
        texts = [(h.example, text) for _, h in halves for text in (h.original, h.perturbed)]
        answers = self.ask(with_user_texts(texts)) if texts else []
        labels_read = [None if a.error else self.label.read(a.got) for a in answers]
        smaller: dict[int, Trial] = {}
        for (i, half), before, after in zip(
            halves, labels_read[::2], labels_read[1::2], strict=True
        ):
            if before == half.original_label and after not in (before, None):
                smaller.setdefault(i, replace(half, perturbed_label=after))
        return smaller

    def _halves(self, trial: Trial) -> Iterator[Trial]:
        plain, written = _WORD.findall(trial.original), _WORD.findall(trial.perturbed)
        middle = len(plain) // 2
        for part in (slice(0, middle), slice(middle, None)) if middle else ():
            half = "".join(plain[part])
            aligned = len(plain) == len(written)  # else words came in front: write it anew
            other = "".join(written[part]) if aligned else self._perturb(trial.kind, half)
            if half != other:
                yield replace(trial, original=half, perturbed=other)

    def _perturb(self, kind: str, text: str) -> str:
        return self.perturbations[kind](text, 0)


def _waves(flipped: Sequence[Trial]) -> list[list[Trial]]:
    """Return the first flip of each kind, then the second of each, and so on."""
    waves: defaultdict[int, list[Trial]] = defaultdict(list)
    seen: defaultdict[str, int] = defaultdict(int)
    for trial in flipped:
        waves[seen[trial.kind]].append(trial)
        seen[trial.kind] += 1
    return [waves[i] for i in sorted(waves)]
