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
    """Make a check of a generator that yields a Finding for each thing wrong.

    `@check(name="pii")` names the check, and with it its findings. The id of a finding is made of
    that name, so that the file and the function can be renamed while accepted findings stay
    accepted. Without a name the check is called after its module (`test_pii`), and after its
    function too where that is not plainly `find` (`test_pii.phones`). Raises ValueError for a blank
    name.

    Findings belong to the last Dataset among the arguments: `leakage.find(train, test)` finds rows
    of the test set.

    `@check(rows=True)` marks a check that looks at one example at a time, of the dataset that is
    its first argument: it is given the rows shard by shard, in parallel where that pays (see
    `tunegate.checking.parallel`). It never sees all rows at once: raises ValueError where it yields a finding
    of no row.
    """
    if name is not None and not name.strip():
        raise ValueError(f"name is {name!r}; a name that is not blank is needed, such as 'pii'")
    if generator is None:
        return functools.partial(_make_check, name=name, rows=rows)
    return _make_check(generator, name=name, rows=rows)


def _make_check(generator: FindingGenerator[P], *, name: str | None, rows: bool) -> Check[P]:
    check_name, is_named = name or _default_name(generator), name is not None
    signature = inspect.signature(generator)

    @functools.wraps(generator)
    def collect(*args: P.args, **kwargs: P.kwargs) -> Findings:
        bound = signature.bind(*args, **kwargs)
        dataset = _dataset_of(bound.arguments)
        findings = _run_in_parallel(generator, bound) if rows else generator(*args, **kwargs)
        if dataset is None:
            return make_findings(check_name, findings, n=_prediction_count(args), named=is_named)
        if acceptance.is_accepting():  # ids cost time, and are asked for nowhere else
            findings = add_fingerprints(check_name, findings, dataset)
        return make_findings(
            check_name,
            findings,
            split=dataset.split,
            path=str(dataset.path),
            n=len(dataset),
            named=is_named,
        )

    return collect


def _default_name(generator: FindingGenerator[P]) -> str:
    module = generator.__module__.rpartition(".")[2]
    return module if generator.__name__ == "find" else f"{module}.{generator.__name__}"


def make_findings(
    name: str,
    findings: Iterable[Finding],
    *,
    split: str = "",
    path: str = "",
    n: int = 0,
    named: bool = True,
) -> Findings:
    """Return the findings of a check, those that are accepted where it runs set apart.

    The running session is told of them, for `tunegate accept`.
    """
    items = list(findings)
    accepted = [f for f in items if not f.hint and acceptance.is_accepted(name, f)]
    known = {f.id for f in accepted}
    counted = [f for f in items if f.hint or f.id not in known]
    made = Findings(name, counted, accepted=accepted, split=split, path=path, n=n, named=named)
    acceptance.collect(made)
    return made


def _prediction_count(arguments: tuple[Any, ...]) -> int:
    return next((len(value) for value in arguments if isinstance(value, Predictions)), 0)


def _dataset_of(arguments: dict[str, Any]) -> Dataset | None:
    datasets = [value for value in arguments.values() if isinstance(value, Dataset)]
    return datasets[-1] if datasets else None


def _run_in_parallel(
    generator: Callable[..., Iterator[Finding]], bound: inspect.BoundArguments
) -> Iterator[Finding]:
    from . import parallel

    return parallel.run_in_chunks(generator, *bound.args, **bound.kwargs)
