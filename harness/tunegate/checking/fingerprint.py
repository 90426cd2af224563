"""The ids of findings: made of what they are about, so that one is known again when rows move."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..results.finding import Finding, sort_by_line

if TYPE_CHECKING:
    from ..data.dataset import Dataset, Example

ID_LENGTH = (
    12  # hex digits: of 10,000 new findings and 1,000 known ones, two meet once in 28 million
)


def row_fingerprint(example: Example) -> str:
    """Return the sha256 of a row's fields: neither its place nor the order of its keys counts."""
    text = json.dumps(example.fields, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def rows_fingerprint(examples: Iterable[Example]) -> str:
    """Return the digest of several rows' contents, in whatever order they come."""
    return _sha256(sorted(map(row_fingerprint, examples)))


def add_fingerprints(
    check: str, findings: Iterable[Finding], dataset: Dataset
) -> Iterator[Finding]:
    """Yield the findings of a check, in the order of the file, each with its id.

    An id is a digest of check, kind and what the finding is about: what it says itself, else its
    row's content, else (it concerns the whole dataset) split and evidence, so that a changed figure
    is a new finding. The second finding of a kind about the same content has an id of its own.

    Hints have no id, and nothing that could not be read has one: an unreadable line is not trained
    on, so whoever accepted it would train, unsaid, on less than stands in the file.
    """
    unreadable = set(dataset.problems)
    occurrences: Counter[str] = Counter()
    for finding in sort_by_line(findings):
        parts = (
            None if finding.hint or finding in unreadable else _fingerprint_parts(finding, dataset)
        )
        if parts is None:
            yield finding
        else:
            key = _sha256([check, finding.kind, *parts])
            yield replace(finding, id=_sha256([key, occurrences[key]])[:ID_LENGTH])
            occurrences[key] += 1


def _fingerprint_parts(finding: Finding, dataset: Dataset) -> list[str] | None:
    if finding.about:
        return ["about", finding.about]
    if finding.row is None:
        return None if finding.line is not None else ["all", dataset.split, finding.evidence]
    inside = 0 <= finding.row < len(dataset)
    return ["row", row_fingerprint(dataset[finding.row])] if inside else None


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
