"""`python -m tunegate_qlora.worker ORDER`: one of several processes that train a run together.

It learns and saves; the process that had it started (`launch`) proves the model. What goes wrong
is left in a file, as one message.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from tunegate import attended

SAID = ("draft", "done", "rehearse")  # what the first process says, and the others then do


def main(order: Path) -> int:
    """Do this process's part; returns the exit code."""
    attended.watch(partial(os._exit, 1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    from filelock import FileLock

    from tunegate.files import write_whole
    from tunegate.protocols import TrainingFailed

    from .quiet import undisturbed

    rank = os.environ["RANK"]
    try:
        with FileLock(order.with_name(f"{rank}.lock"), timeout=60), undisturbed():
            _work(json.loads(order.read_bytes()), order.parent)
    except Exception as error:
        told = (
            str(error) if isinstance(error, TrainingFailed) else f"{type(error).__name__}: {error}"
        )
        write_whole(order.with_name(f"{rank}.failed"), told.encode(), mode=0o600)
        sys.stdout.flush()
        os._exit(70)  # not by way of the libraries' farewells: those wait for the others
    return 0


def _work(order: dict[str, Any], place: Path) -> None:
    from tunegate.files import write_whole
    from tunegate.protocols import Plan
    from tunegate.settings import settle

    from . import material, ranks, rehearsal, training
    from .config import Settings
    from .failures import in_one_message

    given = {k: v and Path(v) for k, v in order["plan"].items() if k in training.PATHS}
    plan = Plan(**order["plan"] | given)
    settings = settle(Settings, plan.config)
    with in_one_message(settings):
        ranks.meet()
        job = training.Job(plan, settings, Path(order["base"]), Path(order["folder"]))
        training.prepare(settings)
        rows = material.read(plan, settings, job.base)
        draft, done, rehearse = ranks.from_first([order.get(key) for key in SAID])
        if rehearse:
            figures = rehearsal.play(job, rows, Path(draft))
        else:
            figures = training.learn(job, rows, Path(draft), done and Path(done))
        if ranks.first():
            write_whole(place / "figures.json", json.dumps(figures).encode())
        ranks.part()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
