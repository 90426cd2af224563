"""Says in one line what to do about a check that found something."""

from __future__ import annotations

import re
from collections.abc import Iterable

FIX = "`tunegate fix -o clean/`"
# By the name of the check, and of a kind of finding where the advice for others is none for it. A
# check that a user wrote has no entry: its evidence says what to do.
ADVICE = {
    "balance": "add rows of the rare class, or set [limits] rarest_class",
    "consistency.across": "write one system prompt in all splits, that of [data] system",
    "consistency.inference": "write the prompt of production in all rows: [data] system",
    "consistency.labels": "give training rows of that label; misread? [label]",
    "consistency.output_format": "write these replies as most are written; is `task` right?",
    "consistency.output_format: near miss": f"{FIX} respells labels",
    "consistency.system_prompt": "write one prompt in all rows",
    "diversity": "add other rows, or set [limits] distinct, opening",
    "duplicates": f"{FIX} drops the copies",
    "duplicates.near": f"{FIX} drops them; [limits] near_duplicates",
    "format": f"{FIX} repairs rows or sets them aside",
    "format: meaning": "take these rows out, or name the field in [data] ignore",
    "format: shape": "name the columns in [data], or write rows of a known shape",
    "format: too few": "add rows, or set [limits] fewest_examples",
    "format: too large": "split the file, or set [limits] largest_mb",
    "labels.contradictions": "decide which answer is right; drop or correct the others",
    "leakage": f"{FIX} drops them from the later split",
    "pii": f"{FIX} redacts; may some stay? [limits] pii_allow",
    "preferences": "correct or drop the pairs",
    "review": "`tunegate review` makes a sheet; [limits] reviewed, review_errors",
    "secrets": f"{FIX} redacts; revoke each key that was real",
    "size": "add rows, or set [limits] fewest_per_class",
    "size.enough_test_rows": "add test rows, or set [limits] smallest_test",
    "splits.drift": "`tunegate split --seed N` draws other splits; [limits] psi, drift_auc",
    "splits.share": "`tunegate split` draws them; [limits] validation_low, validation_high",
    "tokens": "shorten the rows, or raise max_length of [train]",
}
_FUNCTION = re.compile(r"<function (?:[\w.<>]*\.)?(\w+) at 0x[0-9a-f]+>")


def advice_for(check: str, kinds: Iterable[str] = ()) -> str:
    """Return what to do about findings of these kinds in one line; "" for a user's own check."""
    general = ADVICE.get(check, "")
    said = dict.fromkeys(ADVICE.get(f"{check}: {kind}", general) for kind in [*kinds] or [""])
    return f"to do: {'; '.join(said)}" if any(said) else ""


def without_addresses(text: str) -> str:
    """Return a text of pytest's with the name of each function instead of its place in memory."""
    return _FUNCTION.sub(r"\1", text)
