"""What a model got wrong, as a dataset: to be looked at, labelled anew, and learnt from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import runs
from .dataset import Dataset, Example
from .extraction import Rule
from .files import write_whole
from .predict import recall
from .predictions import Prediction
from .project import ConfigError
from .runs import RunUnknown
from .sealed import SealBroken
from .state import State


def write(state: State, name: str, out: Path, test: Dataset, rule: Rule) -> tuple[int, int]:
    """Write the wrong answers of a run over this test set; returns how many, and of how many.

    They come from the cache: nothing is asked. Each row is the example as it stands (`messages`
    with the reply that was expected), with `got`, `line`, and `error` where there was no answer.
    Raises ConfigError where there is no such run, or it was never judged on this test set.
    """
    try:
        run = runs.find(state, name.removeprefix("run:"))
        predictions = recall(f"run:{run.id}", str(run.record["digest"]), test, state)
    except (RunUnknown, SealBroken) as error:
        raise ConfigError(str(error)) from None
    if predictions is None:
        raise ConfigError(
            f"run {run.id} was never asked about {test.path}: "
            f"pytest suites/model --model run:{run.id}"
        )
    wrong = [_row(test[p.row], p) for p in predictions if not rule.right(p)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in wrong)
    write_whole(out, text.encode(), mode=0o600)
    return len(wrong), len(predictions)


def _row(example: Example, p: Prediction) -> dict[str, Any]:
    row = {**example.fields, "got": p.got, "line": p.line}
    return {**row, "error": p.error} if p.error else row
