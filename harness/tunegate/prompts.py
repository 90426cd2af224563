"""What of an example is compared with another: its prompt, less what most rows share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from .dataset import Example

K = TypeVar("K", bound=Hashable)

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


def pictures(example: Example) -> str:
    """Return the parts of an example that are not text, as JSON; "" for none.

    Two rows that ask the same about different pictures are not alike.
    """
    contents = [message.get("content") for message in example.messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    shown = [part for part in parts if not (isinstance(part, dict) and "text" in part)]
    return json.dumps(shown, sort_keys=True) if shown else ""


def calls(example: Example) -> str:
    """Return the tool calls of an example as JSON; "" for none."""
    keys = ("tool_calls", "function_call")
    made = [message[key] for message in example.messages for key in keys if message.get(key)]
    return json.dumps(made, sort_keys=True) if made else ""


def question(example: Example) -> tuple[str, str]:
    """Return what two rows have in common that ask the same: of all places the one that says so.

    The prompt, without case and white space, and the parts that are not text. A row without a
    prompt asks by its pictures; one without these either by its reply. The system message does not
    count.
    """
    shown = pictures(example)
    asked = example.prompt if shown else _asked(example)
    return " ".join(asked.casefold().split()), shown


def standing(test: Sequence[Example], train: Sequence[Example]) -> dict[int, list[int]]:
    """Return the places of the test rows that stand in training, each with those in `train`."""
    there = places_by(train, question)
    asked = ((i, there.get(question(example))) for i, example in enumerate(test))
    return {i: places for i, places in asked if places}


def places_by(examples: Iterable[Example], key: Callable[[Example], K]) -> dict[K, list[int]]:
    """Return the places of the examples, by a key."""
    places: dict[K, list[int]] = {}
    for place, example in enumerate(examples):
        places.setdefault(key(example), []).append(place)
    return places
