"""Score the tool calls of answers: which tools, with which arguments, in which order."""

import json
from typing import Any

from tunegate import Finding, Findings, Prediction, Predictions
from tunegate.data.canonical import to_json, with_whole_numbers
from tunegate.results.score import Score, not_applicable_score
from tunegate.utils.text import shorten

from ..stats import share

SIGNATURE = "names, arguments as JSON values, and order of all tool calls; text beside is not read"


def accuracy(predictions: Predictions) -> Score:
    """Return the share of rows whose tool calls are those expected, with Wilson's interval.

    The rows are those that expect a call, offer tools, or were answered with a call: a call that
    nobody expects is wrong too. Without any, it holds any limit.
    """
    offers = ("tools", "functions")  # fields of a row
    rows = [p for p in predictions if p.expected_calls or p.calls or any(map(p.fields.get, offers))]
    if not rows and len(predictions):
        return not_applicable_score("tool calls", "no row expects or offers a tool call")
    differences = [_difference(p) for p in rows]
    misses = Findings("tool calls", [*filter(None, differences)], split="test", n=len(rows))
    right = [difference is None for difference in differences]
    return share("tool calls", right, rows, misses=misses, signature=SIGNATURE)


def _difference(p: Prediction) -> Finding | None:
    """Return a finding for the first call that is not as expected; None where all are."""
    if p.error:
        return p.finding("no answer", p.error)
    # As texts, for which false is not 0, nor true 1.
    asked = (with_whole_numbers(json.loads(c or "[]")) for c in (p.expected_calls, p.calls))
    expected, got = ([*map(to_json, calls)] for calls in asked)
    if expected == got:
        return None
    n = max(len(expected), len(got))
    pairs = zip(*(calls + ["null"] * (n - len(calls)) for calls in (expected, got)), strict=True)
    # None: one of them has ended.
    wanted, given = map(json.loads, next((a, b) for a, b in pairs if a != b))
    if len(expected) != len(got):
        kind = "missing call" if len(got) < len(expected) else "extra call"
    elif all(call in expected for call in got):
        kind = "order"
    else:
        kind = "arguments" if wanted["name"] == given["name"] else "name"
    beside = f" but {shorten(p.got, 30)!r}" if given is None else ""
    return p.finding(kind, f"expected {_shown(wanted)}, got {_shown(given)}{beside}")


def _shown(call: Any) -> str:
    arguments = json.dumps(call["arguments"], ensure_ascii=False) if call else ""
    return shorten(f"{call['name']}({arguments})", 60) if call else "no call"
