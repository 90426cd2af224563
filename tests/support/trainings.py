from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tunegate.interfaces.trainer import Plan


def adapter(folder: Path) -> bytes:
    (weights,) = folder.glob("*/*model.safetensors")
    return weights.read_bytes()


def curves(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "curves.jsonl").read_text().splitlines()]


def losses(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "seconds"} for line in curves(folder)]


KILLED = """
import json, os, signal, sys
from pathlib import Path
from tunegate.interfaces.trainer import Plan
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import callbacks

plan = json.loads(Path("plan.json").read_text())
paths = {key: plan[key] and Path(plan[key]) for key in ("train", "validation", "test")}
seal, step = callbacks.seal_checkpoint, int(sys.argv[1])

def seal_or_die(folder):
    if callbacks.step_of(folder) == step:
        os.kill(os.getpid(), signal.SIGKILL)  # written, not yet sealed
    seal(folder)

callbacks.seal_checkpoint = seal_or_die
QLoRATrainer().train(Plan(**plan | paths), Path(".tunegate/runs/abc"))
"""


def kill(plan: Plan, project: Path, step: int) -> None:
    """Train in a process that dies at the moment before it seals its checkpoint at this step."""
    fields = {name: getattr(plan, name) for name in plan.__slots__}
    (project / "plan.json").write_text(json.dumps(fields, default=str))
    command = [sys.executable, "-c", KILLED, str(step)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
