"""A model that answers nothing: the candidate ends the session, another role fails its tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tunegate import Dataset
from tunegate.interfaces.model import ModelUnknown
from tunegate.pytest_plugin.fixtures import SESSION, ModelSilent, ask_role


@pytest.mark.parametrize("role", ["candidate", "baseline"])
def test_who_answers_nothing(role: str) -> None:
    def predictions(*_: object) -> None:
        raise ModelUnknown("http://h: no connection")

    models, session = SimpleNamespace(predictions=predictions), SimpleNamespace(shouldfail=False)
    stash: Any = {SESSION: SimpleNamespace(models=models)}
    config: Any = SimpleNamespace(
        stash=stash, pluginmanager=SimpleNamespace(get_plugin={"session": session}.get)
    )
    with pytest.raises(ModelSilent, match="http://h: no connection"):
        ask_role(config, role, Dataset.parse(b"", "test"))
    assert bool(session.shouldfail) == (role == "candidate")
