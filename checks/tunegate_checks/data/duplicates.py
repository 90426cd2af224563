"""Duplicates inside one dataset: rows that teach the model nothing new.

An example is a duplicate when both its prompt and its reply stand in another row. System messages
do not count; neither do equal replies to different prompts: that is what labels are. Images and
tool calls count as part of the example, and so does a rejected reply: one answer preferred to two
others is two preferences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

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

MIN_REPLY_WORDS = 13  # words: a reply as long as this is not a label or a set phrase


@check(name="duplicates")
def find(dataset: Dataset) -> Iterator[Finding]:
    """No example stands twice, letter by letter or but for case, accents and punctuation.

    The first row is kept; there is one finding for each after it. As hints, which close no gate:
    the same prompt with another reply, and one long reply to many prompts.
    """
    same_text, same_normalised = (
        _first_rows_by(dataset, _exact_key),
        _first_rows_by(dataset, _normalised_key),
    )
    same_prompt, same_reply = (
        _first_rows_by(dataset, _prompt_key),
        _first_rows_by(dataset, _reply_key),
    )
    groups = _fingerprints_of_groups(dataset, same_normalised)
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
    """Return for each row the first row with the same key; a key of None is like no other."""
    seen: dict[Hashable, int] = {}
    keys = ((e.row, key(e)) for e in dataset)
    return [row if k is None else seen.setdefault(k, row) for row, k in keys]


def _fingerprints_of_groups(dataset: Dataset, first_rows: Sequence[int]) -> dict[int, str]:
    """Return what rows with the same first row hold together, where there are several."""
    rows: defaultdict[int, list[Example]] = defaultdict(list)
    for example in dataset:
        rows[first_rows[example.row]].append(example)
    return {row: rows_fingerprint(members) for row, members in rows.items() if len(members) > 1}


def _exact_key(example: Example) -> Hashable:
    return _example_key(example, str)


def _normalised_key(example: Example) -> Hashable:
    return _example_key(example, normalise)


def _example_key(example: Example, normalise: Callable[[str], str]) -> Hashable:
    texts = normalise(example.prompt), normalise(example.reply), _rejected_key(example, normalise)
    return texts, non_text_parts(example), tool_calls_json(example)


def _rejected_key(example: Example, normalise: Callable[[str], str]) -> Hashable:
    """Return what the reply is preferred to: its text, by `normalise`, and what it holds beside."""
    reply = rejected_reply(example)
    if reply is None:
        return None
    reply_example = Example(example.row, example.line, {"messages": [reply]})
    return (
        normalise(content_text(reply)),
        non_text_parts(reply_example),
        tool_calls_json(reply_example),
    )


def _label_key(text: str) -> str:
    return normalise(text) if is_label(text) else ""


def _prompt_key(example: Example) -> Hashable:
    return (normalise(example.prompt), non_text_parts(example)) if example.prompt.strip() else None


def _reply_key(example: Example) -> Hashable:
    return normalise(example.reply) if len(example.reply.split()) >= MIN_REPLY_WORDS else None


def _repeat_finding(
    example: Example, first: Example, kind: str, about: str = "", *, hint: bool = False
) -> Finding:
    verb = {"prompt": "the prompt of", "reply": "the reply of"}.get(kind, "repeats")
    quoted_text = example.reply if kind == "reply" else example.text
    evidence = f"{verb} line {first.line}: {quote_line(quoted_text)}"
    return Finding(example.row, example.line, kind, evidence, hint, about)


def _reply_texts(example: Example) -> tuple[str, str]:
    """Return reply and rejected reply in lower case; "" for a label, or none."""
    rejected_message = rejected_reply(example)
    texts = example.reply, content_text(rejected_message) if rejected_message else ""
    reply, rejected_text = ("" if is_label(text) else text.lower() for text in texts)
    return reply, rejected_text


@check(name="duplicates.near")
def near(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """No example nearly repeats another: prompt and replies all reach the similarity.

    Similarity is `tunegate.similarity.search`'s, 0..1, of the lower-cased texts; labels (short replies) must
    be the same. Of rows that are alike the longest is kept; each finding names a kept row that it
    is near to, so that without the rows found no two near-duplicates are left. Rows that
    `duplicates.find` tells of are not told of again. 0.85 is a working value: one word changed in
    seven. Lee et al. (2022, arXiv:2107.06499) say why near-duplicates go: a model recites them.
    """
    same_normalised = _first_rows_by(dataset, _normalised_key)
    unique = [e for e in dataset if same_normalised[e.row] == e.row]
    # Of equally long ones the same is kept, however rows stand.
    unique.sort(key=lambda e: (e.text, _reply_texts(e)))
    prompts = comparison_texts(unique)[0]
    for members in _comparable_groups(unique):
        yield from _near_findings(
            [unique[k] for k in members], [prompts[k] for k in members], similarity
        )


def _comparable_groups(examples: Sequence[Example]) -> list[list[int]]:
    """Return places of examples that may be near: of one label, or all that reply in prose."""

    def comparison_key(example: Example) -> Hashable:
        shown = non_text_parts(example), tool_calls_json(example)
        return _label_key(example.reply), *shown, _rejected_key(example, _label_key)

    return [
        indices for indices in group_indices(examples, comparison_key).values() if len(indices) > 1
    ]


def _near_findings(
    examples: Sequence[Example], prompts: Sequence[str], similarity: float
) -> Iterator[Finding]:
    sides = [(p, *_reply_texts(e)) for p, e in zip(prompts, examples, strict=True)]
    texts = ["\n".join(filter(None, side)) for side in sides]

    def all_sides_similar(i: int, j: int) -> bool:
        pairs = zip(sides[i], sides[j], strict=True)
        return all(search.ratio(a, b) >= similarity for a, b in pairs)

    # Where prompt and replies all reach the similarity, so does the text of them together.
    for kept_index, redundant_index, ratio in search.deduplicate(
        texts, similarity, condition=all_sides_similar
    ):
        first, this = examples[kept_index], examples[redundant_index]
        part = "reply" if normalise(this.prompt) == normalise(first.prompt) else "prompt"
        difference_text = diff(getattr(this, part), getattr(first, part))
        evidence = f"line {first.line}, {ratio:.2f}: {difference_text}"
        yield Finding(this.row, this.line, "near", evidence, about=rows_fingerprint([this, first]))
