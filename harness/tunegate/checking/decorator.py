"""`@check`: turns a generator of findings into a function that returns Findings, with their ids."""

import functools
import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ParamSpec, Protocol, overload

from ..data.dataset import Dataset, Example
from ..results.finding import Finding, Findings, sort_by_line
from ..results.outcome import inside_check, record, recordings
from ..results.prediction import Predictions
from ..utils.files import sha256_ascii_json
from ..utils.masking import mask, masker

# Hex digits. 10,000 new findings and 1,000 accepted ones share an id once in 28 million sessions.
ID_LENGTH = 12
P = ParamSpec("P")
FindingGenerator = Callable[P, Iterator[Finding]]


class Check(Protocol[P]):
    """A check: returns the Findings of its generator; with `advisory=True` they close no gate."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Findings: ...
    @overload
    def __call__(self, *args: Any, advisory: bool, **kwargs: Any) -> Findings: ...


@overload
def check(generator: FindingGenerator[P]) -> Check[P]: ...
@overload
def check(
    *, name: str | None = None, per_row: bool = False, rows: bool = False
) -> Callable[[FindingGenerator[P]], Check[P]]: ...
def check(
    generator: FindingGenerator[P] | None = None, *, name: str | None = None, per_row: bool = False,
    rows: bool = False,
) -> Any:  # fmt: skip
    """Make a check of a generator that yields a Finding for each fault.

        @check(name="greeting", per_row=True)
        def find(dataset: Dataset, *, word: str = "Hello") -> Iterator[Finding]:
            for example in dataset:
                if word not in example.reply:
                    yield example.finding("no greeting", example.reply)

    When the check returns, the running test records what it found. A passed test whose checks found
    something closes the gate, unless it held their `.rate` to a limit, or called the check with
    `advisory=True`, a keyword that every check takes. What a check asks of other checks is not
    recorded; nor are calls outside of a test.

    The findings belong to the last Dataset of the arguments: to `test` in `find(train, test)`.

    Args:
        name: The name of the check, such as "pii", of which the ids of its findings are made: with
            a name given, file and function can be renamed and accepted findings stay accepted. The
            default is the module's name (`test_pii`), with the function's where that is not `find`
            (`test_pii.phones`).
        per_row: The check looks at one example at a time, of the dataset that is its first
            argument. It then gets the rows in chunks, in parallel where that pays (see
            `tunegate.checking.parallel`), and must not yield a finding of no row.
        rows: The old spelling of `per_row`.

    Raises:
        TypeError: The generator takes the keyword `advisory`; or, when called, the check yields
            something that is no Finding, or its arguments do not fit.
        ValueError: The name is blank; or, when called, a check per row yields a finding of no row.
    """
    if name is not None and not name.strip():
        raise ValueError(f"name is {name!r}; a name that is not blank is needed, such as 'pii'")
    if generator is None:
        return functools.partial(check, name=name, per_row=per_row or rows)
    if not callable(generator):
        raise TypeError(f"@check({generator!r}): a name is a keyword, @check(name={generator!r})")
    module = generator.__module__.rpartition(".")[2]
    default = module if generator.__name__ == "find" else f"{module}.{generator.__name__}"
    check_name, per_row = name or default, per_row or rows
    signature = inspect.signature(generator)
    if "advisory" in signature.parameters:
        raise TypeError(f"check {describe(check_name, generator)} takes `advisory`: {RESERVED}")

    @functools.wraps(generator)
    def run_check(*args: Any, advisory: bool = False, **kwargs: Any) -> Findings:
        __tracebackhide__ = True
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"check {describe(check_name, generator)}: {error}") from None
        token = inside_check.set(True)
        try:
            if per_row:
                from .parallel import run_in_chunks

                yielded: object = run_in_chunks(generator, *bound.args, **bound.kwargs)
            else:
                yielded = generator(*args, **kwargs)
            items: list[Any] = list(yielded) if isinstance(yielded, Iterable) else [yielded]
        finally:
            inside_check.reset(token)
        require_findings(items, per_row, check_name, generator)
        about: dict[str, Any] = {"n": next((len(v) for v in args if isinstance(v, Predictions)), 0)}
        if datasets := [v for v in bound.arguments.values() if isinstance(v, Dataset)]:
            dataset = datasets[-1]
            about |= {"split": dataset.split, "path": str(dataset.path), "n": len(dataset)}
            if recordings[-1].accepted is not None:  # ids cost time, and only acceptance needs them
                items = list(add_fingerprints(check_name, items, dataset))
        return make_findings(check_name, items, named=name is not None, advisory=advisory, **about)

    return run_check


def require_findings(
    items: Iterable[object], per_row: bool, name: str, generator: Callable[..., object]
) -> None:
    """Raise TypeError for a value that is no Finding; per row, ValueError for one of no row."""
    __tracebackhide__ = True
    for item in items:
        if not isinstance(item, Finding):
            shown = "None" if item is None else f"a value of type {type(item).__name__}"
            raise TypeError(f"check {describe(name, generator)} yields {shown}; {VALID}")
        if per_row and item.row is None:
            place = describe(name, generator)
            raise ValueError(f"check {place} yields {item.kind!r}, of no row; {VALID_PER_ROW}")


RESERVED = "every check has that keyword, with which its findings close no gate; rename yours"
VALID = "it must yield findings: example.finding(kind, evidence), "
VALID += "prediction.finding(kind, evidence) or Finding.of_dataset(kind, evidence)"
VALID_PER_ROW = (
    "it sees some rows at a time (per_row=True), and must yield example.finding(kind, evidence); "
    "make what looks at the whole dataset a check of its own, without per_row"
)


def describe(name: str, generator: Callable[..., object]) -> str:
    """Return the name of a check and where its function stands: `pii (checks/pii.py:15)`."""
    code = getattr(inspect.unwrap(generator), "__code__", None)
    return f"{name} ({os.path.relpath(code.co_filename)}:{code.co_firstlineno})" if code else name


def make_findings(
    name: str, items: Sequence[Finding], *, split: str = "", advisory: bool = False, **about: Any
) -> Findings:
    """Return the findings of a check, with the accepted ones in `.accepted`, and record them.

    `about` is what else `Findings` takes: `path`, `n`, `named`. Private values and control
    characters are masked here, since the ids are made by now, of what was found; not those of a
    check that another check calls, which can make an id of them.
    """
    entries = recordings[-1].accepted or {}
    # An entry edited to name another check or kind than its id has would mislead its reader.
    accepted = [
        f for f in items
        if not f.hint and (entry := entries.get(f.id)) and entry.check == name
        and entry.kind in (f.kind, mask(f.kind, quotes=True)) and entry.holds_in(split)
    ]  # fmt: skip
    known = {f.id for f in accepted}
    counted = [f for f in items if f.hint or f.id not in known]
    if not inside_check.get():
        masked = masker(quotes=True)
        accepted, counted = (
            [replace(f, kind=masked(f.kind), evidence=masked(f.evidence)) for f in findings]
            for findings in (accepted, counted)
        )
    made = Findings(name, counted, accepted=accepted, split=split, **about)
    record(made.outcome(advisory))
    return made


def row_fingerprint(example: Example) -> str:
    """Return the SHA-256 of a row's fields, whatever its line and the order of its keys."""
    return sha256_ascii_json(example.fields)


