"""Names the limits that are weaker than they were when the data gate opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A value must be at least these; at most the numbers that are not listed here.
AT_LEAST = {
    *("fewest_examples", "smallest_test", "validation_low", "reviewed", "rarest_class", "distinct"),
    *("accuracy", "macro_f1", "improvement", "judge", "judge_wins", "worst_slice", "chrf"),
    *("rouge_l", "valid_json", "parses", "majority", "pass_at_k", "pass_hat_k", "difference"),
    "tool_calls",
}
AT_MOST = {
    *("largest_mb", "validation_high", "psi", "drift_auc", "review_errors", "similarity"),
    *("near_duplicates", "opening", "margin", "latency_p50", "latency_p95", "tokens"),
    *("cost_per_1000", "latency_ratio", "tokens_ratio", "cost_ratio", "flips", "overfitting"),
    *("cut_off", "refusals", "forgetting"),
}


def lowered_limits(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return by name the limits that are weaker now: the value before, and now.

    Nothing says which way a limit of one's own is held: any change of one is named. So is one of
    `fewest_per_class`, whose default depends on the task. A limit that only one side knows is not
    compared.
    """
    lowered = {}
    for name in before.keys() & now.keys() - {"own", "compare", "fields"}:
        if is_weaker(name, before[name], now[name]):
            lowered[name] = [before[name], now[name]]
    for model, limits in before.get("compare", {}).items():
        for name, value in limits.items():
            value_now = now.get("compare", {}).get(model, {}).get(name)
            if is_weaker(name, value, value_now):
                lowered[f"compare.{model}.{name}"] = [value, value_now]
    for name, value in before.get("fields", {}).items():
        value_now = now.get("fields", {}).get(name)
        if value_now is None or value_now < value:
            lowered[f"fields.{name}"] = [value, value_now]
    own = before.get("own", {}), now.get("own", {})
    for name in own[0]:
        if own[1].get(name) != own[0][name]:
            lowered[f"own.{name}"] = [own[0][name], own[1].get(name)]
    return dict(sorted(lowered.items()))


def is_weaker(name: str, before: Any, now: Any) -> bool:
    """Return whether a limit lets more pass than it did."""
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
