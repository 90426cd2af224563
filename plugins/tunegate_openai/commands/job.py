"""Look at a run's job at its provider, pause, cancel or attach it.

What a cancelled job has trained so far may still be charged.

$ tunegate run job 3fa9c1
$ tunegate run job 3fa9c1 --cancel
"""

import argparse

from tunegate.config.project import current_project
from tunegate.config.schema import parse_settings
from tunegate.errors import ConfigError
from tunegate.interfaces.trainer import TrainingFailed
from tunegate.storage.state_dir import StateDir, find_started
from tunegate.utils.masking import add_json_option, print_result

from ..client import connect, readable_errors
from ..job import Submission
from ..settings import Settings


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    parser.usage = "%(prog)s RUN [OPTION]"
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--attach", metavar="JOB", help="this job is the run's")
    actions.add_argument("--forget", action="store_true", help="its job is not: ask for a new one")
    actions.add_argument("--pause", action="store_true", help="have the provider pause it")
    actions.add_argument("--unpause", action="store_true", help="have the provider go on with it")
    actions.add_argument("--cancel", action="store_true", help="end it")
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Do one thing to the job, and print how it stands; raises ConfigError."""
    started = find_started(StateDir(current_project()), args.run)
    if (trainer := started.plan.trainer) != "openai":
        raise ConfigError(f"run {started.id} was trained with {trainer}: it has no job")
    submission = Submission.read(started.folder)
    settings = parse_settings(Settings, started.plan.config)
    if args.forget:
        forgotten = [*submission.forgotten, submission.job]
        submission.with_saved(started.folder, job="", asked=0.0, forgotten=forgotten)
        told = {"run": started.id, "job": None, "status": None, "model": None}
        line = f"run {started.id} has no job; the command that trained it asks for a new one"
        return print_result(args.json, told, [line])
    name = args.attach or submission.job
    if not name:
        raise ConfigError(f"run {started.id} has no job yet")
    try:
        with readable_errors(settings, f"job {name}"):
            jobs = connect(settings).fine_tuning.jobs
            actions = {"pause": jobs.pause, "unpause": jobs.resume, "cancel": jobs.cancel}
            act = next((act for key, act in actions.items() if getattr(args, key)), jobs.retrieve)
            job = act(name)
    except TrainingFailed as error:
        raise ConfigError(str(error)) from None
    if args.attach:
        submission.with_saved(started.folder, job=job.id)
    model_text = f", made {job.fine_tuned_model}" if job.fine_tuned_model else ""
    told = {"run": started.id, "job": job.id, "status": job.status, "model": job.fine_tuned_model}
    print_result(args.json, told, [f"job {job.id}: {job.status}{model_text}"])
