"""`@check`: turns a generator of findings into a function that returns Findings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, overload

from . import acceptance
from .dataset import Dataset
from .findings import Finding, Findings
from .identity import identified
from .predictions import Predictions

P = ParamSpec("P")
Generator = Callable[P, Iterator[Finding]]
Check = Callable[P, Findings]


@overload
def check(generator: Generator[P]) -> Check[P]: ...
@overload
def check(*, rows: bool = False) -> Callable[[Generator[P]], Check[P]]: ...
def check(generator: Generator[P] | None = None, *, rows: bool = False) -> Any:
    """Make a check of a generator that yields a Finding for each thing wrong.

    The findings are named after the check's module (`pii`), and after its function too where that
    is not plainly `find` (`duplicates.near`). They belong to the last Dataset among the arguments:
    `leakage.find(train, test)` finds rows of the test set.

    `@check(rows=True)` marks a check that looks at one example at a time, of the dataset that is
    its first argument: it is given the rows shard by shard, in parallel where that pays (see
    `tunegate.shards`). It never sees all rows at once: raises ValueError where it yields a finding
    of no row.
    """
    if generator is None:
        return functools.partial(_made, rows=rows)
    return _made(generator, rows=rows)


def _made(generator: Generator[P], *, rows: bool) -> Check[P]:
    module = generator.__module__.rpartition(".")[2]
    name = module if generator.__name__ == "find" else f"{module}.{generator.__name__}"
    signature = inspect.signature(generator)

    @functools.wraps(generator)
    def collect(*args: P.args, **kwargs: P.kwargs) -> Findings:
        given = signature.bind(*args, **kwargs)
        dataset = _examined(given.arguments)
        found = _by_shards(generator, given) if rows else generator(*args, **kwargs)
        if dataset is None:
            return make_findings(name, found, n=_predicted(args))
        if acceptance.active():  # ids cost time, and are asked for nowhere else
            found = identified(name, found, dataset)
        return make_findings(
            name, found, split=dataset.split, path=str(dataset.path), n=len(dataset)
        )

    return collect


def make_findings(
    name: str, found: Iterable[Finding], *, split: str = "", path: str = "", n: int = 0
) -> Findings:
    """Return the findings of a check, those that are accepted where it runs set apart.

    The running session is told of them, for `tunegate accept`.
    """
    items = list(found)
    accepted = [f for f in items if not f.hint and acceptance.covers(name, f)]
    known = {f.id for f in accepted}
    counted = [f for f in items if f.hint or f.id not in known]
    made = Findings(name, counted, accepted=accepted, split=split, path=path, n=n)
    acceptance.note(made)
    return made


def _predicted(arguments: tuple[Any, ...]) -> int:
    return next((len(value) for value in arguments if isinstance(value, Predictions)), 0)


def _examined(arguments: dict[str, Any]) -> Dataset | None:
    datasets = [value for value in arguments.values() if isinstance(value, Dataset)]
    return datasets[-1] if datasets else None


def _by_shards(
    generator: Callable[..., Iterator[Finding]], given: inspect.BoundArguments
) -> Iterator[Finding]:
    from . import shards

    return shards.run(generator, *given.args, **given.kwargs)
