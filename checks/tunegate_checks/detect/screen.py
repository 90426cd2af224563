"""Find personal data and keys in a text that is about to be written into a committed file."""

from __future__ import annotations

from collections.abc import Iterator

from . import api_keys
from .engine import personal_spans


def find_private(text: str) -> Iterator[tuple[str, int]]:
    """Yield kind and position (from 0) of personal data, keys and possible keys in a text.

    The entry point `tunegate.private`: `tunegate` checks reasons with it before it writes them.
    """
    for span in [
        *personal_spans(text),
        *api_keys.key_spans(text),
        *api_keys.possible_key_spans(text),
    ]:
        yield span.kind, span.start
