"""What a judge's score is worth: its standing, and a Score that gates nothing without one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tunegate.score import Mode, Score, Unmeasurable


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether a judge has earned the right to gate: `why` says why not, "" where it has.

    `measured` is what was found, "kappa 0.82 (0.64 to 1.00) with 40 human labels"; `stale` says
    what has changed since it was measured before.
    """

    reason: str
    measured: str = ""
    stale_note: str = ""

    @property
    def may_gate(self) -> bool:
        """Whether the judge may gate."""
        return not self.reason


class JudgedScore(Score):
    """A Score by a judge. `advisory`: the judge has not earned the right to gate.

    Comparing an advisory score with a limit raises Unmeasurable: it can neither open nor close a
    gate. Ask `if not judged.advisory` first.
    """

    calibration: Calibration

    @classmethod
    def of(cls, score: Score, calibration: Calibration) -> JudgedScore:
        """Return a score with its standing, which its name and its signature tell too."""
        judged_score = _rebuild(float(score), {**score.__dict__, "calibration": calibration})
        measured_text = calibration.measured
        if calibration.reason:
            measured_text = f"advisory: {calibration.reason}"
            judged_score.name = f"{score.name}, advisory"
            judged_score.hints += (f"gates nothing: {calibration.reason}",)
        if calibration.stale_note:
            judged_score.hints += (calibration.stale_note,)
        judged_score.signature = f"{measured_text}|{score.signature}"
        judged_score.detail = "\n".join(
            filter(None, (measured_text, calibration.stale_note, score.detail))
        )
        return judged_score

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (float(self), self.__dict__)

    def by(self, mode: Mode) -> JudgedScore:
        """Return the score itself or its lower bound, with the same standing."""
        bound = super().by(mode)
        return self if bound is self else _rebuild(float(bound), bound.__dict__)

    @property
    def advisory(self) -> bool:
        """Whether this gates nothing; asking is a judgement: the session shows score and reason."""
        if self.calibration.may_gate:
            return False
        super()._compare(None, operator.ge, ">=")  # held to no limit
        return True

    def _compare(self, other: object, compare: Callable[[float, float], bool], sign: str) -> Any:
        __tracebackhide__ = True
        if (
            self.calibration.reason
            and isinstance(other, int | float)
            and not isinstance(other, Score)
        ):
            raise Unmeasurable(
                f"{self.name}: no limit can be held to it\n{self.calibration.reason}\n"
                "hold it to a limit only `if not judged.advisory`"
            )
        return super()._compare(other, compare, sign)


def _rebuild(value: float, state: dict[str, Any]) -> JudgedScore:
    judged_score = JudgedScore(value)
    judged_score.__dict__.update(state)
    return judged_score
