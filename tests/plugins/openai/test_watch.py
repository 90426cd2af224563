"""Waiting for a job: every state, every hiccup, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stamina
from openai.types.fine_tuning import FineTuningJob
from openai_parts import Provider

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate_openai.client import connect
from tunegate_openai.job import JobProgress, JobWatcher, Submitter
from tunegate_openai.settings import Settings


class Told(JobProgress):
    """Remembers what was shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.metrics: list[Mapping[str, Any]] = []

    def print_line(self, text: str) -> None:
        self.lines.append(text)

    def show_metrics(self, metrics: Mapping[str, Any]) -> None:
        self.metrics.append(metrics)


@pytest.fixture
def watch(settings: Settings, plan: Plan, folder: Path) -> JobWatcher:
    client = connect(settings)
    job = Submitter(client, settings, plan, folder, sleep=lambda _: None).find_or_create_job()
    return JobWatcher(client, settings, job, folder, Told(), lambda _: "", lambda _: None)


def told(watch: JobWatcher) -> Told:
    assert isinstance(watch.progress, Told)
    return watch.progress


def test_until_it_has_succeeded(watch: JobWatcher) -> None:
    job = watch.until_done()
    assert job.fine_tuned_model == "ft:small-1:org::ftjob-1"
    assert [m["step"] for m in told(watch).metrics] == [1, 2, 3, 4]
    states = [line for line in told(watch).lines if line.startswith("job ftjob-1: ")]
    words = ["validating_files", "queued", "running", "succeeded"]
    assert states == [f"job ftjob-1: {word}" for word in words]


def test_states_that_nobody_listed(watch: JobWatcher, provider: Provider) -> None:
    states = ["paused", "waiting_for_capacity", "running"]

    def go_on(_: float) -> None:
        if states:
            provider.set("ftjob-1", status=states.pop(0))

    replace(watch, sleep=go_on).until_done()
    assert "job ftjob-1: waiting_for_capacity" in told(watch).lines


@pytest.mark.parametrize("fault", ["500 before", "cut before", "429 before"])
def test_a_look_that_failed_is_made_again(
    watch: JobWatcher, provider: Provider, fault: str
) -> None:
    provider.fail("GET /fine_tuning/jobs/ftjob-1.*", fault, times=5, skip=2)
    watch.until_done()
    assert [m["step"] for m in told(watch).metrics] == [1, 2, 3, 4]


def test_a_look_waits_as_long_as_it_is_asked_to_else_twice_as_long_each_time(
    watch: JobWatcher, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = watch.settings.model_copy(update={"longest_poll": 5.0})
    look = "GET /fine_tuning/jobs/ftjob-1"
    provider.fail(look, "429 before")  # Retry-After: 1
    provider.fail(look, "500 before", times=3)
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with stamina.set_testing(False):
        replace(watch, settings=patient).until_done()
    assert pauses == [1.0, 4.0, 5.0, 5.0]


def test_a_look_that_is_refused_is_not_made_again(watch: JobWatcher, provider: Provider) -> None:
    provider.fail("GET /fine_tuning/jobs/ftjob-1", "401 before")
    with pytest.raises(TrainingFailed, match="401: the key in OPENAI_API_KEY"):
        watch.until_done()
    watch.until_done()


def test_a_provider_that_is_gone(watch: JobWatcher, provider: Provider) -> None:
    provider.fail("GET .*", "500 before", times=1000)
    with pytest.raises(TrainingFailed, match="The job goes on; the same command waits on"):
        watch.until_done()


def test_pauses_grow_while_nothing_happens(watch: JobWatcher, provider: Provider) -> None:
    pauses: list[float] = []
    provider.set("ftjob-1", status="paused")

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            provider.set("ftjob-1", status="succeeded", fine_tuned_model="ft:x")

    patient = watch.settings.model_copy(update={"longest_poll": 60.0})
    replace(watch, settings=patient, sleep=sleep).until_done()
    assert pauses[0] == 2.0
    assert pauses[2:] == sorted(pauses[2:])
    assert pauses[-1] == 60.0


def test_a_failed_job_says_why_and_where(
    settings: Settings, plan: Plan, keep: Callable[[str], Path], folder: Path, provider: Provider
) -> None:
    text = plan.train.read_text().splitlines(keepends=True)
    broken = "".join([*text[:3], "\n", text[3].replace("parcel", "BROKEN"), *text[4:]])
    client = connect(settings)
    made = Submitter(
        client, settings, replace(plan, train=keep(broken)), folder
    ).find_or_create_job()
    watch = JobWatcher(client, settings, made, folder, Told(), lambda _: " (here)", lambda _: None)
    with pytest.raises(TrainingFailed) as caught:
        watch.until_done()
    said = str(caught.value)
    assert "job ftjob-1 failed: Invalid file format. Line 4 is not a supervised example." in said
    assert "(invalid_training_file) (here)" in said
    assert f"tunegate run job {folder.name} --forget" in said


def test_a_cancelled_job(watch: JobWatcher, provider: Provider) -> None:
    provider.set("ftjob-1", status="cancelled")
    with pytest.raises(TrainingFailed, match=r"job ftjob-1 cancelled; to ask for another one"):
        watch.until_done()


def test_ctrl_c_leaves_the_job_alone(watch: JobWatcher, provider: Provider) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(watch, sleep=interrupt).until_done()
    assert "detached: job ftjob-1 goes on at the provider" in told(watch).lines[-1]
    assert provider.jobs[0]["status"] != "cancelled"


def test_the_enumeration_of_states_is_not_ours() -> None:
    fields = FineTuningJob.model_fields["status"]
    assert "paused" not in str(fields.annotation)  # when it is there, this test may go
