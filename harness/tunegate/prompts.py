"""What of an example is compared with another: its prompt, less what most rows share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .dataset import Example

SHARED_BY = 0.5  # of the rows: an instruction that this many begin or end with is boilerplate
FEWEST = 20  # rows: among fewer, half of them may well be true duplicates
LONGEST_LABEL = 50  # letters
MOST_WORDS = 5


def compared(*datasets: Iterable[Example]) -> list[list[str]]:
    """Return, for each dataset, the lower-cased prompts; an example without one gives its reply.

    The system message is not part of a prompt. An instruction that half of all rows repeat before
    (or behind) their own words is left out, since it would make any two of them look alike.
    """
    texts = [[_asked(e).lower() for e in dataset] for dataset in datasets]
    head = _shared([t for side in texts for t in side])
    tail = _shared([t.removeprefix(head)[::-1] for side in texts for t in side])[::-1]
    return [[t.removeprefix(head).removesuffix(tail) for t in side] for side in texts]


def _asked(example: Example) -> str:
    return example.prompt if example.prompt.strip() else example.reply


def _shared(texts: Sequence[str]) -> str:
    """Return the longest beginning, of 20 letters or more, that half of the texts have in common.

    It ends at white space. Sorted, texts with a common beginning stand side by side.
    """
    if len(texts) < FEWEST:
        return ""
    ordered, step = sorted(texts), int(len(texts) * SHARED_BY)
    common = (_common(a, b) for a, b in zip(ordered, ordered[step:], strict=False))
    longest = max(common, key=len, default="")
    words = longest[: 1 + max(longest.rfind(" "), longest.rfind("\n"))]
    return words if len(words) >= 20 else ""


def _common(one: str, other: str) -> str:
    n = 0
    for n, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return one[:n]
    return one if len(one) <= len(other) else other


def is_label(reply: str) -> bool:
    """Tell a short answer from prose: one line, at most 5 words and 50 letters."""
    text = reply.strip()
    short = len(text) <= LONGEST_LABEL and len(text.split()) <= MOST_WORDS
    return bool(text) and short and "\n" not in text


def classes(examples: Sequence[Example]) -> Counter[str]:
    """Return the labels with their counts where the task is classification, else nothing.

    It is when every reply is a label, and a label has three examples or more on average.
    """
    labels = Counter(e.label for e in examples)
    few = len(labels) * 3 <= len(examples)
    return labels if few and all(map(is_label, labels)) else Counter()


def unspoken(example: Example) -> str:
    """Return what an example holds beside its text, as JSON: images, tool calls; "" for nothing.

    Two rows that ask the same about different pictures are not duplicates.
    """
    found: list[Any] = []
    for message in example.messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        found += [p for p in parts if not (isinstance(p, dict) and "text" in p)]
        found += [message[key] for key in ("tool_calls", "function_call") if message.get(key)]
    return json.dumps(found, sort_keys=True) if found else ""


