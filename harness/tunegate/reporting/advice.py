"""Says in one line what to do about a check that found something, or a score below its limit."""

from __future__ import annotations

import re

from ..config.schema import Limits

FIX = "`tunegate fix -o clean/`"
# By the name of the check. A check that a user wrote has no entry: its evidence says what to do.
ADVICE = {
    "balance": "add rows of the rare class, or set [limits] rarest_class",
    "consistency.across": "use one system prompt in all splits, that of [data] system",
    "consistency.inference": "use the system prompt of production in all rows: [data] system",
    "consistency.labels": "give training rows of that label, or set [label] where it is misread",
    "consistency.output_format": f"{FIX} respells labels; `task` says what replies are",
    "consistency.system_prompt": f"{FIX} evens white space out; write one prompt in all rows",
    "diversity": "add other rows, or set [limits] distinct and opening",
    "duplicates": f"{FIX} drops the copies",
    "duplicates.near": f"{FIX} drops them; [limits] near_duplicates and similarity set how many",
    "format": f"{FIX} repairs what has one remedy, and sets the other rows aside",
    "labels.contradictions": "decide which answer is right, and correct or drop the other row",
    "leakage": f"{FIX} drops them from the later split; [limits] similarity",
    "pii": f"{FIX} redacts; what may stay: [limits] pii_allow, pii_ignore",
    "preferences": "correct or drop the pair; [limits] similarity",
    "review": "`tunegate review` makes the sheet; [limits] reviewed, review_errors",
    "secrets": f"{FIX} redacts; revoke each key that was real",
    "size": "add rows, or set [limits] fewest_per_class",
    "size.enough_test_rows": "add test rows, or set [limits] smallest_test",
    "splits.drift": "draw the splits anew with `tunegate split`; [limits] psi, drift_auc",
    "splits.share": "`tunegate split` draws them; [limits] validation_low, validation_high",
    "tokens": "shorten the rows, or raise max_length under [train]",
}
LIMITS = frozenset(Limits.model_fields) - {"own", "mode"}
_FUNCTION = re.compile(r"<function (?:[\w.]*\.)?(\w+) at 0x[0-9a-f]+>")


def advice_for(name: str) -> str:
    """Return what to do about a check's findings or a score; "" where the name is a user's own."""
    limit = re.sub(r"[ -]", "_", name.lower())
    said = ADVICE.get(name) or (f"the limit is [limits] {limit}" if limit in LIMITS else "")
    return f"to do: {said}" if said else ""


def without_addresses(text: str) -> str:
    """Return a text of pytest's with the name of each function instead of its place in memory."""
    return _FUNCTION.sub(r"\1", text)
