"""Fixtures: a server in a process of its own, and models that ask it, their clock in our hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from endpoint_parts import FakeTime, Maker, Told, serving

from tunegate_endpoints.model import Endpoint, open_anthropic, open_openai


@pytest.fixture(scope="session")
def process() -> Iterator[Told]:
    """The server's process."""
    with serving() as told:
        yield told


@pytest.fixture
def server(process: Told) -> Told:
    """A server that has forgotten everything."""
    process(forget=True)
    return process


@pytest.fixture
def time() -> FakeTime:
    """Time that passes only where somebody sleeps."""
    return FakeTime()


@pytest.fixture
def model(server: Told, time: FakeTime, tmp_path: Path) -> Maker:
    """Make a model that asks the server: `model(connections=3)`, `model("anthropic", ...)`."""
    (tmp_path / "tunegate.toml").write_text("")

    def make(protocol: str = "openai", **settings: Any) -> Endpoint:
        base = server.url if protocol == "openai" else server.url.removesuffix("/v1")
        told = "&".join(f"{k}={v}" for k, v in {"base_url": base, **settings}.items())
        opener = open_openai if protocol == "openai" else open_anthropic
        made = opener(f"m?{told}", tmp_path)
        assert isinstance(made, Endpoint)
        made.clock = time.clock
        return made

    return make
