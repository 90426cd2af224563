"""Trains one run in a child process: `python -m tunegate.gates.training_process RUN_FOLDER`.

`train_in_child` starts it, `main` runs in it. The project is `--root`, else above the state tree.
"""

import argparse
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import exit_codes
from ..config.schema import load
from ..errors import ConfigError
from ..interfaces.installed import Installed, load_files
from ..interfaces.trainer import Trained, TrainingFailed
from ..models.evaluation import measure_baseline, recall_baseline
from ..models.predict import predict
from ..models.spec import open_model
from ..storage.state_dir import Run, StateDir
from ..utils.files import atomic_write
from ..utils.masking import mask, masked_output
from ..utils.processes import exit_with_parent
from ..utils.progress import progress_bar

ATTENDED_OPTION = "--attended"  # standard input is a pipe that the parent holds open


def train_in_child(run: Run, *options: str) -> int:
    """Train a run in a child process; return 0, 70 for any failure, or 130 if interrupted.

    This process ignores Ctrl-C and waits: the child, which gets it too, writes its checkpoint.
    """
    sys.stdout.flush()
    arguments = [str(run.folder), "--root", str(run.state.root), ATTENDED_OPTION, *options]
    command = [sys.executable, "-m", "tunegate.gates.training_process", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue
            # `main` returns no other code: a kill or a crash of the interpreter is a failure too.
            expected = (0, exit_codes.TRAINING_FAILED, 130)
            return code if code in expected else exit_codes.TRAINING_FAILED


def main(folder: Path, root: Path | None = None, *, probe: bool = False) -> int:
    """Train a run unless it is finished, a `probe` to be judged; return the exit code."""
    run = Run(StateDir(root or folder.parents[2], folder.parents[1]), folder.name)
    try:
        with masked_output(), FileLock(folder / "run.lock", timeout=0):
            if not run.finished:
                train_run(run, probe=probe)
            if probe:
                openers = load_files(run.plugins).openers
                model = open_model(run.model_of()[0], run.state.root, openers)
                with progress_bar("validation") as progress:
                    answers = predict(model, run.data("validation"), run.state, progress)
                if errors := answers.errors:
                    said = f"{len(errors):,} of {len(answers):,} validation rows were not answered"
                    raise TrainingFailed(f"{said}; line {errors[0].line}: {errors[0].error}")
        return 0
    except Timeout:
        print(f"run {run.id}: another process is training it", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"run {run.id}: interrupted; the same command takes it up again", file=sys.stderr)
        return 130
    except (TrainingFailed, ConfigError) as error:
        print(f"run {run.id}: {mask(str(error))}", file=sys.stderr)
    except Exception as error:
        description = mask(f"{type(error).__name__}: {error}")
        print(f"run {run.id}: {description}", file=sys.stderr)
        with suppress(OSError):  # the disk may be full
            atomic_write(folder / "error.log", mask(traceback.format_exc()).encode(), mode=0o600)
            print(f"  traceback: {folder / 'error.log'}", file=sys.stderr)
    return exit_codes.TRAINING_FAILED


def train_run(run: Run, *, probe: bool = False) -> None:
    """Verify the receipt and the data, look for problems, measure the baseline, train, record."""
    run.verify()
    installed = load_files(run.plugins)
    trainer = installed.trainers[run.plan.trainer]()
    if problems := trainer.preflight(run.plan):
        raise TrainingFailed("not started\n" + "\n".join(f"  - {p.what}" for p in problems))
    baseline_record = None if probe else measure_once(run, installed)
    trained = trainer.train(run.plan, run.folder)
    Run(run.state, run.id).verify()  # again: a trainer may read a file without verifying it
    finish_run(run, installed, trained, baseline_record)


def measure_once(run: Run, installed: Installed) -> dict[str, Any] | None:
    """Return the base model's record on the test set, measured if need be; None without one."""
    if run.plan.test is None:
        print("baseline  not measured: no test data; a promotion will want it")
        return None
    base, test, state = run.plan.base, run.data("test"), run.state
    if (record := recall_baseline(state, base, test.identity, sealed=True)) is None:
        rule = load(state.root).label_rule
        model = open_model(base, state.root, installed.openers)
        with progress_bar("baseline") as progress:
            measure_baseline(model, base, test, rule, state, progress)
        record = recall_baseline(state, base, test.identity)
    if record:
        right, n = record["right"], record["n"]
        share = right / n if n else 0.0
        print(f"baseline  {right} of {n} answers right ({share:.1%})", flush=True)
    return record


def finish_run(
    run: Run, installed: Installed, trained: Trained, baseline_record: Mapping[str, Any] | None
) -> None:
    """Open model and checkpoints as `--model` will; write `run.json`, folders from the root on."""
    root = run.state.root
    scheme, _, name = trained.model.partition(":")
    place = run.folder / name
    if scheme == "folder" and place.is_dir():
        if place.is_relative_to(root):
            relative = place.relative_to(root)
        else:  # the state tree can be a link to a folder outside the project
            relative = place.resolve().relative_to(root.resolve())
        trained = replace(trained, model=f"folder:{relative.as_posix()}")
    specs = {"": trained.model, **trained.checkpoints}.items()
    digests = {name: open_model(spec, root, installed.openers).digest for name, spec in specs}
    run.write_record(replace(trained, digest=digests[""]), baseline_record, digests)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument(ATTENDED_OPTION, action="store_true")
    parser.add_argument("--probe", action="store_true")
    options = parser.parse_args()
    if options.attended:
        # SIGTERM and not SIGINT: a shell lets what it runs in the background ignore SIGINT.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        exit_with_parent(partial(os.kill, os.getpid(), signal.SIGTERM))
    sys.exit(main(options.run.absolute(), options.root, probe=options.probe))
