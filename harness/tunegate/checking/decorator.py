"""`@check`: turns a generator of findings into a function that returns Findings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, overload

from ..data.dataset import Dataset
from ..results import acceptance
from ..results.finding import Finding, Findings
from ..results.prediction import Predictions
from .fingerprint import add_fingerprints

P = ParamSpec("P")
FindingGenerator = Callable[P, Iterator[Finding]]
Check = Callable[P, Findings]


@overload
def check(generator: FindingGenerator[P]) -> Check[P]: ...
@overload
def check(
    *, name: str | None = None, rows: bool = False
) -> Callable[[FindingGenerator[P]], Check[P]]: ...
def check(
    generator: FindingGenerator[P] | None = None, *, name: str | None = None, rows: bool = False
) -> Any:
    """Make a check of a generator that yields a Finding for each fault.

    The findings belong to the last Dataset among the arguments: `leakage.find(train, test)` finds
    rows of the test set.

    Args:
        name: The name of the check, such as "pii", of which the ids of its findings are made: with
            a name given, file and function can be renamed and accepted findings stay accepted. The
            default is the module's name (`test_pii`), with the function's where that is not `find`
            (`test_pii.phones`).
        rows: The check looks at one example at a time, of the dataset that is its first argument.
            It then gets the rows in chunks, in parallel where that pays (see
            `tunegate.checking.parallel`), and must not yield a finding of no row.

    Raises:
        ValueError: The name is blank; or, when called, a check by rows yields a finding of no row.
    """
    if name is not None and not name.strip():
        raise ValueError(f"name is {name!r}; a name that is not blank is needed, such as 'pii'")
    if generator is None:
        return functools.partial(check, name=name, rows=rows)
    module = generator.__module__.rpartition(".")[2]
    default = module if generator.__name__ == "find" else f"{module}.{generator.__name__}"
    check_name, is_named = name or default, name is not None
    signature = inspect.signature(generator)

    @functools.wraps(generator)
    def run_check(*args: P.args, **kwargs: P.kwargs) -> Findings:
        bound = signature.bind(*args, **kwargs)
        if rows:
            from .parallel import run_in_chunks

            findings: Iterator[Finding] = run_in_chunks(generator, *bound.args, **bound.kwargs)
        else:
            findings = generator(*args, **kwargs)
        datasets = [value for value in bound.arguments.values() if isinstance(value, Dataset)]
        if not datasets:
            n = next((len(value) for value in args if isinstance(value, Predictions)), 0)
            return make_findings(check_name, findings, n=n, named=is_named)
        dataset = datasets[-1]
        if acceptance.is_accepting():  # ids cost time, and only acceptance needs them
            findings = add_fingerprints(check_name, findings, dataset)
        return make_findings(
            check_name,
            findings,
            split=dataset.split,
            path=str(dataset.path),
            n=len(dataset),
            named=is_named,
        )

    return run_check


def make_findings(
    name: str,
    findings: Iterable[Finding],
    *,
    split: str = "",
    path: str = "",
    n: int = 0,
    named: bool = True,
) -> Findings:
    """Return the findings of a check, with the accepted ones in `.accepted`.

    They are added to those of the running test, for `tunegate accept`.
    """
    items = list(findings)
    accepted = [f for f in items if not f.hint and acceptance.is_accepted(name, f)]
    known = {f.id for f in accepted}
    counted = [f for f in items if f.hint or f.id not in known]
    made = Findings(name, counted, accepted=accepted, split=split, path=path, n=n, named=named)
    acceptance.collect(made)
    return made
