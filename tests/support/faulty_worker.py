"""A worker with a fault: `FAULT` says which rank, at which step's checkpoint, and what happens."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from tunegate_qlora.distributed import worker

RANK, STEP, WHAT = os.environ["FAULT"].split()


def main() -> int:
    from tunegate_qlora.training import callbacks, loss

    keep, mine = callbacks.TimedCheckpointCallback.on_save, os.environ["RANK"] == RANK

    def on_save(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if mine and state.global_step == int(STEP):  # written, not yet sealed
            os.kill(os.getpid() if WHAT == "dies" else int(os.environ["PARENT"]), signal.SIGKILL)
            threading.Event().wait(60)  # a worker ends with its parent, whatever it is doing
        keep(self, args, state, control, **kwargs)

    def nothing(outputs: Any, labels: Any, **_: Any) -> Any:
        return outputs.logits.sum() * float("nan")

    callbacks.TimedCheckpointCallback.on_save = on_save  # type: ignore[method-assign]
    if mine and WHAT == "nan":
        loss.SupervisedObjective.loss = staticmethod(nothing)  # type: ignore[assignment]
    return worker.main(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
