"""Duplicates inside one dataset: rows that teach the model nothing new.

An example is a duplicate when both its prompt and its reply stand in another row. System messages
do not count; neither do equal replies to different prompts: that is what labels are. Images and
tool calls count as part of the example, and so does a rejected reply: one answer preferred to two
others is two preferences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from tunegate import similar
from tunegate.checking import check
from tunegate.dataset import Dataset, Example, content_text
from tunegate.findings import Finding
from tunegate.identity import together
from tunegate.preferences import rejected
from tunegate.prompts import calls, compared, is_label, pictures, places_by

from .wording import difference, line, normalised

PROSE = 13  # words: a reply as long as this is not a label or a set phrase


@check(name="duplicates")
def find(dataset: Dataset) -> Iterator[Finding]:
    """No example stands twice, letter by letter or but for case, accents and punctuation.

    The first row is kept; there is one finding for each after it. As hints, which close no gate:
    the same prompt with another reply, and one long reply to many prompts.
    """
    exact, alike = _first(dataset, _letters), _first(dataset, _words)
    asked, told = _first(dataset, _asked), _first(dataset, _told)
    groups = _groups(dataset, alike)
    for example in dataset:
        if (first := exact[example.row]) != example.row:
            yield _repeat(example, dataset[first], "exact", groups[alike[first]])
        elif (first := alike[example.row]) != example.row:
            yield _repeat(example, dataset[first], "normalised", groups[first])
        elif (first := asked[example.row]) != example.row and not is_label(example.reply):
            yield _repeat(example, dataset[first], "prompt", hint=True)
        elif (first := told[example.row]) != example.row:
            yield _repeat(example, dataset[first], "reply", hint=True)


def _first(dataset: Dataset, key: Callable[[Example], Hashable]) -> list[int]:
    """Return for each row the first row with the same key; a key of None is like no other."""
    seen: dict[Hashable, int] = {}
    keys = ((e.row, key(e)) for e in dataset)
    return [row if k is None else seen.setdefault(k, row) for row, k in keys]


def _groups(dataset: Dataset, first: Sequence[int]) -> dict[int, str]:
    """Return what rows with the same first row hold together, where there are several."""
    rows: defaultdict[int, list[Example]] = defaultdict(list)
    for example in dataset:
        rows[first[example.row]].append(example)
    return {row: together(alike) for row, alike in rows.items() if len(alike) > 1}


def _letters(example: Example) -> Hashable:
    return _whole(example, str)


def _words(example: Example) -> Hashable:
    return _whole(example, normalised)


def _whole(example: Example, text: Callable[[str], str]) -> Hashable:
    said = text(example.prompt), text(example.reply), _beaten(example, text)
    return said, pictures(example), calls(example)


def _beaten(example: Example, text: Callable[[str], str]) -> Hashable:
    """Return what the reply is preferred to: its text, by `text`, and what it holds beside."""
    other = rejected(example)
    if other is None:
        return None
    alone = Example(example.row, example.line, {"messages": [other]})
    return text(content_text(other)), pictures(alone), calls(alone)


def _label(text: str) -> str:
    return normalised(text) if is_label(text) else ""


def _asked(example: Example) -> Hashable:
    return (normalised(example.prompt), pictures(example)) if example.prompt.strip() else None


def _told(example: Example) -> Hashable:
    return normalised(example.reply) if len(example.reply.split()) >= PROSE else None


def _repeat(
    example: Example, first: Example, kind: str, about: str = "", *, hint: bool = False
) -> Finding:
    said = {"prompt": "the prompt of", "reply": "the reply of"}.get(kind, "repeats")
    shown = example.reply if kind == "reply" else example.text
    evidence = f"{said} line {first.line}: {line(shown)}"
    return Finding(example.row, example.line, kind, evidence, hint, about)


def _prose(example: Example) -> tuple[str, str]:
    """Return reply and rejected reply in lower case; "" for a label, or none."""
    other = rejected(example)
    texts = example.reply, content_text(other) if other else ""
    reply, beaten = ("" if is_label(text) else text.lower() for text in texts)
    return reply, beaten


@check(name="duplicates.near")
def near(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """No example nearly repeats another: prompt and replies all reach the similarity.

    Similarity is `tunegate.similar`'s, 0..1, of the lower-cased texts; labels (short replies) must
    be the same. Of rows that are alike the longest is kept; each finding names a kept row that it
    is near to, so that without the rows found no two near-duplicates are left. Rows that
    `duplicates.find` tells of are not told of again. 0.85 is a working value: one word changed in
    seven. Lee et al. (2022, arXiv:2107.06499) say why near-duplicates go: a model recites them.
    """
    alike = _first(dataset, _words)
    single = [e for e in dataset if alike[e.row] == e.row]
    # Of equally long ones the same is kept, however rows stand.
    single.sort(key=lambda e: (e.text, _prose(e)))
    prompts = compared(single)[0]
    for members in _comparable(single):
        yield from _near([single[k] for k in members], [prompts[k] for k in members], similarity)


def _comparable(examples: Sequence[Example]) -> list[list[int]]:
    """Return places of examples that may be near: of one label, or all that reply in prose."""

    def key(example: Example) -> Hashable:
        shown = pictures(example), calls(example)
        return _label(example.reply), *shown, _beaten(example, _label)

    return [places for places in places_by(examples, key).values() if len(places) > 1]


def _near(
    examples: Sequence[Example], prompts: Sequence[str], similarity: float
) -> Iterator[Finding]:
    sides = [(p, *_prose(e)) for p, e in zip(prompts, examples, strict=True)]
    texts = ["\n".join(filter(None, side)) for side in sides]

    def every(i: int, j: int) -> bool:
        pairs = zip(sides[i], sides[j], strict=True)
        return all(similar.ratio(a, b) >= similarity for a, b in pairs)

    # Where prompt and replies all reach the similarity, so does the text of them together.
    for kept, extra, found in similar.kept(texts, similarity, also=every):
        first, this = examples[kept], examples[extra]
        part = "reply" if normalised(this.prompt) == normalised(first.prompt) else "prompt"
        shown = difference(getattr(this, part), getattr(first, part))
        evidence = f"line {first.line}, {found:.2f}: {shown}"
        yield Finding(this.row, this.line, "near", evidence, about=together([this, first]))
