"""The wrong answers, told as the terminal tells them."""

from __future__ import annotations

from ..extraction import rule
from ..findings import Finding
from ..labelled import misses as listed
from ..render import MORE
from .gather import Found
from .page import Miss, Misses

UNJUDGED = "Never judged: there is no answer to look at."
NO_TEST = "The test data that it was judged on is not here any more (purged, or moved)."
NO_ANSWERS = "The answers are not kept any more: only their counts are."
CHANGED = (
    "The answers that are kept do not add up to what was judged: some were purged, or `label` in "
    "the configuration was changed since."
)


def misses(found: Found) -> Misses | str:
    """Return the first wrong answers; a sentence where they cannot be shown, or there are none."""
    card, task = found.card, found.config.task
    if card is None:
        return UNJUDGED
    if task != "classification":
        return f"Wrong answers are listed for classification; the task here is {task}."
    if found.test is None:
        return NO_TEST
    if found.predictions is None or not card["predictions"]:
        return NO_ANSWERS
    try:
        found_now = listed(found.predictions, rule(found.config.label))
    except ValueError as error:  # the rule of today cannot read what was expected
        return f"{error}."
    counts = card["predictions"]
    if len(found_now) != counts["n"] - counts["right"]:
        return CHANGED
    if not len(found_now):
        return f"None: all {counts['n']:,} answers were right."
    rest = len(found_now) - MORE
    more = f"{rest:,} more; tunegate failures {found.run.id} writes them all." if rest > 0 else ""
    total = f"{len(found_now):,} of {counts['n']:,} answers were wrong."
    return Misses(tuple(map(_miss, found_now[:MORE])), total, more)


def _miss(finding: Finding) -> Miss:
    line = "" if finding.line is None else f"{finding.line:,}"
    return Miss(line, finding.kind, finding.evidence)
