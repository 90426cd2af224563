"""Leakage: what the model is tested on must not stand in what it was trained on."""

from __future__ import annotations

from collections.abc import Iterator

from tunegate import passages, similar
from tunegate.checking import check
from tunegate.dataset import Dataset, Example
from tunegate.findings import Finding
from tunegate.identity import content
from tunegate.prompts import compared, pictures, places_by, standing
from tunegate.similar import Closest

from .wording import difference, line


@check(name="leakage")
def find(train: Dataset, test: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """No test example stands in the training data, exactly, nearly, or in a passage.

    One finding for each test example that does, naming the closest training line: "exact" (the same
    prompt but for case), "near" (prompts that reach the `similarity`, 0..1: `tunegate.similar`,
    lower-cased), or "overlap" (texts of 50 words or more that share a run of 13; see
    `tunegate.passages`). Runs shared by the replies alone are hints: a desk says many things twice.
    Whatever stands in training by `prompts.standing`, for which a promotion is refused, is found:
    where white space keeps it from the `similarity`, as "exact".
    """
    told: set[int] = set()  # places in `test`
    for i, j, found, others in _closest(train, test, similarity):
        told.add(i)
        yield _finding(train[j], test[i], found, others)
    for part, hint in ((_prompt, False), (_reply, True)):
        for i, j, run in passages.shared([part(e) for e in test], [part(e) for e in train]):
            if i not in told:
                told.add(i)
                this, evidence = test[i], f"train line {train[j].line} has: {line(run)}"
                about = f"{content(this)} {run}"
                yield Finding(this.row, this.line, "overlap", evidence, hint, about)


def _closest(train: Dataset, test: Dataset, similarity: float) -> Iterator[Closest]:
    same = standing(test, train)
    for closest in _near(train, test, similarity):
        same.pop(closest.i, None)
        yield closest
    yield from (Closest(i, places[0], 1.0, len(places) - 1) for i, places in same.items())


def _near(train: Dataset, test: Dataset, similarity: float) -> Iterator[Closest]:
    trained, tested = compared(train, test)
    before = places_by(train, pictures)
    for shown, rows in places_by(test, pictures).items():
        there = before.get(shown, [])
        left, right = [tested[i] for i in rows], [trained[j] for j in there]
        for i, j, found, others in similar.closest(left, right, similarity):
            yield Closest(rows[i], there[j], found, others)


def _prompt(example: Example) -> str:
    return example.prompt


def _reply(example: Example) -> str:
    return example.reply


def _finding(train: Example, test: Example, similarity: float, others: int) -> Finding:
    kind = "exact" if similarity == 1 else "near"
    more = f", {others:,} more" if others else ""
    where = f"train line {train.line}, {similarity:.2f}{more}"
    evidence = f"{where}: {difference(test.prompt, train.prompt)}"
    about = f"{content(test)} {train.prompt.lower()}"
    return Finding(test.row, test.line, kind, evidence, about=about)
