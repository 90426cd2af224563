"""What a report calls a training, and which of its settings it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunegate.interfaces.trainer import Plan
from tunegate.reporting.html.text import public_setting, training_method


@pytest.mark.parametrize(
    ("trainer", "config", "told"),
    [
        ("qlora", {"method": "qlora", "objective": "supervised"}, "qlora"),
        ("qlora", {"method": "lora", "objective": "dpo"}, "lora, dpo (trainer qlora)"),
        ("openai", {"method": "supervised"}, "openai"),
        ("openai", {"method": "dpo"}, "dpo (trainer openai)"),
        ("toy", {}, "toy"),
    ],
)
def test_the_method_is_told_where_it_says_more(
    trainer: str, config: dict[str, Any], told: str
) -> None:
    nothing = Path()
    plan = Plan(
        trainer=trainer, train=nothing, validation=None, test=None, config=config, base="",
        base_digest="", seed=0,
    )  # fmt: skip
    assert training_method(plan) == told


def test_where_a_key_stands_is_no_secret() -> None:
    assert public_setting("OPENAI_API_KEY", Path(), "key_env") == "OPENAI_API_KEY"
    assert public_setting("sk-1", Path(), "api_key") == "***"
