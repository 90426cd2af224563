"""The wrong answers, told as the terminal tells them."""

from __future__ import annotations

from ..extraction import label_rule
from ..findings import Finding
from ..labelled import wrong_labels as listed
from ..render import MAX_HINTS_VERBOSE
from .gather import RunFiles
from .page import Miss, Misses

NO_SCORECARD = "Never judged: there is no answer to look at."
NO_TEST = "The test data that it was judged on is not here any more (purged, or moved)."
NO_ANSWERS = "The answers are not kept any more: only their counts are."
ANSWERS_CHANGED = (
    "The answers that are kept do not add up to what was judged: some were purged, or `label` in "
    "the configuration was changed since."
)


def misses_section(files: RunFiles) -> Misses | str:
    """Return the first wrong answers; a sentence where they cannot be shown, or there are none."""
    card, task = files.card, files.config.task
    if card is None:
        return NO_SCORECARD
    if task != "classification":
        return f"Wrong answers are listed for classification; the task here is {task}."
    if files.test is None:
        return NO_TEST
    if files.predictions is None or not card["predictions"]:
        return NO_ANSWERS
    try:
        wrong_answers = listed(files.predictions, label_rule(files.config.label))
    except ValueError as error:  # the rule of today cannot read what was expected
        return f"{error}."
    counts = card["predictions"]
    if len(wrong_answers) != counts["n"] - counts["right"]:
        return ANSWERS_CHANGED
    if not len(wrong_answers):
        return f"None: all {counts['n']:,} answers were right."
    hidden = len(wrong_answers) - MAX_HINTS_VERBOSE
    more = (
        f"{hidden:,} more; tunegate failures {files.run.id} writes them all." if hidden > 0 else ""
    )
    total = f"{len(wrong_answers):,} of {counts['n']:,} answers were wrong."
    return Misses(tuple(map(_miss_row, wrong_answers[:MAX_HINTS_VERBOSE])), total, more)


def _miss_row(finding: Finding) -> Miss:
    line = "" if finding.line is None else f"{finding.line:,}"
    return Miss(line, finding.kind, finding.evidence)
