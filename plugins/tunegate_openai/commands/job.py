"""Look at the job of a run at its provider, or say which job is the run's."""

from __future__ import annotations

import argparse

from tunegate.project import ConfigError, here
from tunegate.protocols import TrainingFailed
from tunegate.runs import begun
from tunegate.settings import settle
from tunegate.state import State

from ..client import connect, plainly
from ..config import Settings
from ..submission import Submission


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--attach", metavar="JOB", help="this job is the run's")
    what.add_argument("--forget", action="store_true", help="its job is not: ask for a new one")
    what.add_argument("--pause", action="store_true", help="have the provider pause it")
    what.add_argument("--unpause", action="store_true", help="have the provider go on with it")
    what.add_argument("--cancel", action="store_true", help="end it")


def run(args: argparse.Namespace) -> None:
    """Do one thing to the job, and print how it stands; raises ConfigError."""
    try:
        print(_done(args))
    except TrainingFailed as error:
        raise ConfigError(str(error)) from None


def _done(args: argparse.Namespace) -> str:
    found = begun(State(here()), args.run)
    if found.plan.trainer != "openai":
        raise ConfigError(f"run {found.id} was trained with {found.plan.trainer}: it has no job")
    said, settings = Submission.read(found.folder), settle(Settings, found.plan.config)
    if args.forget:
        said.noted(found.folder, job="", asked=0.0, forgotten=[*said.forgotten, said.job])
        return f"run {found.id} has no job; the command that trained it asks for a new one"
    name = args.attach or said.job
    if not name:
        raise ConfigError(f"run {found.id} has no job yet")
    with plainly(settings, f"job {name}"):
        jobs = connect(settings).fine_tuning.jobs
        acts = {"pause": jobs.pause, "unpause": jobs.resume, "cancel": jobs.cancel}
        act = next((do for key, do in acts.items() if getattr(args, key)), jobs.retrieve)
        job = act(name)
    if args.attach:
        said.noted(found.folder, job=job.id)
    made = f", made {job.fine_tuned_model}" if job.fine_tuned_model else ""
    return f"job {job.id}: {job.status}{made}"
