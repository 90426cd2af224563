"""A fixture: the chat template of a tiny random Llama."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tiny_llama import make_base

from tunegate.tokenization.chat_template import load_template

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The base's chat template."""
    pytest.importorskip("torch")
    return load_template(make_base(tmp_path_factory.mktemp("models") / "base"))
