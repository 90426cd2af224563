"""Scores of answers that are JSON: the share that is valid, the share of fields that are right."""

import unicodedata
from typing import Any

from tunegate import Finding, Findings, Prediction, Predictions
from tunegate.data.canonical import to_json, with_whole_numbers
from tunegate.results.score import Score, not_applicable_score
from tunegate.utils.strict_json import Unreadable, parse_strict
from tunegate.utils.text import shorten

from ..stats import share
from .metric import Metric, mean

SIGNATURE = "the whole answer is one JSON value; no NaN, no key twice, no fence around it"

Path = tuple[str, ...]  # the keys that lead to a field


def expected(predictions: Predictions) -> bool:
    """Tell whether the test set asks for JSON: at least half of the replies are objects, arrays."""
    values = [_parse_or_nothing(p.expected) for p in predictions]
    return len(values) > 0 and sum(isinstance(v, dict | list) for v in values) * 2 >= len(values)


def valid(predictions: Predictions) -> Score:
    """Return the share of answers that are JSON, with Wilson's interval; misses say why not.

    Where fewer than half of the expected replies are JSON, it holds any limit.
    """
    if len(predictions) and not expected(predictions):
        return not_applicable_score("valid JSON", "few or no expected replies are JSON")
    wrong: list[Finding] = []
    for p in predictions:
        if p.error:
            wrong.append(p.finding("no answer", p.error))
            continue
        try:
            parse_strict(p.got)
        except Unreadable as error:
            reason = error.evidence.removeprefix("not JSON: ").partition(" (line ")[0]
            wrong.append(p.finding("not JSON", f"{reason}: {shorten(p.got, 40)!r}"))
    misses = Findings("invalid JSON", wrong, split="test", n=len(predictions))
    invalid = {*misses.rows}
    hits = [p.row not in invalid for p in predictions]
    return share("valid JSON", hits, predictions, misses=misses, signature=SIGNATURE)


def fields() -> Metric:
    """Return the mean share of fields that are right, 0 to 1, as a metric.

    Per example: the fields that both objects have with the same value, as a share of those that
    either has (an extra field is as wrong as a missing one). An inner object is compared field by
    field, an array as a whole; 1 equals 1.0, but not true. Invalid JSON has no field right. The
    detail is the table of `by_field`, the misses are the fields that differ.
    """
    return mean(
        "JSON fields", _right_share, signature=f"fields right of fields in either; {SIGNATURE}",
        misses=misses, detail=table,
    )  # fmt: skip


def misses(predictions: Predictions) -> Findings:
    """Return every field that is not as expected: lacking, unknown, or of another value."""
    findings: list[Finding] = []
    for p in predictions:
        if p.error:
            findings.append(p.finding("no answer", p.error))
            continue
        expected_fields, got = _fields_of(p)
        for path in expected_fields | got:
            if expected_fields.get(path) != got.get(path):
                kind = "lacking" if path not in got else "value"
                kind = kind if path in expected_fields else "unknown"
                sides = (side.get(path, "nothing") for side in (expected_fields, got))
                wanted, given = (shorten(value, 40) for value in sides)
                evidence = f"{_field_name(path)}: expected {wanted}, got {given}"
                findings.append(p.finding(kind, evidence))
    return Findings("JSON fields", findings, split="test", n=len(predictions))


def by_field(predictions: Predictions) -> dict[str, Score]:
    """Return, for each field that is expected, the share of examples that have it right."""
    different = misses(predictions)
    rows: dict[Path, list[tuple[Prediction, bool]]] = {}  # that have a field, and have it right
    for p in predictions:
        expected_fields, got = _fields_of(p)
        for path, value in expected_fields.items():
            rows.setdefault(path, []).append((p, got.get(path) == value))
    scores: dict[str, Score] = {}
    for path, of_path in sorted(rows.items(), key=lambda item: -len(item[1])):
        name = _field_name(path)
        of_field = [m for m in different if m.evidence.startswith(f"{name}: ")]
        scores[name] = share(
            f"field {name}", [right for _, right in of_path], [p for p, _ in of_path],
            misses=Findings(f"field {name}", of_field, split="test", n=len(of_path)),
            signature=SIGNATURE,
        )  # fmt: skip
    return scores


def table(predictions: Predictions) -> str:
    """Return the table of `by_field`, the worst field first."""
    return "\n".join(
        f"{float(s):>7.1%}  {s.hits:>6,} of {s.n:>6,}  {shorten(path, 50)}"
        for path, s in sorted(by_field(predictions).items(), key=lambda item: float(item[1]))
    )


def _right_share(p: Prediction) -> float:
    expected_fields, got = _fields_of(p)
    all_paths = expected_fields.keys() | got.keys()
    same = sum(path in got and got[path] == value for path, value in expected_fields.items())
    return same / len(all_paths) if all_paths else 0.0


def _field_name(path: Path) -> str:
    return ".".join(path) or "(the answer)"  # where the value is no object


_NOTHING = object()


def _parse_or_nothing(text: str) -> Any:
    try:
        return parse_strict(text)
    except Unreadable:
        return _NOTHING


def _fields_of(p: Prediction) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the fields of the expected reply and of the answer."""
    got = {} if p.error else _flatten(_parse_or_nothing(p.got))
    return _flatten(_parse_or_nothing(p.expected)), got


def _flatten(value: Any, above: Path = ()) -> dict[Path, str]:
    """Return the value of each field by its path, as JSON that is equal for equal values."""
    if value is _NOTHING:
        return {}
    if not isinstance(value, dict) or not value:
        return {above: unicodedata.normalize("NFC", to_json(with_whole_numbers(value)))}
    values_by_path: dict[Path, str] = {}
    for key, item in value.items():
        values_by_path |= _flatten(item, (*above, key))
    return values_by_path
