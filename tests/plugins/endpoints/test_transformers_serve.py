"""`transformers serve`, driven for real: the triage base answers over HTTP as it does here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunegate import Dataset
from tunegate.models.predict import request_of
from tunegate_endpoints.model import open_openai
from tunegate_qlora.model.local_model import open_folder

for needed in ("torch", "transformers", "fastapi", "uvicorn", "openai"):
    pytest.importorskip(needed)
pytestmark = pytest.mark.slow

TRIAGE = Path(__file__).parents[3] / "examples" / "triage"
SERVE = "import sys; from transformers.cli.transformers import main; sys.exit(main())"


@pytest.fixture
def served() -> Iterator[str]:
    """The address of a server that holds the triage base."""
    args = ["serve", str(TRIAGE / "base"), "--port", "0", "--device", "cpu", "--log-level", "info"]
    child = subprocess.Popen(
        [sys.executable, "-c", SERVE, *args], env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stderr is not None
    told: list[str] = []
    try:
        for line in child.stderr:
            told.append(line)
            if running := re.search(r"running on (http://\S+)", line):
                yield f"{running[1]}/v1"
                break
        else:
            pytest.fail("".join(told))
    finally:
        child.kill()
        child.communicate()


def test_it_answers_as_the_folder_does(served: str, tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").touch()
    test = Dataset.read(TRIAGE / "data" / "test.jsonl", "test")
    requests = [request_of(example) for example in test[:40]]
    # The server takes what `model` says for a folder, and numbers as they stand in its config.
    spec = f"{TRIAGE / 'base'}?base_url={served}&max_tokens=8&connections=4"
    remote = {a.row: a for a in open_openai(spec, tmp_path).answers(requests)}
    spec = f"{TRIAGE / 'base'}?quantisation=none&compute=float32&max_new_tokens=8"
    local = {a.row: a for a in open_folder(spec, tmp_path).answers(requests)}
    assert [a.error for a in remote.values() if a.error] == []
    same = sum(remote[row].text == local[row].text for row in local)
    assert same >= 0.95 * len(requests)
    assert all(a.tokens and a.prompt_tokens and a.finish for a in remote.values())
