"""Train along on another machine (`machines` in [train.qlora]).

The project's folder is on a disk that all machines share, at the same place. On the first one,
`pytest suites/data --train-with qlora` says the run and waits; each other machine joins it.

$ tunegate run join 3fa9c1 --machine 1
"""

import argparse
import sys
from pathlib import Path

from filelock import FileLock

from tunegate import ConfigError, exit_codes
from tunegate.interfaces.trainer import Plan, TrainingFailed

from ..data.training_data import make_job
from ..runtime.libraries import one_line_errors
from .common import qlora_run


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="its id, or the beginning of it")
    help_text = "which machine this is, from 1; 0 is the first"
    parser.add_argument("--machine", type=int, required=True, metavar="N", help=help_text)


def run(args: argparse.Namespace) -> int:
    """Train to the end with the other machines; return 70 where that fails."""
    busy = f"machine {args.machine} has joined run {args.run} already"
    try:
        with qlora_run(args.run, busy=busy) as started:
            if (machines := int(started.plan.config.get("machines", 1))) == 1:
                where = "`machines` in [train.qlora] is 1"
                raise ConfigError(f"this run is trained on one machine: {where}")
            if not 0 < args.machine < machines:
                which = f"of {machines} machines, 1 to {machines - 1} join"
                raise ConfigError(f"--machine {args.machine}: {which}")
            started.verify()
            with FileLock(started.folder / f"join-{args.machine}.lock", timeout=0):
                join_training(started.plan, started.folder, args.machine)
    except TrainingFailed as error:
        print(f"tunegate run join: {error}", file=sys.stderr)
        return exit_codes.TRAINING_FAILED
    except KeyboardInterrupt:
        print("tunegate run join: interrupted; the same command takes it up again", file=sys.stderr)
        return 130
    print("joined    trained to the end; the first machine reads the model back and proves it")
    return 0


def join_training(plan: Plan, folder: Path, machine: int) -> None:
    """Run the workers of one more machine until the training ends; raise TrainingFailed."""
    from ..distributed import launch
    from ..preflight import find_problems

    if problems := find_problems(plan)[0]:
        raise TrainingFailed("not started\n" + "\n".join(f"  - {p.what}" for p in problems))
    with one_line_errors(plan.config):
        job = make_job(plan, folder)
        machines, address = job.settings.machines, job.settings.address
        print(f"joining   machine {machine} of {machines}; {address} leads", flush=True)
        launch.run_workers(job, machine)
