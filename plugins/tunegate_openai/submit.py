"""One job for one run, whatever dies in between.

The order is what keeps it at one: the files first; then a look at the provider's list; then the
intent on disk; then the request, sent once. After a request whose end nobody saw, the list decides;
where it cannot be had, a person does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate.utils.atomic import atomic_write

from . import uploads
from .client import readable_errors
from .settings import Settings

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob


LOOKUP_DELAYS = (0.0, 2.0, 5.0, 15.0)  # seconds before each look for a job whose request broke off
REFUSED_STATUSES = {*range(400, 500)} - {408, 409, 425}  # statuses that say: no job was made
MAX_CLOCK_SKEW = 600.0  # seconds that our clock and the provider's may differ


@dataclass(frozen=True)
class Submitter:
    """Brings the job of a run about; clock and sleep can be put in place of the real ones."""

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
        submission = self._upload_files(submission)
        if job := self._find_job(submission):
            return self._save_job(submission, job)
        submission = submission.with_saved(self.folder, asked=self.clock())
        return self._save_job(submission, self._create_job(submission))

    @property
    def metadata(self) -> dict[str, str]:
        """What the job is stamped with, and found again by."""
        return {"run": self.folder.name, "dataset_sha256": self.plan.train.stem}

    def _save_job(self, submission: Submission, job: FineTuningJob) -> FineTuningJob:
        submission.with_saved(self.folder, job=job.id)
        return job

    def _upload_files(self, submission: Submission) -> Submission:
        if submission.training_file:
            return submission
        ids = {"training_file": self.plan.train, "validation_file": self.plan.validation}
        with readable_errors(self.settings, "uploading the data"):
            file_ids = {
                name: uploads.upload_once(self.client, self._upload_content(path), self.sleep)
                for name, path in ids.items()
                if path is not None
            }
        return submission.with_saved(self.folder, **file_ids)

    def _upload_content(self, path: Path) -> bytes:
        return uploads.upload_content(path, self.plan.columns, self.settings.method)

    def _find_job(self, submission: Submission) -> FineTuningJob | None:
        """Look for the job at the provider; raises TrainingFailed where only a person can say."""
        from openai import OpenAIError

        try:
            listed = list(self._list_jobs(submission))
        except OpenAIError as error:
            if not submission.asked:
                return None  # nothing was ever asked for from here
            raise TrainingFailed(
                self._unclear_message(f"its jobs cannot be listed ({error})")
            ) from None
        listed = [job for job in listed if job.id not in submission.forgotten]
        own_jobs = [job for job in listed if self._is_of_run(job)]
        if own_jobs:
            return max(own_jobs, key=lambda job: job.created_at)
        if submission.asked and (
            same_file_jobs := [j for j in listed if self._has_same_file(j, submission)]
        ):
            raise TrainingFailed(
                self._unclear_message(f"{same_file_jobs[0].id} has the same training file")
            )
        return None

    def _list_jobs(self, submission: Submission) -> Iterator[FineTuningJob]:
        """Yield jobs until those that are too old to be the one that was asked for."""
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

    def _is_of_run(self, job: FineTuningJob) -> bool:
        metadata = job.metadata or {}
        return all(metadata.get(key) == value for key, value in self.metadata.items())

    def _has_same_file(self, job: FineTuningJob, submission: Submission) -> bool:
        # A provider that keeps no metadata: the file, which is named after its bytes, is a trace.
        return not job.metadata and job.training_file == submission.training_file

    def _unclear_message(self, reason: str) -> str:
        run = self.folder.name
        return (
            f"a job was asked for and its request broke off; whether {self.settings.base_url} has "
            f"it cannot be told: {reason}. Look there, then say which it is:\n"
            f"  tunegate job {run} --attach ftjob-...   that job is this run's\n"
            f"  tunegate job {run} --forget             there is none: ask for a new one"
        )

    def _create_job(self, submission: Submission) -> FineTuningJob:
        """Ask for the job, once; where the answer is lost, look for it."""
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
        for seconds in LOOKUP_DELAYS:
            self.sleep(seconds)
            if job_found := self._find_job(submission):
                return job_found
        raise TrainingFailed(
            f"asking for the job: no answer came ({type(lost_error).__name__}: {lost_error}), and "
            f"{self.settings.base_url} lists no such job. The same command looks again, and asks "
            f"for one only if there is none"
        )

    def _request_body(self, submission: Submission) -> dict[str, Any]:
        settings = self.settings
        method = {"type": settings.method}
        body = {
            "model": settings.base,
            "training_file": submission.training_file,
            "validation_file": submission.validation_file or None,
            "method": {**method, settings.method: {"hyperparameters": settings.hyperparameters}},
            "suffix": settings.suffix,
            "seed": settings.seed,
            "integrations": settings.integrations or None,
            "metadata": self.metadata,
        }
        return {key: value for key, value in body.items() if value is not None}


# [merged] What was asked of the provider, on disk before it is asked: a job is paid for once.


@dataclass(frozen=True, slots=True)
class Submission:
    """`submission.json` of a run: the files, when a job was asked for, and the job.

    `asked` without `job` means that nobody knows yet whether there is one.
    """

    training_file: str = ""
    validation_file: str = ""
    asked: float = 0.0  # seconds since 1970, by our clock
    job: str = ""
    forgotten: tuple[str, ...] = ()  # jobs that a person said are not, or no longer, this run's

    @staticmethod
    def read(folder: Path) -> Submission:
        """Return what the run's folder says, or an empty one."""
        path = folder / "submission.json"
        return Submission(**json.loads(path.read_bytes())) if path.exists() else Submission()

    def with_saved(self, folder: Path, **changes: Any) -> Submission:
        """Return this with changes, which are on the disk then."""
        new = replace(self, **changes)
        text = json.dumps(asdict(new), indent=2, sort_keys=True) + "\n"
        atomic_write(folder / "submission.json", text.encode(), mode=0o600)
        return new
