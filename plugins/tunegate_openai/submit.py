"""One job for one run, whatever dies in between.

The order is what keeps it at one: the files first; then a look at the provider's list; then the
intent on disk; then the request, sent once. After a request whose end nobody saw, the list decides;
where it cannot be had, a person does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.protocols import Plan, TrainingFailed

from . import uploads
from .client import plainly
from .config import Settings
from .submission import Submission

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

LOOKS = (0.0, 2.0, 5.0, 15.0)  # seconds before each look for a job whose request broke off
REFUSED = {*range(400, 500)} - {408, 409, 425}  # statuses that say: no job was made
SKEW = 600.0  # seconds that our clock and the provider's may differ


@dataclass(frozen=True)
class Submitter:
    """Brings the job of a run about; clock and sleep can be put in place of the real ones."""

    client: OpenAI
    settings: Settings
    plan: Plan
    folder: Path
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time

    def job(self) -> FineTuningJob:
        """Return the run's job, found or created; raises TrainingFailed."""
        said = Submission.read(self.folder)
        if said.job:
            with plainly(self.settings, f"looking at job {said.job}"):
                return self.client.fine_tuning.jobs.retrieve(said.job)
        said = self._upload(said)
        if job := self._found(said):
            return self._attach(said, job)
        said = said.noted(self.folder, asked=self.clock())
        return self._attach(said, self._create(said))

    @property
    def metadata(self) -> dict[str, str]:
        """What the job is stamped with, and found again by."""
        return {"run": self.folder.name, "dataset_sha256": self.plan.train.stem}

    def _attach(self, said: Submission, job: FineTuningJob) -> FineTuningJob:
        said.noted(self.folder, job=job.id)
        return job

    def _upload(self, said: Submission) -> Submission:
        if said.training_file:
            return said
        ids = {"training_file": self.plan.train, "validation_file": self.plan.validation}
        with plainly(self.settings, "uploading the data"):
            done = {
                name: uploads.uploaded(self.client, self._content(path), self.sleep)
                for name, path in ids.items()
                if path is not None
            }
        return said.noted(self.folder, **done)

    def _content(self, path: Path) -> bytes:
        return uploads.content(path, self.plan.columns, self.settings.method)

    def _found(self, said: Submission) -> FineTuningJob | None:
        """Look for the job at the provider; raises TrainingFailed where only a person can say."""
        from openai import OpenAIError

        try:
            listed = list(self._listed(said))
        except OpenAIError as error:
            if not said.asked:
                return None  # nothing was ever asked for from here
            raise TrainingFailed(self._unclear(f"its jobs cannot be listed ({error})")) from None
        listed = [job for job in listed if job.id not in said.forgotten]
        ours = [job for job in listed if self._is_ours(job)]
        if ours:
            return max(ours, key=lambda job: job.created_at)
        if said.asked and (alike := [j for j in listed if self._is_alike(j, said)]):
            raise TrainingFailed(self._unclear(f"{alike[0].id} has the same training file"))
        return None

    def _listed(self, said: Submission) -> Iterator[FineTuningJob]:
        """Yield jobs until those that are too old to be the one that was asked for."""
        from openai import BadRequestError, UnprocessableEntityError

        jobs = self.client.fine_tuning.jobs
        if not said.asked:
            try:
                yield from jobs.list(metadata=self.metadata, limit=100)
                return
            except (BadRequestError, UnprocessableEntityError):
                pass  # a provider that cannot filter
        for job in jobs.list(limit=100):  # the newest first
            if said.asked and job.created_at < said.asked - SKEW:
                return
            yield job

    def _is_ours(self, job: FineTuningJob) -> bool:
        stamped = job.metadata or {}
        return all(stamped.get(key) == value for key, value in self.metadata.items())

    def _is_alike(self, job: FineTuningJob, said: Submission) -> bool:
        # A provider that keeps no metadata: the file, which is named after its bytes, is a trace.
        return not job.metadata and job.training_file == said.training_file

    def _unclear(self, why: str) -> str:
        run = self.folder.name
        return (
            f"a job was asked for and its request broke off; whether {self.settings.base_url} has "
            f"it cannot be told: {why}. Look there, then say which it is:\n"
            f"  tunegate job {run} --attach ftjob-...   that job is this run's\n"
            f"  tunegate job {run} --forget             there is none: ask for a new one"
        )

    def _create(self, said: Submission) -> FineTuningJob:
        """Ask for the job, once; where the answer is lost, look for it."""
        from openai import APIStatusError, OpenAIError

        try:
            job = self.client.fine_tuning.jobs.create(**self._request(said))
            if getattr(job, "id", None):
                return job
            lost: Exception = ValueError("the answer names no job")
        except (OpenAIError, ValueError) as error:  # ValueError: an answer that is not JSON
            if isinstance(error, APIStatusError) and error.status_code in REFUSED:
                said.noted(self.folder, asked=0.0)  # there is no job
                with plainly(self.settings, "asking for the job"):
                    raise
            lost = error
        for seconds in LOOKS:
            self.sleep(seconds)
            if found := self._found(said):
                return found
        raise TrainingFailed(
            f"asking for the job: no answer came ({type(lost).__name__}: {lost}), and "
            f"{self.settings.base_url} lists no such job. The same command looks again, and asks "
            f"for one only if there is none"
        )

    def _request(self, said: Submission) -> dict[str, Any]:
        settings = self.settings
        method = {"type": settings.method}
        body = {
            "model": settings.base,
            "training_file": said.training_file,
            "validation_file": said.validation_file or None,
            "method": {**method, settings.method: {"hyperparameters": settings.hyperparameters}},
            "suffix": settings.suffix,
            "seed": settings.seed,
            "integrations": settings.integrations or None,
            "metadata": self.metadata,
        }
        return {key: value for key, value in body.items() if value is not None}
