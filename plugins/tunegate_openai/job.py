"""Creates one fine-tuning job for one run, whatever breaks in between, and waits for its end.

The order ensures it: upload the files; look for the job in the provider's list; write the intent to
`submission.json`; send the request once. After a request whose answer was lost, the provider's list
decides whether there is a job; where it cannot be listed, the user is asked.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate import Dataset, Example
from tunegate.data.formats.pairs import OPENAI_TOOL_KEYS
from tunegate.data.formats.row_format import REJECTED
from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.utils.files import atomic_write, sha256_bytes
from tunegate.utils.progress import ProgressBar

from .client import attempts, readable_errors
from .settings import Settings

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

# What a line of a chat fine-tuning file may hold; anything else is refused after the upload.
CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
MAX_TRIES = 4

# A line number in a provider's message.
_LINE_NUMBER = re.compile(r"\b(?:line|row|example)s?\s+#?(\d+)", re.IGNORECASE)
REFUSED_STATUSES = {*range(400, 500)} - {408, 409, 425}  # no job was made
MAX_CLOCK_SKEW = 600.0  # seconds that our clock and the provider's may differ
MIN_POLL_SECONDS = 2.0  # between two polls while new events come
MAX_FAILED_POLLS = 30  # in a row, before waiting ends with an error; the job goes on


@dataclass(frozen=True, slots=True)
class Submission:
    """`submission.json` of a run, written before its job is requested."""

    training_file: str = ""
    validation_file: str = ""
    asked: float = 0.0  # when the job was requested: seconds since 1970, by our clock
    job: str = ""  # where it was asked for, and is not named, the answer was never seen
    forgotten: tuple[str, ...] = ()  # jobs that `tunegate run job --forget` disowned

    @staticmethod
    def read(folder: Path) -> Submission:
        """Return the submission of a run's folder, an empty one where none was written."""
        path = folder / "submission.json"
        return Submission(**json.loads(path.read_bytes())) if path.exists() else Submission()

    def with_saved(self, folder: Path, **changes: Any) -> Submission:
        """Return a copy with changes, after writing it to the run's folder."""
        new = replace(self, **changes)
        text = json.dumps(asdict(new), indent=2, sort_keys=True) + "\n"
        atomic_write(folder / "submission.json", text.encode(), mode=0o600)
        return new


