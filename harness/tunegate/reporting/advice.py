"""Says in one line what to do about a check that found something."""

from __future__ import annotations

import re

FIX = "`tunegate fix -o clean/`"
# By the name of the check. A check that a user wrote has no entry: its evidence says what to do.
ADVICE = {
    "balance": "add rows of the rare class, or set [limits] rarest_class",
    "consistency.across": "write one system prompt in all splits, that of [data] system",
    "consistency.inference": "write the prompt of production in all rows: [data] system",
    "consistency.labels": "give training rows of that label; misread? [label]",
    "consistency.output_format": f"{FIX} respells labels; is `task` right?",
    "consistency.system_prompt": "write one prompt in all rows",
    "diversity": "add other rows, or set [limits] distinct, opening",
    "duplicates": f"{FIX} drops the copies",
    "duplicates.near": f"{FIX} drops them; [limits] near_duplicates",
    "format": f"{FIX} repairs rows or sets them aside; not `meaning`",
    "labels.contradictions": "decide which answer is right; drop or correct the others",
    "leakage": f"{FIX} drops them from the later split",
    "pii": f"{FIX} redacts; may some stay? [limits] pii_allow",
    "preferences": "correct or drop the pairs",
    "review": "`tunegate review` makes a sheet; [limits] reviewed, review_errors",
    "secrets": f"{FIX} redacts; revoke each key that was real",
    "size": "add rows, or set [limits] fewest_per_class",
    "size.enough_test_rows": "add test rows, or set [limits] smallest_test",
    "splits.drift": "`tunegate split`; rows of one user: [data] group_by; [limits] psi, drift_auc",
    "splits.share": "`tunegate split` draws them; [limits] validation_low, validation_high",
    "tokens": "shorten the rows, or raise max_length of [train]",
}
_FUNCTION = re.compile(r"<function (?:[\w.<>]*\.)?(\w+) at 0x[0-9a-f]+>")


def advice_for(check: str) -> str:
    """Return what to do about the findings of a check, as one line; "" for a user's own check."""
    said = ADVICE.get(check)
    return f"to do: {said}" if said else ""


def without_addresses(text: str) -> str:
    """Return a text of pytest's with the name of each function instead of its place in memory."""
    return _FUNCTION.sub(r"\1", text)
