"""However the provider behaves: one file, one job, or a question to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openai_parts import Provider

from tunegate.interfaces.trainer import Plan, TrainingFailed
from tunegate_openai.client import connect
from tunegate_openai.job import Submission, Submitter
from tunegate_openai.settings import Settings

CREATE, FILES, LIST = "POST /fine_tuning/jobs", "POST /files", "GET /fine_tuning/jobs"


@pytest.fixture
def submitter(settings: Settings, plan: Plan, folder: Path) -> Submitter:
    return Submitter(connect(settings), settings, plan, folder, sleep=lambda _: None)


def test_one_job(provider: Provider, submitter: Submitter, plan: Plan, folder: Path) -> None:
    job = submitter.find_or_create_job()
    assert provider.uploads == [plan.train.name, plan.validation.name]  # type: ignore[union-attr]
    (made,) = provider.jobs
    assert made["metadata"] == {"run": folder.name, "dataset_sha256": plan.train.stem}
    assert made["method"]["type"] == "supervised"
    assert Submission.read(folder).job == job.id == made["id"]
    assert submitter.find_or_create_job().id == job.id
    assert len(provider.jobs) == 1


def test_another_machine_finds_the_job(
    provider: Provider, submitter: Submitter, tmp_path: Path
) -> None:
    job = submitter.find_or_create_job()
    elsewhere = tmp_path / "elsewhere" / submitter.folder.name
    elsewhere.mkdir(parents=True)
    assert replace(submitter, folder=elsewhere).find_or_create_job().id == job.id
    assert (len(provider.jobs), len(provider.uploads)) == (1, 2)


@pytest.mark.parametrize("fault", ["500 after", "cut after", "garbage after", "408 after"])
def test_an_answer_that_was_lost(provider: Provider, submitter: Submitter, fault: str) -> None:
    provider.fail(CREATE, fault)
    submitter.find_or_create_job()
    assert len(provider.jobs) == 1


@pytest.mark.parametrize("fault", ["500 before", "cut before"])
def test_a_request_that_was_lost(provider: Provider, submitter: Submitter, fault: str) -> None:
    provider.fail(CREATE, fault)
    with pytest.raises(TrainingFailed, match=r"lists no such job\. The same command looks again"):
        submitter.find_or_create_job()
    submitter.find_or_create_job()
    assert len(provider.jobs) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("403 before", r"takes no new fine-tuning jobs .* --train-with qlora"),
        ("400 before", "asking for the job: 400: the provider says: the server has a bad day"),
        ("429 before", "asking for the job: 429: the provider says: slow down"),
    ],
)
def test_a_refusal(provider: Provider, submitter: Submitter, fault: str, said: str) -> None:
    provider.fail(CREATE, fault)
    with pytest.raises(TrainingFailed, match=said):
        submitter.find_or_create_job()
    assert provider.jobs == []
    provider.be("lists nothing")  # nothing is in doubt: no list is needed to ask again
    submitter.find_or_create_job()
    assert len(provider.jobs) == 1


def test_where_nothing_can_be_listed_a_person_decides(
    provider: Provider, submitter: Submitter, folder: Path
) -> None:
    provider.be("lists nothing")
    provider.fail(CREATE, "cut after")
    for _ in range(2):
        with pytest.raises(TrainingFailed, match=f"tunegate run job {folder.name} --attach"):
            submitter.find_or_create_job()
    assert len(provider.jobs) == 1


def test_where_no_metadata_is_kept_a_person_decides(
    provider: Provider, submitter: Submitter
) -> None:
    provider.be("forgets metadata")
    provider.fail(CREATE, "500 after")
    for _ in range(2):
        with pytest.raises(TrainingFailed, match="ftjob-1 has the same training file"):
            submitter.find_or_create_job()
    assert len(provider.jobs) == 1


def test_a_job_that_was_forgotten_is_not_found_again(
    provider: Provider, submitter: Submitter, folder: Path
) -> None:
    first = submitter.find_or_create_job()
    Submission.read(folder).with_saved(folder, job="", asked=0.0, forgotten=[first.id])
    assert submitter.find_or_create_job().id != first.id
    assert len(provider.jobs) == 2


@pytest.mark.parametrize(
    "fault", ["500 before", "500 after", "cut before", "cut after", "429 after"]
)
def test_an_upload_that_broke_off(provider: Provider, submitter: Submitter, fault: str) -> None:
    provider.fail(FILES, fault)
    submitter.find_or_create_job()
    assert len(provider.uploads) == len(set(provider.uploads)) == 2


def test_the_same_bytes_go_up_once(
    provider: Provider, submitter: Submitter, plan: Plan, keep: Callable[[str], Path]
) -> None:
    same = replace(submitter, plan=replace(plan, validation=plan.train))
    same.find_or_create_job()
    assert provider.uploads == [plan.train.name]


def test_a_key_that_is_not_accepted(
    provider: Provider, submitter: Submitter, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key")
    with pytest.raises(TrainingFailed) as caught:
        replace(submitter, client=connect(settings)).find_or_create_job()
    assert "401: the key in OPENAI_API_KEY is not accepted" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(TrainingFailed, match="set the environment variable OPENAI_API_KEY"):
        connect(settings)
