from __future__ import annotations

import subprocess
import sys

import pytest

import tunegate_qlora
from tunegate_qlora.model.local_model import open_folder
from tunegate_qlora.trainer import QLoRATrainer

LIGHT = """
import sys, tunegate_qlora
from pathlib import Path
tunegate_qlora.pytest_tunegate_trainers(lambda kind: kind().resolve({"base": "."}, Path(".")))
tunegate_qlora.pytest_tunegate_models(lambda name, opener: None)
heavy = {"torch", "transformers", "peft", "bitsandbytes", "huggingface_hub", "pandas", "sklearn"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_hooks_offer_a_trainer_and_a_model() -> None:
    offered: list[object] = []
    tunegate_qlora.pytest_tunegate_trainers(offered.append)
    tunegate_qlora.pytest_tunegate_models(lambda *pair: offered.append(pair))
    assert offered == [QLoRATrainer, ("folder", open_folder)]


def test_starting_up_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_libraries_are_kept_quiet_and_offline(capfd: pytest.CaptureFixture[str]) -> None:
    script = (
        "import os; os.environ.pop('HF_HUB_OFFLINE', None)\n"
        "from tunegate_qlora.runtime.libraries import quiet_libraries\n"
        "with quiet_libraries():\n"
        "    import bitsandbytes, peft, transformers\n"
        "from huggingface_hub import constants; print(constants.HF_HUB_OFFLINE)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert capfd.readouterr() == ("True\n", "")
