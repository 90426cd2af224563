"""A provider in a process of its own, and a run's plan to put to it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tunegate.protocols import Plan
from tunegate_openai.config import Settings
from tunegate_openai.trainer import OpenAITrainer

HERE = Path(__file__).parent
KEY = "sk-test-key"


@dataclass(frozen=True)
class Provider:
    """The provider's address and what it holds."""

    url: str
    folder: Path

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return state

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return list(self.state["jobs"].values())

    @property
    def uploads(self) -> list[str]:
        """The names of the files that were uploaded."""
        files = self.state["files"].values()
        return [f["filename"] for f in files if f["purpose"] == "fine-tune"]

    def set(self, job: str, **changes: Any) -> None:
        """Change a job behind everybody's back."""
        state = self.state
        state["jobs"][job] |= changes
        (self.folder / "state.json").write_text(json.dumps(state))

    def fail(self, on: str, do: str, times: int = 1, skip: int = 0) -> None:
        """Have something go wrong."""
        path = self.folder / "faults.json"
        faults = json.loads(path.read_text()) if path.exists() else []
        faults.append({"on": on, "do": do, "times": times, "skip": skip})
        path.write_text(json.dumps(faults))

    def be(self, what: str) -> None:
        """Have the provider be like this: `lists nothing`, `forgets metadata`, `released`."""
        (self.folder / what).touch()


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that holds nothing yet; its key is in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    folder = tmp_path / "provider"
    folder.mkdir()
    command = [sys.executable, str(HERE / "provider.py"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield Provider(f"http://127.0.0.1:{port}/v1", folder)
        process.kill()


@pytest.fixture
def settings(provider: Provider) -> Settings:
    """The settings of a job at that provider, which is looked at without pauses."""
    return Settings(base="small-1", base_url=provider.url, longest_poll=0)


def example(n: int) -> str:
    """Return a line of a chat file: tickets of two classes."""
    words, label = ("parcel late", "shipping") if n % 2 else ("card charged", "billing")
    asked = [{"role": "user", "content": f"{words} number{n}"}]
    return json.dumps({"messages": [*asked, {"role": "assistant", "content": label}]}) + "\n"


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str], Path]:
    """Keep a text as a snapshot, named after its digest."""

    def kept(text: str) -> Path:
        path = tmp_path / f"{hashlib.sha256(text.encode()).hexdigest()}.jsonl"
        path.write_text(text)
        return path

    return kept


@pytest.fixture
def plan(settings: Settings, keep: Callable[[str], Path]) -> Plan:
    """A plan of a dozen rows."""
    config = settings.model_dump(mode="json")
    return Plan(
        trainer="openai",
        train=keep("".join(map(example, range(12)))),
        validation=keep("".join(map(example, range(20, 24)))),
        test=None,
        config=config,
        base=OpenAITrainer().baseline(config),
        base_digest="",
        seed=0,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run."""
    path = tmp_path / "0123456789ab"
    path.mkdir()
    return path
