"""Keys and tokens that open somebody's account: a model repeats what it was trained on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tunegate import Dataset, Finding, check

from ..detect.api_keys import key_spans, possible_key_spans
from ..text.text_fields import text_fields


@check(name="secrets", rows=True)
def find(dataset: Dataset) -> Iterator[Finding]:
    """Yield every key that a vendor's prefix gives away; values that only look random are hints.

    Source of each rule: `personal.vendors`. A hint closes no gate: `token = <20 random characters>`
    is often a test's invention, and as often somebody's key.
    """
    for example, text_field in text_fields(dataset):
        keys = key_spans(text_field.text)
        for s in keys:
            evidence = f"{text_field.path} {_mask_key(text_field.text[s.start : s.end])}"
            yield Finding(example.row, example.line, s.kind, evidence, about=text_field.shared_text)
        for s in possible_key_spans(text_field.text):
            if all(s.end <= k.start or k.end <= s.start for k in keys):
                yield Finding(
                    example.row, example.line, s.kind, f"{text_field.path} ***", hint=True
                )


def _mask_key(value: str) -> str:
    """The vendor's prefix says which key to revoke; nothing of the key itself is shown."""
    prefix = re.match(r"-----BEGIN|[A-Za-z]{2,6}[-_](?:[a-z]{3,7}[-_])?|AKIA|ASIA|AIza|eyJ", value)
    return f"{prefix[0] if prefix and len(value) > 16 else ''}***"
