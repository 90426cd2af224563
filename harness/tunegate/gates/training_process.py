"""`python -m tunegate.gates.training_process RUN`: one training, in a process of its own, behind an open gate.

RUN is the run's folder. `--root` is the project's: without it, that of the state tree above RUN.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import exit_codes
from ..interfaces import installed as extensions
from ..interfaces.installed import Installed
from ..interfaces.model import ModelUnknown
from ..interfaces.trainer import Trained, TrainingFailed
from ..models import baseline
from ..models.spec import open_model
from ..storage.run import Run
from ..storage.seal import SealBroken
from ..storage.state_dir import StateDir
from ..utils import child_process
from ..utils import progress as console
from ..utils.atomic import atomic_write


def main(folder: Path, root: Path | None = None) -> int:
    """Train the run of this folder unless it is finished; returns the process's exit code."""
    run = Run(StateDir(root) if root else StateDir.above(folder), folder.name)
    try:
        with FileLock(folder / "run.lock", timeout=0):
            if not run.finished:
                _train_run(run)
        return 0
    except Timeout:
        print(f"run {run.id}: another process is training it", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"run {run.id}: interrupted; the same command takes it up again", file=sys.stderr)
        return 130
    except (TrainingFailed, SealBroken, ModelUnknown) as error:
        print(f"run {run.id}: {error}", file=sys.stderr)
    except Exception as error:  # a user gets one message; the traceback is kept for a developer
        atomic_write(folder / "error.log", traceback.format_exc().encode(), mode=0o600)
        description = f"{type(error).__name__}: {error}"
        print(f"run {run.id}: {description}\n  traceback: {folder / 'error.log'}", file=sys.stderr)
    return exit_codes.TRAINING_FAILED


def _train_run(run: Run) -> None:
    run.verify()
    installed = extensions.load_files(Path(p) for p in run.intent["plugins"])
    trainer = installed.trainers[run.plan.trainer]()
    if problems := trainer.preflight(run.plan):
        raise TrainingFailed("not started\n" + "\n".join(f"  - {p.what}" for p in problems))
    baseline_record = measure_once(run, installed)
    finish_run(run, installed, trainer.train(run.plan, run.folder), baseline_record)


def finish_run(
    run: Run, installed: Installed, result: Trained, baseline_record: Mapping[str, Any] | None
) -> None:
    """Open what was trained, as it will be asked, and write `run.json`; raises ModelUnknown."""
    trained = _with_model_spec(result, run)
    digests = {
        name: open_model(spec, run.state.root, installed.openers).digest
        for name, spec in {"": trained.model, **trained.checkpoints}.items()
    }
    run.write_record(replace(trained, digest=digests[""]), baseline_record, digests)


def measure_once(run: Run, installed: Installed) -> dict[str, Any] | None:
    """Measure the base where it was never measured; without test data there is nothing to."""
    if run.plan.test is None:
        print("baseline  not measured: no test data; a promotion will want it")
        return None
    test = run.data("test")
    record = baseline.recall_baseline(run.state, run.plan.base, test.identity)
    if record is None:
        with console.progress_bar("baseline") as progress:
            baseline.measure_baseline(run.plan.base, test, run.state, installed.openers, progress)
        record = baseline.recall_baseline(run.state, run.plan.base, test.identity)
    if record:
        share = record["right"] / record["n"] if record["n"] else 0.0
        print(
            f"baseline  {record['right']} of {record['n']} answers right ({share:.1%})", flush=True
        )
    return record


def _with_model_spec(trained: Trained, run: Run) -> Trained:
    """Make `folder:adapter`, relative to the run, a spec that can be opened from the root."""
    scheme, _, rest = trained.model.partition(":")
    if scheme != "folder" or not (run.folder / rest).is_dir():
        return trained
    place, root = run.folder / rest, run.state.root
    if not place.is_relative_to(root):  # else it stays as it is: a state tree can be a link
        place, root = place.resolve(), root.resolve()
    return replace(trained, model=f"folder:{place.relative_to(root).as_posix()}")


ATTENDED_OPTION = "--attended"  # what tells `tunegate.train` that it has a pipe to its parent


def train_in_child(run: Run) -> int:
    """Train in a process of its own; Ctrl-C reaches it, and we wait for it to put its pen down.

    It ends when the pipe from us does: also where we are killed.
    """
    sys.stdout.flush()
    told = [str(run.folder), "--root", str(run.state.root), ATTENDED_OPTION]
    command = [sys.executable, "-m", "tunegate.gates.training_process", *told]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue
            # Anything that no code of ours explains (a kill, an interpreter's crash) failed too.
            return (
                code if code in (0, exit_codes.TRAINING_FAILED, 130) else exit_codes.TRAINING_FAILED
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--attended", action="store_true")
    options = parser.parse_args()
    if options.attended:
        # Not SIGINT: a shell lets what it runs in the background ignore that.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        child_process.exit_with_parent(partial(os.kill, os.getpid(), signal.SIGTERM))
    sys.exit(main(options.run.absolute(), options.root))
