"""Makes rows of logged requests, with private values masked: what `suites/shadow` replays."""

import json
from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..utils.files import sha256_json
from ..utils.masking import hide_values, mask
from .canonical import request_digest
from .dataset import Dataset, Example
from .formats.row_format import given_tools

KEPT = ("messages", "tools", "logged", "metadata")  # of a logged request


def read_traffic(root: Path, patterns: Sequence[str], most: int) -> tuple[bytes, str]:
    """Return `most` of the logged requests, drawn at random, as JSON Lines; and what these are.

    They are masked, and each different request stands there once, in the order of its digest.
    Raises ConfigError where the files, which the patterns name from `root`, hold none.
    """
    found, rows = dict[str, Example](), dict[str, Example]()
    names = {pattern: glob(pattern, root_dir=root, recursive=True) for pattern in patterns}
    logged, unread = 0, [f"{pattern}: no such file" for pattern, some in names.items() if not some]
    for name in sorted({n for some in names.values() for n in some if (root / n).is_file()}):
        log = Dataset.read(root / name)
        logged += len(log)
        unread += [f"{name}, line {p.line}: {p.evidence}" for p in log.problems if not p.hint]
        found |= {_digest(example): example for example in log if example.given}
    for digest in sorted(found):
        masked = _masked(found[digest])
        rows.setdefault(_digest(masked), masked)
        if len(rows) == most:
            break
    left_out = f"; {len(unread):,} not read, the first {mask(unread[0])}" if unread else ""
    if not rows:
        advice = 'name logged requests, such as log = "logs/*.jsonl"'
        raise ConfigError(f"[shadow] log = {[*patterns]}: no request is there{left_out}; {advice}")
    text = "".join(json.dumps(row.fields, ensure_ascii=False) + "\n" for row in rows.values())
    about = f"{len(rows):,} of {len(found):,} different requests, {logged:,} logged{left_out}"
    return text.encode("utf-8", "backslashreplace"), about


def _digest(example: Example) -> str:
    return request_digest(example.given, given_tools(example.fields))


def _masked(example: Example) -> Example:
    """Return the row of a logged request, masked, with a digest that names its conversation.

    Requests of a conversation that has no name begin alike, up to the user's first message.
    """
    kept = {k: v for k, v in example.fields.items() if k in KEPT}
    row: dict[str, Any] = hide_values(kept, keys=True)
    users = [i for i, message in enumerate(example.given) if message["role"] == "user"]
    named = row.setdefault("logged", {}).pop("conversation", None)
    row["conversation"] = sha256_json(named or row["messages"][: (users or [0])[0] + 1])[:12]
    return replace(example, fields=row)
