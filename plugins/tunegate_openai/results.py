"""Fetches what a finished job leaves: result files, loss curves, checkpoints."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.utils.atomic import atomic_write

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

# A column of the result files, and its name in a run's curves; the last one present wins.
CURVE_NAMES = {
    "train_loss": "train_loss",
    "valid_loss": "validation_loss",
    "full_valid_loss": "validation_loss",
}


def fetch_results(client: OpenAI, job: FineTuningJob, folder: Path) -> None:
    """Write the job's result files to `results/`, and its losses to `curves.jsonl`."""
    points: list[dict[str, Any]] = []
    for file in job.result_files or []:
        data = client.files.content(file).content
        # OpenAI wraps a result file in base64; other providers send it as it is.
        with suppress(binascii.Error):
            data = base64.b64decode(data, validate=True)
        atomic_write(folder / "results" / f"{file}.csv", data, mode=0o600)
        points += _loss_points(data)
    if points:
        text = "".join(json.dumps(point) + "\n" for point in points)
        atomic_write(folder / "curves.jsonl", text.encode(), mode=0o600)


def _loss_points(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield step and losses of each line of a result file that has some."""
    for row in csv.DictReader(io.StringIO(data.decode("utf-8", "replace"))):
        losses = {new: float(row[old]) for old, new in CURVE_NAMES.items() if row.get(old)}
        if losses and str(row.get("step", "")).isdigit():
            yield {"step": int(row["step"]), **losses}


def checkpoint_models(client: OpenAI, job: FineTuningJob) -> Mapping[str, str]:
    """Return the models of the job's checkpoints by name: `step-90`; none where none are kept."""
    from openai import APIStatusError

    try:
        listed = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    except APIStatusError:  # a provider without them
        return {}
    models = {f"step-{c.step_number}": c.fine_tuned_model_checkpoint for c in listed}
    return {name: model for name, model in models.items() if model}
