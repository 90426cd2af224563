"""The standing: a judge may gate once it agrees with people, and while nothing has changed.

It is measured in every session, on answers from the cache: by kappa with the human labels, and for
comparisons by the share of verdicts that stay when the order is swapped. What it was measured with
is remembered, so that a standing gone stale is said to be so, and why.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunegate.files import write_whole
from tunegate.judge_panel import JudgePanel
from tunegate.score import Score, shown
from tunegate.sealed import digest_of

from . import labels, prompt
from .judged import Standing
from .labels import Labels
from .rubric import Rubric

NO_LABELS = "no human labels; name a file of them: [judge] labels"


def of(
    kind: str, agreed: Score, errors: Sequence[str], read: Labels, rubric: Rubric, panel: JudgePanel
) -> Standing:
    """Return the standing that this agreement earns, and remember what it was measured with.

    `errors` are those of the labels that the judge failed to judge.
    """
    made_with = parts(rubric, panel, read)
    path = (
        panel.calibration_dir
        and panel.calibration_dir / f"{kind}-{digest_of(rubric.name)[:12]}.json"
    )
    changed = ", ".join(_changed(path, made_with))
    measured = f"kappa {_figures(agreed)} with {agreed.n:,} human labels"
    if errors:
        measured += f", {len(errors):,} of them unjudged"
    stale = f"its standing was stale, {changed} changed: measured again" if changed else ""
    standing = Standing(_why(agreed, measured, errors, panel), measured, stale)
    if path:
        _remember(path, made_with, agreed, standing)
    return standing


def parts(rubric: Rubric, panel: JudgePanel, read: Labels) -> dict[str, str]:
    """Return the digests of everything that the standing depends on."""
    judges = [judge.digest for judge in panel.judges]
    return {
        "rubric": rubric.digest,
        "judge": digest_of([judges, panel.repetitions]),
        "prompt": prompt.version(),
        "labels": read.digest,
    }


def _why(agreed: Score, measured: str, errors: Sequence[str], panel: JudgePanel) -> str:
    if agreed.n < panel.fewest_labels:
        return f"{agreed.n:,} human labels for it, {panel.fewest_labels:,} are needed"
    if len(errors) == agreed.n:
        return f"none of {agreed.n:,} human labels could be judged: {errors[0]}"
    if math.isnan(agreed):
        return f"the {agreed.n:,} human labels are all alike: they cannot show agreement"
    if float(agreed) < panel.kappa - 1e-9:  # 0.4 comes out of floats as 0.39999999999999997
        first = f"; the first such: {errors[0]}" if errors else ""
        return f"{measured}, {panel.kappa:g} is needed{first}"
    return ""


def _figures(agreed: Score) -> str:
    return f"{float(agreed):.2f} ({agreed.low:.2f} to {agreed.high:.2f})"


def unswayed(standing: Standing, consistency: Score, panel: JudgePanel) -> Standing:
    """Return the standing of comparisons, with their swap consistency taken into account.

    Where there was nothing to compare, nothing swayed.
    """
    told = f"swap consistency {shown(consistency, True)} of {consistency.n:,}"
    if standing.why or consistency.n == 0:
        return standing
    if float(consistency) < panel.swap_consistency:
        return replace(standing, why=f"{told}, {panel.swap_consistency:.0%} is needed")
    return replace(standing, measured=f"{standing.measured}; {told}")


def _changed(path: Path | None, made_with: Mapping[str, str]) -> Sequence[str]:
    try:
        before = json.loads(path.read_bytes())["measured with"] if path else made_with
        return [part for part, digest in made_with.items() if before.get(part) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []  # never measured here, or a note that nobody can read


def _remember(path: Path, made_with: Mapping[str, str], agreed: Score, standing: Standing) -> None:
    known = {k: None if math.isnan(v) else v for k, v in _numbers(agreed).items()}
    note: dict[str, Any] = {"measured with": made_with, **known, "n": agreed.n}
    text = json.dumps({**note, "advisory": standing.why}, indent=2, ensure_ascii=False)
    write_whole(path, text.encode() + b"\n", mode=0o600)


def _numbers(agreed: Score) -> dict[str, float]:
    return {"kappa": float(agreed), "low": agreed.low, "high": agreed.high}


def read(panel: JudgePanel, rubric: Rubric) -> Labels | None:
    """Read the human labels, if there are any; raises ConfigError."""
    __tracebackhide__ = True
    return labels.load(panel.labels, rubric) if panel.labels else None
