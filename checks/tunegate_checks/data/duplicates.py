"""Duplicates: no two rows of a dataset may repeat each other.

Two rows repeat each other if both prompt and reply are alike. Equal replies to different prompts
are allowed: labels are such replies. System messages are not compared. Pictures, tool calls and the
rejected reply must be equal too: one reply preferred to two others is two preferences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

from tunegate.checking.decorator import check
from tunegate.checking.fingerprint import rows_fingerprint
from tunegate.data.comparison import (
    comparison_texts,
    group_indices,
    is_label,
    non_text_parts,
    tool_calls_json,
)
from tunegate.data.dataset import Dataset, Example, content_text, rejected_reply
from tunegate.results.finding import Finding
from tunegate.similarity import search

from ..text.display import diff, normalise, quote_line

MIN_REPLY_WORDS = 13  # a reply of so many words is neither a label nor a set phrase


@check(name="duplicates")
def find(dataset: Dataset) -> Iterator[Finding]:
    """Yield each row that repeats an earlier one: "exact", or "normalised" by `display.normalise`.

    Hints, which close no gate: "prompt", the same prompt with another reply in prose; "reply", one
    long reply to several prompts.
    """
    same_text = _first_rows_by(dataset, partial(_example_key, transform=str))
    same_normalised = _first_rows_by(dataset, _example_key)
    same_prompt = _first_rows_by(dataset, _prompt_key)
    same_reply = _first_rows_by(dataset, _reply_key)
    members: defaultdict[int, list[Example]] = defaultdict(list)
    for example in dataset:
        members[same_normalised[example.row]].append(example)
    groups = {row: rows_fingerprint(rows) for row, rows in members.items() if len(rows) > 1}
    for example in dataset:
        if (first := same_text[example.row]) != example.row:
            yield _repeat_finding(example, dataset[first], "exact", groups[same_normalised[first]])
        elif (first := same_normalised[example.row]) != example.row:
            yield _repeat_finding(example, dataset[first], "normalised", groups[first])
        elif (first := same_prompt[example.row]) != example.row and not is_label(example.reply):
            yield _repeat_finding(example, dataset[first], "prompt", hint=True)
        elif (first := same_reply[example.row]) != example.row:
            yield _repeat_finding(example, dataset[first], "reply", hint=True)


def _first_rows_by(dataset: Dataset, key: Callable[[Example], Hashable]) -> list[int]:
    """Return for each row the first row with the same key; a key of None equals no other."""
    seen: dict[Hashable, int] = {}
    keys = ((e.row, key(e)) for e in dataset)
    return [row if k is None else seen.setdefault(k, row) for row, k in keys]


def _example_key(example: Example, transform: Callable[[str], str] = normalise) -> Hashable:
    texts = transform(example.prompt), transform(example.reply), _rejected_key(example, transform)
    return texts, non_text_parts(example), tool_calls_json(example)


def _rejected_key(example: Example, transform: Callable[[str], str]) -> Hashable:
    """Return the rejected reply as a key: its transformed text, other parts and tool calls."""
    reply = rejected_reply(example)
    if reply is None:
        return None
    reply_example = Example(example.row, example.line, {"messages": [reply]})
    text = transform(content_text(reply))
    return text, non_text_parts(reply_example), tool_calls_json(reply_example)


def _label_key(text: str) -> str:
    return normalise(text) if is_label(text) else ""


def _prompt_key(example: Example) -> Hashable:
    return (normalise(example.prompt), non_text_parts(example)) if example.prompt.strip() else None


def _reply_key(example: Example) -> Hashable:
    return normalise(example.reply) if len(example.reply.split()) >= MIN_REPLY_WORDS else None


def _repeat_finding(
    example: Example, first: Example, kind: str, fingerprint: str = "", *, hint: bool = False
) -> Finding:
    verb = {"prompt": "the prompt of", "reply": "the reply of"}.get(kind, "repeats")
    quoted_text = example.reply if kind == "reply" else example.text
    evidence = f"{verb} line {first.line}: {quote_line(quoted_text)}"
    return example.finding(kind, evidence, hint=hint, fingerprint=fingerprint)


def _reply_texts(example: Example) -> tuple[str, str]:
    """Return reply and rejected reply in lower case; "" for a label, or for no rejected reply."""
    rejected_message = rejected_reply(example)
    texts = example.reply, content_text(rejected_message) if rejected_message else ""
    reply, rejected_text = ("" if is_label(text) else text.lower() for text in texts)
    return reply, rejected_text


@check(name="duplicates.near")
def near(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Yield each row that nearly repeats another: prompt and replies all reach the similarity.

    Labels (short replies) must be equal. Of near-duplicates the longest row is kept, and each
    finding names a kept row; without the rows found no two near-duplicates remain. Rows that
    `duplicates.find` yields are left out. Lee et al. (2022, arXiv:2107.06499) show that models
    memorise near-duplicates.

    Args:
        dataset: One split.
        similarity: `tunegate.similarity.search.ratio` of lower-cased texts, 0..1. The default, a
            working value, allows one word in seven to differ.
    """
    same_normalised = _first_rows_by(dataset, _example_key)
    unique = [e for e in dataset if same_normalised[e.row] == e.row]
    # Sorted, so that which of equally long rows is kept does not depend on their order.
    unique.sort(key=lambda e: (e.text, _reply_texts(e)))
    prompts = comparison_texts(unique)[0]
    for indices in group_indices(unique, _comparison_key).values():
        if len(indices) > 1:
            examples = [unique[k] for k in indices]
            yield from _near_findings(examples, [prompts[k] for k in indices], similarity)


def _comparison_key(example: Example) -> Hashable:
    """Return what rows must have in common to be compared: their label, or that they have none."""
    parts, calls = non_text_parts(example), tool_calls_json(example)
    return _label_key(example.reply), parts, calls, _rejected_key(example, _label_key)


def _near_findings(
    examples: Sequence[Example], prompts: Sequence[str], similarity: float
) -> Iterator[Finding]:
    sides = [(p, *_reply_texts(e)) for p, e in zip(prompts, examples, strict=True)]

    def all_sides_similar(i: int, j: int) -> bool:
        pairs = zip(sides[i], sides[j], strict=True)
        return all(search.ratio(a, b) >= similarity for a, b in pairs)

    # If prompt and replies all reach the similarity, their joined text reaches it too.
    texts = ["\n".join(filter(None, side)) for side in sides]
    pairs = search.deduplicate(texts, similarity, condition=all_sides_similar)
    for kept_index, redundant_index, ratio in pairs:
        kept, redundant = examples[kept_index], examples[redundant_index]
        part = "reply" if normalise(redundant.prompt) == normalise(kept.prompt) else "prompt"
        difference = diff(getattr(redundant, part), getattr(kept, part))
        evidence = f"line {kept.line}, {ratio:.2f}: {difference}"
        both = rows_fingerprint([redundant, kept])
        yield redundant.finding("near", evidence, fingerprint=both)
