"""Duplicates inside one dataset: rows that teach the model nothing new.

An example is a duplicate when both its prompt and its reply stand in another row. System messages
do not count; neither do equal replies to different prompts: that is what labels are. Images and
tool calls count as part of the example.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from tunegate import similar
from tunegate.checking import check
from tunegate.dataset import Dataset, Example
from tunegate.findings import Finding
from tunegate.identity import together
from tunegate.prompts import calls, compared, is_label, pictures, places_by

from .wording import difference, line, normalised

PROSE = 13  # words: a reply as long as this is not a label or a set phrase


@check
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
    return example.prompt, example.reply, pictures(example), calls(example)


def _words(example: Example) -> Hashable:
    return normalised(example.prompt), normalised(example.reply), pictures(example), calls(example)


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


@check
def near(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """No example nearly repeats another: prompt and reply both reach the similarity.

    Similarity is `tunegate.similar`'s, 0..1, of the lower-cased texts; labels (short replies) must
    be the same. Of rows that are alike the longest is kept; each finding names a kept row that it
    is near to, so that without the rows found no two near-duplicates are left. Rows that
    `duplicates.find` tells of are not told of again. 0.85 is a working value: one word changed in
    seven. Lee et al. (2022, arXiv:2107.06499) say why near-duplicates go: a model recites them.
    """
    alike = _first(dataset, _words)
    single = [e for e in dataset if alike[e.row] == e.row]
    single.sort(key=lambda e: e.text)  # of equally long ones the same is kept, however rows stand
    prompts = compared(single)[0]
    for members in _comparable(single):
        yield from _near([single[k] for k in members], [prompts[k] for k in members], similarity)


def _comparable(examples: Sequence[Example]) -> list[list[int]]:
    """Return places of examples that may be near: of one label, or all that reply in prose."""

    def key(example: Example) -> tuple[str, ...]:
        label = normalised(example.reply) if is_label(example.reply) else ""
        return label, pictures(example), calls(example)

    return [places for places in places_by(examples, key).values() if len(places) > 1]


def _near(
    examples: Sequence[Example], prompts: Sequence[str], similarity: float
) -> Iterator[Finding]:
    replies = ["" if is_label(e.reply) else e.reply.lower() for e in examples]
    texts = [f"{p}\n{r}" if r else p for p, r in zip(prompts, replies, strict=True)]

    def both(i: int, j: int) -> bool:
        sides = ((prompts[i], prompts[j]), (replies[i], replies[j]))
        return all(similar.ratio(a, b) >= similarity for a, b in sides)

    # Where prompt and reply both reach the similarity, so does the text of the two.
    for kept, extra, found in similar.kept(texts, similarity, also=both):
        first, this = examples[kept], examples[extra]
        part = "reply" if normalised(this.prompt) == normalised(first.prompt) else "prompt"
        shown = difference(getattr(this, part), getattr(first, part))
        evidence = f"line {first.line}, {found:.2f}: {shown}"
        yield Finding(this.row, this.line, "near", evidence, about=together([this, first]))
