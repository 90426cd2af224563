"""A provider, and a run's plan to put to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina
from openai_parts import KEY, Provider, example
from provider import serving

from tunegate.interfaces.trainer import Plan
from tunegate_openai.settings import Settings
from tunegate_openai.trainer import OpenAITrainer


@pytest.fixture(autouse=True)
def without_pauses() -> Iterator[None]:
    """Retries come one after another."""
    with stamina.set_testing(True, attempts=1000, cap=True):
        yield


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that holds nothing yet; its key is in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    folder = tmp_path / "provider"
    folder.mkdir()
    with serving(folder) as port:
        yield Provider(f"http://127.0.0.1:{port}/v1", folder)


@pytest.fixture
def settings(provider: Provider) -> Settings:
    """The settings of a job at that provider, which is looked at without pauses."""
    return Settings(base="small-1", base_url=provider.url, longest_poll=0)


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
