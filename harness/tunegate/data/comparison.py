"""What of an example is compared with another: its prompt, less what most rows share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from .dataset import Example

K = TypeVar("K", bound=Hashable)

BOILERPLATE_SHARE = (
    0.5  # of the rows: an instruction that this many begin or end with is boilerplate
)
MIN_ROWS = 20  # rows: among fewer, half of them may well be true duplicates
MAX_LABEL_LETTERS = 50  # letters
MAX_LABEL_WORDS = 5


def comparison_texts(*datasets: Iterable[Example]) -> list[list[str]]:
    """Return, for each dataset, the lower-cased prompts; an example without one gives its reply.

    The system message is not part of a prompt. An instruction that half of all rows repeat before
    (or behind) their own words is left out, since it would make any two of them look alike.
    """
    texts = [[_prompt_or_reply(e).lower() for e in dataset] for dataset in datasets]
    head = _shared_beginning([t for side in texts for t in side])
    tail = _shared_beginning([t.removeprefix(head)[::-1] for side in texts for t in side])[::-1]
    return [[t.removeprefix(head).removesuffix(tail) for t in side] for side in texts]


def _prompt_or_reply(example: Example) -> str:
    return example.prompt if example.prompt.strip() else example.reply


def _shared_beginning(texts: Sequence[str]) -> str:
    """Return the longest beginning, of 20 letters or more, that half of the texts have in common.

    It ends at white space. Sorted, texts with a common beginning stand side by side.
    """
    if len(texts) < MIN_ROWS:
        return ""
    ordered, step = sorted(texts), int(len(texts) * BOILERPLATE_SHARE)
    common = (_common_prefix(a, b) for a, b in zip(ordered, ordered[step:], strict=False))
    longest = max(common, key=len, default="")
    beginning = longest[: 1 + max(longest.rfind(" "), longest.rfind("\n"))]
    return beginning if len(beginning) >= 20 else ""


def _common_prefix(first: str, second: str) -> str:
    n = 0
    for n, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return first[:n]
    return first if len(first) <= len(second) else second


def is_label(reply: str) -> bool:
    """Tell a short answer from prose: one line, at most 5 words and 50 letters."""
    text = reply.strip()
    short = len(text) <= MAX_LABEL_LETTERS and len(text.split()) <= MAX_LABEL_WORDS
    return bool(text) and short and "\n" not in text


def label_counts(examples: Sequence[Example]) -> Counter[str]:
    """Return the labels with their counts where the task is classification, else nothing.

    It is when every reply is a label, and a label has three examples or more on average.
    """
    labels = Counter(e.label for e in examples)
    few = len(labels) * 3 <= len(examples)
    return labels if few and all(map(is_label, labels)) else Counter()


def non_text_parts(example: Example) -> str:
    """Return the parts of an example that are not text, as JSON; "" for none.

    Two rows that ask the same about different pictures are not alike.
    """
    contents = [message.get("content") for message in example.messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    non_text = [part for part in parts if not (isinstance(part, dict) and "text" in part)]
    return json.dumps(non_text, sort_keys=True) if non_text else ""


def tool_calls_json(example: Example) -> str:
    """Return the tool calls of an example as JSON; "" for none."""
    keys = ("tool_calls", "function_call")
    tool_calls = [message[key] for message in example.messages for key in keys if message.get(key)]
    return json.dumps(tool_calls, sort_keys=True) if tool_calls else ""


def question_key(example: Example) -> tuple[str, str]:
    """Return what two rows have in common that ask the same: of all places the one that says so.

    The prompt, without case and white space, and the parts that are not text. A row without a
    prompt asks by its pictures; one without these either by its reply. The system message does not
    count.
    """
    shown = non_text_parts(example)
    asked = example.prompt if shown else _prompt_or_reply(example)
    return " ".join(asked.casefold().split()), shown


def rows_in_training(test: Sequence[Example], train: Sequence[Example]) -> dict[int, list[int]]:
    """Return the places of the test rows that stand in training, each with those in `train`."""
    there = group_indices(train, question_key)
    asked = ((i, there.get(question_key(example))) for i, example in enumerate(test))
    return {i: places for i, places in asked if places}


def group_indices(examples: Iterable[Example], key: Callable[[Example], K]) -> dict[K, list[int]]:
    """Return the places of the examples, by a key."""
    indices: dict[K, list[int]] = {}
    for index, example in enumerate(examples):
        indices.setdefault(key(example), []).append(index)
    return indices
