"""What a judge's score is worth: its standing, and a Score that gates nothing without one."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunegate.models.judge_panel import JudgePanel
from tunegate.results.score import Mode, Score, Unmeasurable, format_value
from tunegate.utils.atomic import atomic_write
from tunegate.utils.hashing import sha256_json

from . import human_labels as labels
from . import prompt
from .human_labels import HumanLabels
from .rubric import Rubric


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


# [merged] The standing: a judge may gate once it agrees with people, and while nothing has changed.
#
# It is measured in every session, on answers from the cache: by kappa with the human labels, and for
# comparisons by the share of verdicts that stay when the order is swapped. What it was measured with
# is remembered, so that a standing gone stale is said to be so, and why.

NO_LABELS = "no human labels; name a file of them: [judge] labels"


def calibrate(
    kind: str,
    agreement: Score,
    errors: Sequence[str],
    human_labels: HumanLabels,
    rubric: Rubric,
    panel: JudgePanel,
) -> Calibration:
    """Return the standing that this agreement earns, and remember what it was measured with.

    `errors` are those of the labels that the judge failed to judge.
    """
    digests = calibration_digests(rubric, panel, human_labels)
    path = (
        panel.calibration_dir
        and panel.calibration_dir / f"{kind}-{sha256_json(rubric.name)[:12]}.json"
    )
    changed = ", ".join(_changed_parts(path, digests))
    measured = f"kappa {_kappa_text(agreement)} with {agreement.n:,} human labels"
    if errors:
        measured += f", {len(errors):,} of them unjudged"
    stale_note = f"its standing was stale, {changed} changed: measured again" if changed else ""
    calibration = Calibration(
        _not_calibrated_reason(agreement, measured, errors, panel), measured, stale_note
    )
    if path:
        _save_calibration(path, digests, agreement, calibration)
    return calibration


def calibration_digests(
    rubric: Rubric, panel: JudgePanel, human_labels: HumanLabels
) -> dict[str, str]:
    """Return the digests of everything that the standing depends on."""
    judges = [judge.digest for judge in panel.judges]
    return {
        "rubric": rubric.digest,
        "judge": sha256_json([judges, panel.repetitions]),
        "prompt": prompt.prompt_version(),
        "labels": human_labels.digest,
    }


def _not_calibrated_reason(
    agreement: Score, measured: str, errors: Sequence[str], panel: JudgePanel
) -> str:
    if agreement.n < panel.fewest_labels:
        return f"{agreement.n:,} human labels for it, {panel.fewest_labels:,} are needed"
    if len(errors) == agreement.n:
        return f"none of {agreement.n:,} human labels could be judged: {errors[0]}"
    if math.isnan(agreement):
        return f"the {agreement.n:,} human labels are all alike: they cannot show agreement"
    if float(agreement) < panel.kappa - 1e-9:  # 0.4 comes out of floats as 0.39999999999999997
        first_error = f"; the first such: {errors[0]}" if errors else ""
        return f"{measured}, {panel.kappa:g} is needed{first_error}"
    return ""


def _kappa_text(agreement: Score) -> str:
    return f"{float(agreement):.2f} ({agreement.low:.2f} to {agreement.high:.2f})"


def with_swap_consistency(
    calibration: Calibration, consistency: Score, panel: JudgePanel
) -> Calibration:
    """Return the standing of comparisons, with their swap consistency taken into account.

    Where there was nothing to compare, nothing swayed.
    """
    consistency_text = f"swap consistency {format_value(consistency, True)} of {consistency.n:,}"
    if calibration.reason or consistency.n == 0:
        return calibration
    if float(consistency) < panel.swap_consistency:
        return replace(
            calibration, reason=f"{consistency_text}, {panel.swap_consistency:.0%} is needed"
        )
    return replace(calibration, measured=f"{calibration.measured}; {consistency_text}")


def _changed_parts(path: Path | None, digests: Mapping[str, str]) -> Sequence[str]:
    try:
        before = json.loads(path.read_bytes())["measured with"] if path else digests
        return [part for part, digest in digests.items() if before.get(part) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []  # never measured here, or a note that nobody can read


def _save_calibration(
    path: Path, digests: Mapping[str, str], agreement: Score, calibration: Calibration
) -> None:
    numbers = {k: None if math.isnan(v) else v for k, v in _kappa_numbers(agreement).items()}
    note: dict[str, Any] = {"measured with": digests, **numbers, "n": agreement.n}
    text = json.dumps({**note, "advisory": calibration.reason}, indent=2, ensure_ascii=False)
    atomic_write(path, text.encode() + b"\n", mode=0o600)


def _kappa_numbers(agreement: Score) -> dict[str, float]:
    return {"kappa": float(agreement), "low": agreement.low, "high": agreement.high}


def read_human_labels(panel: JudgePanel, rubric: Rubric) -> HumanLabels | None:
    """Read the human labels, if there are any; raises ConfigError."""
    __tracebackhide__ = True
    return labels.load_human_labels(panel.labels, rubric) if panel.labels else None
