from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunegate.config.settings import parse_settings
from tunegate_qlora.config.settings import Decoding, Settings
from tunegate_qlora.trainer import QLoRATrainer


def test_every_setting_is_described() -> None:
    assert [k for k, f in Settings.model_fields.items() if not f.description] == []


def test_resolve_fills_in_every_default(project: Path) -> None:
    resolved = QLoRATrainer().resolve({"base": "base", "epochs": 1}, project)
    assert set(resolved) == set(Settings.model_fields)
    assert resolved["epochs"] == 1
    assert resolved["base"] == "base"  # as written: the run id must not depend on the machine


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"learning_rat": 1.0}, "unknown setting `learning_rat`, did you mean 'learning_rate'?"),
        ({"learning_rate": -1}, "learning_rate = -1: the value should be greater than 0"),
        ({"epochs": "3"}, "epochs = '3': the value should be a valid integer"),
        ({"on_overflow": "cut"}, "on_overflow = 'cut': the value should be 'raise', 'drop' or"),
        ({"batch": 0, "r": 0}, "batch = 0"),
        ({"base": "nowhere"}, "base = 'nowhere': there is no folder"),
        ({"base": "./nowhere"}, "base = './nowhere': there is no folder"),
    ],
)
def test_a_bad_setting_is_named(project: Path, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        QLoRATrainer().resolve({"base": "base"} | wrong, project)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_base_is_named(project: Path) -> None:
    with pytest.raises(ValueError, match="`base` is missing"):
        QLoRATrainer().resolve({}, project)


def test_the_baseline_is_loaded_as_the_trained_model_is() -> None:
    config = Settings(base="b").model_dump()
    assert QLoRATrainer().baseline(config) == "folder:b"
    own = config | {"max_new_tokens": 8, "quantisation": "none"}
    assert QLoRATrainer().baseline(own) == "folder:b?quantisation=none&max_new_tokens=8"


def test_decoding_is_part_of_the_settings() -> None:
    settings = parse_settings(Settings, {"base": "b", "max_new_tokens": 9})
    assert settings.decoding == Decoding(max_new_tokens=9)
