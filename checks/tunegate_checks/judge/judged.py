"""What a judge's score is worth: its standing, and a Score that gates nothing without one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tunegate.score import Mode, Score, Unmeasurable


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a judge has earned the right to gate: `why` says why not, "" where it has.

    `measured` is what was found, "kappa 0.82 (0.64 to 1.00) with 40 human labels"; `stale` says
    what has changed since it was measured before.
    """

    why: str
    measured: str = ""
    stale: str = ""

    @property
    def earned(self) -> bool:
        """Whether the judge may gate."""
        return not self.why


class Judged(Score):
    """A Score by a judge. `advisory`: the judge has not earned the right to gate.

    Comparing an advisory score with a limit raises Unmeasurable: it can neither open nor close a
    gate. Ask `if not judged.advisory` first.
    """

    standing: Standing

    @classmethod
    def of(cls, score: Score, standing: Standing) -> Judged:
        """Return a score with its standing, which its name and its signature tell too."""
        judged = _rebuild(float(score), {**score.__dict__, "standing": standing})
        told = standing.measured
        if standing.why:
            told = f"advisory: {standing.why}"
            judged.name = f"{score.name}, advisory"
            judged.hints += (f"gates nothing: {standing.why}",)
        if standing.stale:
            judged.hints += (standing.stale,)
        judged.signature = f"{told}|{score.signature}"
        judged.detail = "\n".join(filter(None, (told, standing.stale, score.detail)))
        return judged

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (float(self), self.__dict__)

    def by(self, mode: Mode) -> Judged:
        """Return the score itself or its lower bound, with the same standing."""
        bound = super().by(mode)
        return self if bound is self else _rebuild(float(bound), bound.__dict__)

    @property
    def advisory(self) -> bool:
        """Whether this gates nothing; asking is a judgement: the session shows score and reason."""
        if self.standing.earned:
            return False
        super()._judge(None, operator.ge, ">=")  # held to no limit
        return True

    def _judge(self, other: object, compare: Callable[[float, float], bool], sign: str) -> Any:
        __tracebackhide__ = True
        if self.standing.why and isinstance(other, int | float) and not isinstance(other, Score):
            raise Unmeasurable(
                f"{self.name}: no limit can be held to it\n{self.standing.why}\n"
                "hold it to a limit only `if not judged.advisory`"
            )
        return super()._judge(other, compare, sign)


def _rebuild(value: float, state: dict[str, Any]) -> Judged:
    judged = Judged(value)
    judged.__dict__.update(state)
    return judged