def rows_fingerprint(examples: Iterable[Example]) -> str:
    """Return the SHA-256 of the fields of several rows, whatever their order."""
    return sha256_ascii_json(sorted(map(row_fingerprint, examples)))


def add_fingerprints(check: str, found: Iterable[Finding], dataset: Dataset) -> Iterator[Finding]:
    """Yield the findings of a check in the order of the file, each with its id.

    An id is a digest of the check, the kind and what the finding concerns: its `fingerprint`; else
    the content of its row; else, for the whole dataset, split and evidence, so that a changed
    figure is a new finding. The second finding of a kind with the same content has another id.

    Hints have no id. Nor have lines that could not be read: they are not trained on, so to accept
    one would be to train on less than the file holds, without a word.
    """
    unreadable = set(dataset.problems)
    occurrences: Counter[str] = Counter()
    for finding in sort_by_line(found):
        concerns: list[str] = []
        if finding.hint or finding in unreadable:
            pass  # no id: what is not accepted needs none
        elif finding.fingerprint:
            concerns = ["about", finding.fingerprint]
        elif finding.row is None and finding.line is None:
            concerns = ["all", dataset.split, finding.evidence]
        elif finding.row is not None and 0 <= finding.row < len(dataset):
            concerns = ["row", row_fingerprint(dataset[finding.row])]
        if not concerns:
            yield finding
            continue
        key = sha256_ascii_json([check, finding.kind, *concerns])
        yield replace(finding, id=sha256_ascii_json([key, occurrences[key]])[:ID_LENGTH])
        occurrences[key] += 1
