"""`@check`: turns a generator of findings into a function that returns Findings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

from .dataset import Dataset
from .findings import Finding, Findings

P = ParamSpec("P")
Generator = Callable[P, Iterator[Finding]]


def check(generator: Generator[P]) -> Callable[P, Findings]:
    """Make a check of a generator that yields a Finding for each thing wrong.

    The findings are named after the check's module (`pii`), and after its function too where that
    is not plainly `find` (`duplicates.near`). They belong to the last Dataset among the arguments:
    `leakage.find(train, test)` finds rows of the test set.
    """
    module = generator.__module__.rpartition(".")[2]
    name = module if generator.__name__ == "find" else f"{module}.{generator.__name__}"
    signature = inspect.signature(generator)

    @functools.wraps(generator)
    def collect(*args: P.args, **kwargs: P.kwargs) -> Findings:
        dataset = _examined(signature.bind(*args, **kwargs).arguments)
        found = generator(*args, **kwargs)
        if dataset is None:
            return Findings(name, found)
        return Findings(name, found, split=dataset.split, path=str(dataset.path), n=len(dataset))

    return collect


def _examined(arguments: dict[str, Any]) -> Dataset | None:
    datasets = [value for value in arguments.values() if isinstance(value, Dataset)]
    return datasets[-1] if datasets else None
