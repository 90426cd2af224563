"""What must not stand in a text that is committed: personal data, keys, what looks like one."""

from __future__ import annotations

from collections.abc import Iterator

from . import api_keys
from .engine import personal_spans


def find_private(text: str) -> Iterator[tuple[str, int]]:
    """Yield kind and place (of its first character, from 0) of all that is private in a text.

    The entry point `tunegate.private`: `tunegate` asks it before it writes what somebody said.
    """
    for span in [
        *personal_spans(text),
        *api_keys.key_spans(text),
        *api_keys.possible_key_spans(text),
    ]:
        yield span.kind, span.start
