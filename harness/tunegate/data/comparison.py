"""Defines what two examples are compared by: prompts without boilerplate, pictures, tool calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from .dataset import Example

K = TypeVar("K", bound=Hashable)

BOILERPLATE_SHARE = 0.5  # of the rows: a beginning or end that so many share is boilerplate
MIN_ROWS = 20  # rows: half of fewer rows may well be true duplicates
MIN_BOILERPLATE_LETTERS = 20
MAX_LABEL_LETTERS = 50
MAX_LABEL_WORDS = 5


def comparison_texts(*datasets: Iterable[Example]) -> list[list[str]]:
    """Return, for each dataset, the texts that near-duplicates are searched in, one per example.

    A text is the prompt in lower case, without the system message; the reply if there is no prompt.
    An instruction that half of all rows begin or end with is removed, because it would make any
    two of them look alike.
    """
    texts = [[_prompt_or_reply(e).lower() for e in dataset] for dataset in datasets]
    head = _shared_beginning([t for side in texts for t in side])
    tail = _shared_beginning([t.removeprefix(head)[::-1] for side in texts for t in side])[::-1]
    return [[t.removeprefix(head).removesuffix(tail) for t in side] for side in texts]


def _prompt_or_reply(example: Example) -> str:
    return example.prompt if example.prompt.strip() else example.reply


def _shared_beginning(texts: Sequence[str]) -> str:
    """Return the longest beginning that half of the texts share; "" if it is under 20 letters.

    The beginning ends at white space.
    """
    if len(texts) < MIN_ROWS:
        return ""
    # In sorted order, the texts between two texts begin with all that these two begin with.
    ordered, step = sorted(texts), int(len(texts) * BOILERPLATE_SHARE)
    longest = ""
    for first, last in zip(ordered, ordered[step:], strict=False):
        letters = enumerate(zip(first, last, strict=False))
        size = next((i for i, (a, b) in letters if a != b), min(len(first), len(last)))
        longest = first[:size] if size > len(longest) else longest
    beginning = longest[: 1 + max(longest.rfind(" "), longest.rfind("\n"))]
    return beginning if len(beginning) >= MIN_BOILERPLATE_LETTERS else ""


def is_label(reply: str) -> bool:
    """Tell whether a reply is a label: one line of at most 5 words and 50 letters."""
    text = reply.strip()
    short = len(text) <= MAX_LABEL_LETTERS and len(text.split()) <= MAX_LABEL_WORDS
    return bool(text) and short and "\n" not in text


def label_counts(examples: Sequence[Example]) -> Counter[str]:
    """Return how often each label occurs if the task is classification, else an empty Counter.

    The task is classification if every reply is a label, and a label has three examples or more on
    average.
    """
    labels = Counter(e.label for e in examples)
    few = len(labels) * 3 <= len(examples)
    return labels if few and all(map(is_label, labels)) else Counter()


def non_text_parts(example: Example) -> str:
    """Return the parts of an example that are not text, such as pictures, as JSON; "" for none.

    Two rows that ask the same about different pictures are not duplicates.
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
    """Return a key that is equal for two rows if they ask the same question.

    This is the only definition of "the same question": leakage, split and promotion use it. The key
    is the prompt, without case and white space, and the parts that are not text. A row with neither
    has its reply as the key. The system message is no part of the key.
    """
    parts = non_text_parts(example)
    question = example.prompt if parts else _prompt_or_reply(example)
    return " ".join(question.casefold().split()), parts


def rows_in_training(test: Sequence[Example], train: Sequence[Example]) -> dict[int, list[int]]:
    """Return the index of each test row whose question is in `train`, with its indices there."""
    train_rows = group_indices(train, question_key)
    matches = ((i, train_rows.get(question_key(example))) for i, example in enumerate(test))
    return {i: indices for i, indices in matches if indices}


def group_indices(examples: Iterable[Example], key: Callable[[Example], K]) -> dict[K, list[int]]:
    """Return the indices of the examples that have each key."""
    indices: dict[K, list[int]] = {}
    for index, example in enumerate(examples):
        indices.setdefault(key(example), []).append(index)
    return indices
