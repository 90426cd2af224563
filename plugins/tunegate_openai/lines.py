"""From a line of the uploaded file, which a provider complains of, to a line of the user's own."""

from __future__ import annotations

import re

from tunegate import Dataset

_LINE_NUMBER = re.compile(r"\b(?:line|row|example)s?\s+#?(\d+)", re.IGNORECASE)


def row_of_line(message: str, dataset: Dataset) -> str:
    """Return ` (line 3 there is line 5 of the training data)` for what a message names, or "".

    Line n of the upload is example n, counted from 1.
    """
    match = _LINE_NUMBER.search(message)
    number = int(match.group(1)) if match else 0
    if not 1 <= number <= len(dataset):
        return ""
    return f" (line {number} there is line {dataset[number - 1].line} of the training data)"
