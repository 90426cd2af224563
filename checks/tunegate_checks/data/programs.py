"""Programs in any language as checks: rows in, findings out; `[checks.NAME]` names them."""

from collections.abc import Iterator, Mapping
from typing import Any

from tunegate import Dataset, Finding, Findings, check
from tunegate.interfaces.programs import Program, ProgramFailed


def find(dataset: Dataset, *, program: Program) -> Findings:
    """Return what a program finds in a dataset; the check has the program's name.

    `tunegate.interfaces.programs` describes what it reads and writes. Raises ProgramFailed where it
    cannot be run, fails, takes too long or writes anything else.
    """
    __tracebackhide__ = True

    @check(name=program.name)
    def run(dataset: Dataset) -> Iterator[Finding]:
        names = ("messages", "prompt", "reply", "label", "fields")
        rows = (
            {"row": i, "line": e.line, "split": dataset.split, **{n: getattr(e, n) for n in names}}
            for i, e in enumerate(dataset)
        )
        for line in program.exchange(rows):
            yield finding_of(line, dataset, program)

    return run(dataset)


def finding_of(line: Mapping[str, Any], dataset: Dataset, program: Program) -> Finding:
    """Return the finding that a program wrote; raises ProgramFailed where it is none."""
    kind, evidence, row = line.get("kind"), line.get("evidence"), line.get("row")
    hint, unknown = line.get("hint", False), line.keys() - {"row", "kind", "evidence", "hint"}
    is_row = row is None or (type(row) is int and 0 <= row < len(dataset))
    texts = isinstance(kind, str) and bool(kind) and isinstance(evidence, str)
    if unknown or not (is_row and texts and isinstance(hint, bool)):
        raise ProgramFailed(
            f'{program} writes no finding: {dict(line)}; valid: {{"row": 0 to {len(dataset) - 1}, '
            '"kind": "...", "evidence": "...", "hint": false}, where row and hint may be left out'
        )
    make = Finding.of_dataset if row is None else dataset[row].finding
    return make(str(kind), str(evidence), hint=hint)