@dataclass(frozen=True)
class Submitter:
    """Finds or creates the job of a run; tests give their own `clock` and `sleep`."""

    client: OpenAI
    settings: Settings
    plan: Plan
    folder: Path
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time

    def find_or_create_job(self) -> FineTuningJob:
        """Return the run's job, found or created; raises TrainingFailed."""
        submission = Submission.read(self.folder)
        if submission.job:
            with readable_errors(self.settings, f"looking at job {submission.job}"):
                return self.client.fine_tuning.jobs.retrieve(submission.job)
        if not submission.training_file:
            paths = {"training_file": self.plan.train, "validation_file": self.plan.validation}
            form = self.plan.columns, self.settings.method
            with readable_errors(self.settings, "uploading the data"):
                contents = ((name, upload_content(p, *form)) for name, p in paths.items() if p)
                file_ids = {name: upload_once(self.client, data) for name, data in contents}
            submission = submission.with_saved(self.folder, **file_ids)
        if (job := self._find_job(submission)) is None:
            submission = submission.with_saved(self.folder, asked=self.clock())
            job = self._create_job(submission)
        submission.with_saved(self.folder, job=job.id)
        return job

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata that the job carries and is found again by."""
        return {"run": self.folder.name, "dataset_sha256": self.plan.train.stem}

    def _find_job(self, submission: Submission) -> FineTuningJob | None:
        """Return the run's job, None for none; TrainingFailed where only the user can tell."""
        from openai import OpenAIError

        try:
            listed = list(self._list_jobs(submission))
        except OpenAIError as error:
            if not submission.asked:
                return None  # no job was ever requested from here
            reason = f"its jobs cannot be listed ({error})"
            raise TrainingFailed(self._unclear_message(reason)) from None
        listed = [job for job in listed if job.id not in submission.forgotten]
        wanted = self.metadata.items()
        if own_jobs := [job for job in listed if wanted <= (job.metadata or {}).items()]:
            return max(own_jobs, key=lambda job: job.created_at)
        # A provider that keeps no metadata: the uploaded file, named after its bytes, is a trace.
        for job in listed:
            same_file = not job.metadata and job.training_file == submission.training_file
            if submission.asked and same_file:
                raise TrainingFailed(self._unclear_message(f"{job.id} has the same training file"))
        return None

    def _list_jobs(self, submission: Submission) -> Iterator[FineTuningJob]:
        """Yield jobs that may be the run's: newer than the request, or with its metadata."""
        from openai import BadRequestError, UnprocessableEntityError

        jobs = self.client.fine_tuning.jobs
        if not submission.asked:
            try:
                yield from jobs.list(metadata=self.metadata, limit=100)
                return
            except (BadRequestError, UnprocessableEntityError):
                pass  # a provider that cannot filter
        for job in jobs.list(limit=100):  # the newest first
            if submission.asked and job.created_at < submission.asked - MAX_CLOCK_SKEW:
                return
            yield job

    def _unclear_message(self, reason: str) -> str:
        run = self.folder.name
        return (
            f"a job was asked for and its request broke off; whether {self.settings.base_url} has "
            f"it is not known: {reason}. Look there, then say which it is:\n"
            f"  tunegate run job {run} --attach ftjob-...   that job is this run's\n"
            f"  tunegate run job {run} --forget             there is none: ask for a new one"
        )

    def _create_job(self, submission: Submission) -> FineTuningJob:
        """Request the job once, and look for it where the answer is lost."""
        from openai import APIStatusError, OpenAIError

        try:
            job = self.client.fine_tuning.jobs.create(**self._request_body(submission))
            if getattr(job, "id", None):
                return job
            lost_error: Exception = ValueError("the answer names no job")
        except (OpenAIError, ValueError) as error:  # ValueError: an answer that is not JSON
            if isinstance(error, APIStatusError) and error.status_code in REFUSED_STATUSES:
                submission.with_saved(self.folder, asked=0.0)  # there is no job
                with readable_errors(self.settings, "asking for the job"):
                    raise
            lost_error = error
        for seconds in (0.0, 2.0, 5.0, 15.0):  # before each look for the job
            self.sleep(seconds)
            if job_found := self._find_job(submission):
                return job_found
        lost = f"no answer came ({type(lost_error).__name__}: {lost_error})"
        unlisted = f"{self.settings.base_url} lists no such job"
        again = "The same command looks again, and asks for one only if there is none"
        raise TrainingFailed(f"asking for the job: {lost}, and {unlisted}. {again}")

    def _request_body(self, submission: Submission) -> dict[str, Any]:
        settings = self.settings
        method = {"type": settings.method}
        body = {
            "model": settings.base, "training_file": submission.training_file,
            "validation_file": submission.validation_file or None,
            "method": {**method, settings.method: {"hyperparameters": settings.hyperparameters}},
            "suffix": settings.suffix, "seed": settings.seed,
            "integrations": settings.integrations or None, "metadata": self.metadata,
        }  # fmt: skip
        return {key: value for key, value in body.items() if value is not None}


