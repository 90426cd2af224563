"""Several processes, one training: the loop shares batches out, and a step is what it was alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MAIN = Path(__file__).with_name("loop_main.py")
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
OWN = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "HF_HUB_OFFLINE": "1"}


def train(base: Path, out: Path, processes: int, **said: Any) -> dict[str, list[float]]:
    """Train with so many processes (gloo, loopback), and return losses and sums of weights."""
    out.mkdir()
    launch = [*LAUNCH, str(processes)] if processes > 1 else []
    command = [sys.executable, *launch, str(MAIN), str(base), str(out), json.dumps(said)]
    path = os.pathsep.join([str(MAIN.parent), os.environ.get("PYTHONPATH", "")])
    env = os.environ | OWN | {"PYTHONPATH": path}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, list[float]] = json.loads((out / "told.json").read_text())
    return told


@pytest.mark.slow
@pytest.mark.skipif(not Path("/sys/class/net/lo").exists(), reason="names Linux's loopback")
@pytest.mark.parametrize(
    "said", [{"method": "lora", "compute": "float32"}, {"method": "qlora", "compute": "float32"}]
)
def test_two_processes_have_the_losses_of_one(
    base: Path, tmp_path: Path, said: dict[str, Any]
) -> None:
    rate = {"learning_rate": 5e-3, **said}
    one = train(base, tmp_path / "one", 1, accumulation=2, **rate)
    two = train(base, tmp_path / "two", 2, accumulation=1, **rate)
    assert len(one["losses"]) == 6  # 24 rows in steps of 8, twice
    # Sums in another order, in float32: a millionth of a loss a step, and it adds up.
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-4)
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-2, abs=1e-2)
