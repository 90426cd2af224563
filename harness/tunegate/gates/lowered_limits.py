"""Names the limits that are weaker than they were when the data gate opened."""

from collections.abc import Iterator, Mapping
from typing import Any

# A value must be at least these; at most the numbers that are not listed here.
AT_LEAST = {
    *("fewest_examples", "smallest_test", "validation_low", "reviewed", "rarest_class", "distinct"),
    *("accuracy", "macro_f1", "improvement", "judge", "judge_wins", "worst_slice", "chrf"),
    *("rouge_l", "valid_json", "parses", "majority", "pass_at_k", "pass_hat_k", "difference"),
    *("tool_calls", "contract"),
}
AT_MOST = {
    *("largest_mb", "validation_high", "psi", "drift_auc", "review_errors", "similarity"),
    *("near_duplicates", "opening", "margin", "latency_p50", "latency_p95", "tokens"),
    *("cost_per_1000", "latency_ratio", "tokens_ratio", "cost_ratio", "flips", "overfitting"),
    *("cut_off", "refusals", "forgetting", "surrogates"),
}


def lowered_limits(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return by name the limits that are weaker now: the value before, and now.

    Of a limit of one's own, and of `fewest_per_class`, any change is named: nothing says which way
    it is held. A limit that only one side knows is not compared.
    """
    limits, limits_now = dict(_flat(before)), dict(_flat(now))
    common = {name for name in limits if name in limits_now or "." in name}
    pairs = {name: [limits[name], limits_now.get(name)] for name in sorted(common)}
    return {name: pair for name, pair in pairs.items() if is_weaker(name, *pair)}


def _flat(limits: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each limit by its name, those of tables as `fields.NAME` and `compare.MODEL.NAME`."""
    for name, value in limits.items():
        inner = _flat(value) if isinstance(value, dict) else ()
        yield from ((f"{name}.{key}", v) for key, v in inner) if inner else [(name, value)]


def is_weaker(name: str, before: Any, now: Any) -> bool:
    """Return whether a limit lets more pass than it did."""
    table, _, key = name.partition(".")
    if table == "own":
        return bool(before != now)
    if table == "fields":
        return now is None or bool(now < before)
    name = key.rpartition(".")[2] or table
    if isinstance(before, list) and isinstance(now, list):  # kinds and values that are not asked
        return not {*now} <= {*before}
    if name == "mode":
        return bool(before == "lower" and now == "point")
    if name not in AT_LEAST | AT_MOST:
        return bool(before != now)
    if before is None or now is None:
        return before is not None and now is None
    return bool(now < before) if name in AT_LEAST else bool(now > before)


def lowered_text(lowered: Mapping[str, list[Any]]) -> str:
    """Return the limits in one line, `accuracy 0.95 -> 0.6`; `none` for one that is not set."""
    return ", ".join(
        f"{name} {' -> '.join('none' if value is None else str(value) for value in values)}"
        for name, values in lowered.items()
    )