def upload_content(path: Path, columns: Mapping[str, str], method: str = "supervised") -> bytes:
    """Return the bytes to upload for a snapshot: one JSON object a line for each example, in order.

    A file that is in this form already is returned as it is. `supervised` learns the preferred
    reply of a preference; `dpo` needs both: raises TrainingFailed for a row without a rejected one.
    """
    dataset = Dataset.read(path, columns=columns or None)
    if method == "dpo":
        if lacking := dataset.without_rejected():
            count = f"{len(lacking):,} of {len(dataset):,} rows have none"
            needed = 'method = "dpo" needs one in each row: add them, or set method = "supervised"'
            raise TrainingFailed(
                f"line {lacking[0].line} has no rejected reply ({count}); {needed}"
            )
        rows = [_preference_row(example) for example in dataset]
    else:
        rows = [{k: e.fields[k] for k in CHAT_KEYS if k in e.fields} for e in dataset]
    data = path.read_bytes()
    lines = data.decode("utf-8", "replace").splitlines()
    with suppress(ValueError):  # some line is not JSON: the rows are written anew
        if [json.loads(line) for line in lines] == rows:
            return data
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _preference_row(example: Example) -> dict[str, Any]:
    """Return a row with both replies, by OpenAI's API reference, fine-tuning/preference-input."""
    *prompt_messages, preferred = example.messages
    tool_fields = {key: example.fields[key] for key in OPENAI_TOOL_KEYS if key in example.fields}
    outputs = {"preferred_output": [preferred], "non_preferred_output": example.fields[REJECTED]}
    return {"input": {"messages": prompt_messages, **tool_fields}, **outputs}


def upload_once(client: OpenAI, data: bytes) -> str:
    """Return the id of the provider's file with these bytes, uploading it where there is none.

    The file is named after the sha256 of its bytes and found again by that name, also after an
    upload that broke off. Raises what the client raises at the last of MAX_TRIES tries.
    """
    name, size = f"{sha256_bytes(data)}.jsonl", len(data)
    for attempt in attempts(MAX_TRIES, first_wait=1.0, longest_wait=60.0):
        with attempt:
            for listed in client.files.list(purpose="fine-tune"):
                if (listed.filename, listed.bytes) == (name, size) and listed.status != "error":
                    return listed.id
            file = client.files.create(file=(name, data), purpose="fine-tune")
            if file.bytes != size:
                broken = f"{file.id} holds {file.bytes:,} of {size:,} bytes: the upload broke off"
                advice = "delete it at the provider, then run the same command"
                raise TrainingFailed(f"{broken}; {advice}")
            return str(file.id)
    raise AssertionError("unreachable")


def row_of_line(message: str, dataset: Dataset) -> str:
    """Return ` (line 3 there is line 5 of the training data)` for what a message names, or ""."""
    match = _LINE_NUMBER.search(message)
    number = int(match.group(1)) if match else 0
    if not 1 <= number <= len(dataset):
        return ""
    return f" (line {number} there is line {dataset[number - 1].line} of the training data)"


