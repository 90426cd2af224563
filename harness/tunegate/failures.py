"""What a model got wrong, as a dataset: to be looked at, labelled anew, and learnt from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import runs
from .dataset import Dataset, Example
from .extraction import LabelRule
from .files import atomic_write
from .predict import cached_predictions
from .predictions import Prediction
from .project import ConfigError
from .runs import RunNotFound
from .sealed import SealBroken
from .state import StateDir


def write_failures(
    state: StateDir, name: str, out: Path, test: Dataset, rule: LabelRule
) -> tuple[int, int]:
    """Write the wrong answers of a run over this test set; returns how many, and of how many.

    They come from the cache: nothing is asked. Each row is the example as it stands (`messages`
    with the reply that was expected), with `got`, `line`, and `error` where there was no answer.
    Raises ConfigError where there is no such run, or it was never judged on this test set.
    """
    try:
        run = runs.find_finished(state, name.removeprefix("run:"))
        predictions = cached_predictions(f"run:{run.id}", str(run.record["digest"]), test, state)
    except (RunNotFound, SealBroken) as error:
        raise ConfigError(str(error)) from None
    if predictions is None:
        raise ConfigError(
            f"run {run.id} was never asked about {test.path}: "
            f"pytest suites/model --model run:{run.id}"
        )
    wrong = [_failure_row(test[p.row], p) for p in predictions if not rule.right(p)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in wrong)
    atomic_write(out, text.encode(), mode=0o600)
    return len(wrong), len(predictions)


def _failure_row(example: Example, p: Prediction) -> dict[str, Any]:
    row = {**example.fields, "got": p.got, "line": p.line}
    return {**row, "error": p.error} if p.error else row
