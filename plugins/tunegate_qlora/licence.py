"""The licence of a base, as far as its folder says."""

from __future__ import annotations

import re
from pathlib import Path

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", re.DOTALL)
_UNSPECIFIED = {"", "other", "unknown"}


def licence_of(root: Path) -> str:
    """Return the licence that the front matter of a base's README.md names; "" for none.

    `license: other` names it in `license_name`. https://huggingface.co/docs/hub/model-cards
    """
    try:
        front = _FRONT_MATTER.match((root / "README.md").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    lines = front[1].splitlines() if front else []
    front_matter = {
        k.strip(): v.strip(" '\"") for k, _, v in (line.partition(":") for line in lines)
    }
    names = (front_matter.get(key, "") for key in ("license", "license_name"))
    return next((name for name in names if name.casefold() not in _UNSPECIFIED), "")