class JobProgress(ProgressBar):
    """Shows how a job goes: a line for each message, and a bar with its steps and losses."""

    def print_line(self, text: str) -> None:
        """Print a line above the bar, with a label before it."""
        super().print_line(f"openai    {text}")

    def show_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Show step, steps in all and losses, as a metrics event has them."""
        loss, held_out = metrics.get("train_loss"), metrics.get("valid_loss")
        losses = [f"loss {loss:.4f}"] if isinstance(loss, int | float) else []
        losses += [f"validation {held_out:.4f}"] if isinstance(held_out, int | float) else []
        self.update(metrics.get("step") or 0, metrics.get("total_steps"), ", ".join(losses))


@dataclass
class JobWatcher:
    """Polls one job until it ends; tests give their own `sleep`."""

    client: OpenAI
    settings: Settings
    job: FineTuningJob
    folder: Path
    progress: JobProgress
    row_of_line: Callable[[str], str]  # from a line that a message names to a row of the data
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.pause = self._min_pause = min(MIN_POLL_SECONDS, self.settings.longest_poll)
        self.last_status, self.seen_events = "", set[str]()

    def until_done(self) -> FineTuningJob:
        """Return the job when it has succeeded, else raise; Ctrl-C leaves it as it is."""
        try:
            while not self._is_done():
                self.sleep(self.pause)
                self._poll()
        except KeyboardInterrupt:
            detached = f"detached: job {self.job.id} goes on at the provider"
            resume = f"`tunegate run resume {self.folder.name}` takes it up again"
            cancel = f"`tunegate run job {self.folder.name} --cancel` ends it"
            self.progress.print_line(f"{detached}. The same command or {resume}; {cancel}")
            raise
        return self.job

    def _is_done(self) -> bool:
        """Return whether the job has succeeded, printing a new status; raise where it failed."""
        status = str(self.job.status)  # any word: some providers have statuses of their own
        if status != self.last_status:
            self.last_status, self.pause = status, self._min_pause
            self.progress.print_line(f"job {self.job.id}: {status}")
        if status in ("failed", "cancelled"):
            error, reason = self.job.error, ""
            if error and error.code:  # a healthy job may carry an empty error without a code
                reason = f": {error.message} ({error.code}){self.row_of_line(error.message)}"
            again = f"tunegate run job {self.folder.name} --forget, then the same command"
            failed = f"job {self.job.id} {status}{reason}"
            raise TrainingFailed(f"{failed}; to ask for another one: {again}")
        return status == "succeeded"

    def _poll(self) -> None:
        """Fetch the job and its events; pause longer while nothing new comes."""
        action, longest = f"looking at job {self.job.id}", self.settings.longest_poll
        try:
            with readable_errors(self.settings, action):
                for attempt in attempts(MAX_FAILED_POLLS, self._min_pause, longest):
                    with attempt:
                        self.job = self.client.fine_tuning.jobs.retrieve(self.job.id)
                        new_events = self._show_events()
        except TrainingFailed as error:
            raise TrainingFailed(f"{error}. The job goes on; the same command waits on") from None
        self.pause = self._min_pause if new_events else min(self.pause * 1.5, longest)

    def _show_events(self) -> int:
        """Show the new events, the oldest first; return their number."""
        listed = self.client.fine_tuning.jobs.list_events(self.job.id, limit=100)
        # The newest come first.
        new_events = [*takewhile(lambda event: event.id not in self.seen_events, listed)]
        for event in reversed(new_events):
            self.seen_events.add(event.id)
            if event.type == "metrics" and isinstance(event.data, dict):
                self.progress.show_metrics(event.data)
            else:
                self.progress.print_line(event.message)
        return len(new_events)


# A column of the result files, and its name in a run's curves; the last one present wins.
CURVE_NAMES = {"train_loss": "train_loss", "valid_loss": "validation_loss"}
CURVE_NAMES["full_valid_loss"] = "validation_loss"


def fetch_results(client: OpenAI, job: FineTuningJob, folder: Path) -> None:
    """Write the job's result files to `results/`, and its losses to `curves.jsonl`."""
    points: list[dict[str, Any]] = []
    for file in job.result_files or []:
        data = client.files.content(file).content
        # OpenAI wraps a result file in base64; other providers send it as it is.
        with suppress(binascii.Error):
            data = base64.b64decode(data, validate=True)
        atomic_write(folder / "results" / f"{file}.csv", data, mode=0o600)
        for row in csv.DictReader(io.StringIO(data.decode("utf-8", "replace"))):
            losses = {new: float(row[old]) for old, new in CURVE_NAMES.items() if row.get(old)}
            if losses and str(row.get("step", "")).isdigit():
                points.append({"step": int(row["step"]), **losses})
    if points:
        text = "".join(json.dumps(point) + "\n" for point in points)
        atomic_write(folder / "curves.jsonl", text.encode(), mode=0o600)


def checkpoint_models(client: OpenAI, job: FineTuningJob) -> Mapping[str, str]:
    """Return the models of the job's checkpoints by name: `step-90`; none where none are kept."""
    from openai import APIStatusError

    try:
        listed = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    except APIStatusError:  # a provider without them
        return {}
    made = [c for c in listed if c.fine_tuned_model_checkpoint]
    return {f"step-{c.step_number}": c.fine_tuned_model_checkpoint for c in made}
