"""What the provider's fine-tuning comes to: a job's steps, and a model that learnt its file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

BASE: dict[str, str | None] = {"small-1": None, "old-1": "2020-01-01", "fading-1": "2099-01-01"}
STEPS = 4  # looks at a running job until it is done
TABLE = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"


def advance(state: Any, key: str, store: Any, keep: Callable[..., Any]) -> None:
    """Take a job one step further."""
    job, events = state["jobs"][key], state["events"][key]
    if job["status"] == "validating_files":
        job["status"] = "queued"
        method = job["method"]["type"]
        broken = _broken_line(store.content(job["training_file"]), method)
        if broken:
            message = f"Invalid file format. Line {broken} is not a {method} example."
            job["error"] = {"code": "invalid_training_file", "message": message, "param": None}
            job["status"] = "failed"
    elif job["status"] == "queued":
        job["status"] = "running"
    elif job["status"] == "running":
        step = 1 + sum(event["type"] == "metrics" for event in events)
        data = {"step": step, "total_steps": STEPS, "train_loss": 1 / step, "valid_loss": 2 / step}
        events.append(_event(len(events), f"Step {step}/{STEPS}", "metrics", data))
        if step == STEPS:
            _succeed(state, key, keep)
    if job["status"] in ("queued", "succeeded", "failed") and job["status"] not in _told(events):
        events.append(_event(len(events), job["status"], "message", {}))


def _told(events: list[Any]) -> set[str]:
    return {event["message"] for event in events}


def _event(number: int, message: str, kind: str, data: Any) -> Any:
    about = {"id": f"ftevent-{number}", "object": "fine_tuning.job.event", "level": "info"}
    return {**about, "created_at": int(time.time()), "message": message, "type": kind, "data": data}


def _succeed(state: Any, key: str, keep: Callable[..., Any]) -> None:
    job = state["jobs"][key]
    lines = "".join(f"{n},{1 / n},0.9,{2 / n},0.8\n" for n in range(1, STEPS + 1))
    table = keep(state, "step_metrics.csv", (TABLE + lines).encode(), "fine-tune-results")
    model = f"ft:{job['model']}:org::{key}"
    job |= {"status": "succeeded", "fine_tuned_model": model, "finished_at": int(time.time())}
    job |= {"result_files": [table["id"]], "trained_tokens": 1234}
    state["checkpoints"][key] = [
        {
            "id": f"ftckpt-{step}", "object": "fine_tuning.job.checkpoint", "metrics": {},
            "created_at": int(time.time()), "fine_tuning_job_id": key, "step_number": step,
            "fine_tuned_model_checkpoint": f"{model}:ckpt-step-{step}",
        }
        for step in (2, 4)
    ]  # fmt: skip


def _broken_line(data: bytes, method: str) -> int:
    for number, line in enumerate(data.decode().splitlines(), start=1):
        if not (_pair if method == "dpo" else _chat)(json.loads(line)) or "BROKEN" in line:
            return number
    return 0


def _chat(row: Any) -> bool:
    return [m["role"] for m in row.get("messages", [])][-1:] == ["assistant"]


def _pair(row: Any) -> bool:
    outputs = [row.get(key, []) for key in ("preferred_output", "non_preferred_output")]
    spoken = all([m["role"] for m in output] == ["assistant"] for output in outputs)
    return len(row) == 3 and spoken and bool(row["input"]["messages"])


def answer(model: str, messages: list[Any], state: Any, store: Any) -> str | None:
    """Return what the model says: a base knows nothing, a fine-tuned one its training file.

    It says the reply of the training example that shares the most words with the question.
    """
    if model in BASE:
        return "I do not know."
    made = (j for j in state["jobs"].values() if j["fine_tuned_model"])
    job = next((j for j in made if model.startswith(j["fine_tuned_model"])), None)
    if job is None:
        return None
    lines = store.content(job["training_file"]).decode().splitlines()
    asked = _words(messages)
    *_, reply = max(map(_learnt, lines), key=lambda row: len(asked & _words(row[:-1])))
    return str(reply["content"])


def _learnt(line: str) -> list[Any]:
    row = json.loads(line)
    pair = "input" in row
    return [*row["input"]["messages"], *row["preferred_output"]] if pair else list(row["messages"])


def _words(messages: list[Any]) -> set[str]:
    return set(" ".join(str(m["content"]) for m in messages).split())
