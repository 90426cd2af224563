"""The steps, in their order: each asks a check what is wrong, and puts right what is certain.

Form comes first, since the others read messages; redaction before the search for duplicates, since
rows that differed in an e-mail address alone are duplicates after it; leaks last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from math import inf

from tunegate.dataset import Dataset, Example
from tunegate.findings import Finding
from tunegate.prompts import classes

from ..data import duplicates, format, leakage
from ..data.wording import line
from . import form, spelling
from .redact import Redactor
from .work import STEPS, Work


@dataclass(frozen=True)
class Rules:
    """What the steps go by: the task, the similarity of near-duplicates, what is personal."""

    redactor: Redactor
    steps: Collection[str] = STEPS
    task: str = ""  # "": told from the replies
    prompt: str | None = None  # the system prompt at inference
    similarity: float = 0.85
    ignore: Collection[str] = ()
    allow: Collection[str] = ()

    def labels(self, dataset: Dataset) -> bool:
        """Whether the replies are the labels of a classification."""
        return self.task == "classification" or (not self.task and bool(classes(dataset)))


def formed(work: Work, rules: Rules) -> None:
    """Put messages right; set rows aside that are still none a service would take."""
    for row in work.rows:
        fields, done = form.repaired(row.fields)
        if done:
            row.put(fields)
            for what in done:
                work.note(row, "format", what, "the chat format asks for it", "reformatted")
    _prompted(work, rules)
    rows = work.rows
    faults: dict[int, list[str]] = {}
    for finding in format.find(work.dataset(), fewest=0, largest=inf):
        faults.setdefault(finding.row or 0, []).append(finding.evidence)
    for number, evidence in faults.items():
        more = f" (and {len(evidence) - 1} more)" if len(evidence) > 1 else ""
        work.set_aside(rows[number], evidence[0] + more)


def _prompted(work: Work, rules: Rules) -> None:
    dataset = work.dataset()
    train = work.against[0] if work.against else ()
    wanted = spelling.prompts(dataset, train, rules.prompt)
    for row, example in zip(work.rows, dataset, strict=True):
        new = wanted.get(example.system)
        fields = spelling.with_system(row.fields, new) if new is not None else None
        if fields:
            row.put(fields)
            why = "white space alone told it from the usual one"
            work.note(row, "format", "system prompt written as usual", why, "system prompt")


def redacted(work: Work, rules: Rules) -> None:
    """Replace personal data and keys with placeholders."""
    for row in work.rows:
        fields, done = rules.redactor.row(row.fields)
        if done:
            row.plain = row.plain or row.fields
            row.put(fields)
            for one in done:
                work.note(row, "redact", str(one), f"personal data: {one.kind}", one.kind)


def labelled(work: Work, rules: Rules) -> None:
    """Spell each label one way."""
    dataset = work.dataset()
    if not rules.labels(dataset):
        return
    known = {e.reply for e in work.against[0]} if work.against else set()
    meant = spelling.meant(dataset, known)
    counts = Counter(e.reply for e in dataset)
    for row, example in zip(work.rows, dataset, strict=True):
        new = meant.get(example.reply)
        fields = spelling.with_reply(row.fields, new) if new is not None else None
        if new is not None and fields:
            row.put(fields)
            why = f"{counts[new]:,} rows spell it so" if counts[new] else "training spells it so"
            work.note(row, "labels", f"{example.reply!r} became {new!r}", why, "respelled")


def single(work: Work, rules: Rules) -> None:
    """Drop copies and near copies; which row is kept the check decides."""
    dataset = work.dataset()
    found = [*duplicates.find(dataset), *duplicates.near(dataset, similarity=rules.similarity)]
    _drop(work, rules, "duplicates", [(f, f.evidence) for f in found])


def apart(work: Work, rules: Rules) -> None:
    """Drop what stands in a split before this one; that split keeps it.

    Rows that were redacted are compared as they were, too: the other file may not be.
    """
    dataset = work.dataset()
    bare = [(i, row) for i, row in enumerate(work.rows) if row.plain]
    plain = Dataset([Example(k, row.line, row.plain or {}) for k, (_, row) in enumerate(bare)])
    found: list[tuple[Finding, str]] = []
    for other in work.against:
        name = other.split or other.path.name
        leaks = [*leakage.find(other, dataset, similarity=rules.similarity)]
        for told in leakage.find(other, plain, similarity=rules.similarity):
            leaks.append(replace(told, row=bare[told.row or 0][0]))
        found += [(f, f.evidence.replace("train", name, 1)) for f in leaks]
    _drop(work, rules, "leaks", found)


def _drop(work: Work, rules: Rules, step: str, found: list[tuple[Finding, str]]) -> None:
    """Drop the rows of findings; where evidence quotes rows, the row itself is quoted, redacted."""
    rows, dataset = work.rows, work.dataset()
    for finding, evidence in found:
        number = finding.row or 0
        if rows[number].kept:
            where = evidence.partition(": “")[0].removesuffix(" has")
            shown = f": {line(dataset[number].text)}" if "redact" in rules.steps else ""
            work.drop(rows[number], step, f"{finding.kind}, {where}{shown}", finding.kind)


ACTS = {"format": formed, "redact": redacted, "labels": labelled}
ACTS |= {"duplicates": single, "leaks": apart}
