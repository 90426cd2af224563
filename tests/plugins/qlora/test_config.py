from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunegate.config.schema import parse_settings
from tunegate.tokenization.encode import EncodedRow
from tunegate_qlora.config import (
    ADAPTER_SETTINGS,
    PRESETS,
    Decoding,
    Settings,
    preset_lines,
    resolve_settings,
)
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import callbacks


def test_resolve_fills_in_every_default(project: Path) -> None:
    resolved = QLoRATrainer().resolve({"base": "base", "epochs": 1}, project)
    assert set(resolved) == set(Settings.model_fields)
    assert resolved["epochs"] == 1
    assert resolved["base"] == "base"  # as written: the run id must not depend on the machine


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"learning_rat": 1.0}, "unknown key 'learning_rat', did you mean 'learning_rate'?"),
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
    with pytest.raises(
        ValueError, match='base is missing: write base = "FOLDER", a model with tokenizer'
    ):
        QLoRATrainer().resolve({}, project)


def test_the_baseline_is_loaded_as_the_trained_model_is() -> None:
    config = Settings(base="b").model_dump()
    assert QLoRATrainer().baseline(config) == "folder:b"
    own = config | {"max_new_tokens": 8, "quantisation": "none"}
    assert QLoRATrainer().baseline(own) == "folder:b?quantisation=none&max_new_tokens=8"


def test_decoding_is_part_of_the_settings() -> None:
    settings = parse_settings(Settings, {"base": "b", "max_new_tokens": 9})
    assert settings.decoding == Decoding(max_new_tokens=9)


@pytest.mark.parametrize(
    ("preset", "epochs", "batch", "rate"),
    [("classification", 3, 4, 2e-4), ("style", 2, 8, 2e-4), ("few", 5, 2, 1e-4)],
)
def test_a_preset_sets_what_it_says(preset: str, epochs: int, batch: int, rate: float) -> None:
    found = resolve_settings({"base": "b", "preset": preset})
    assert (found.epochs, found.batch, found.learning_rate) == (epochs, batch, rate)
    first, why = preset_lines(found)
    assert first == f"{preset}: {epochs} epochs, batch {batch}, learning rate {rate:g}"
    assert why == PRESETS[preset].reason


@pytest.mark.parametrize("key", ["epochs", "batch", "learning_rate"])
def test_every_value_of_a_preset_can_be_set_otherwise(key: str) -> None:
    values: dict[str, Any] = {"base": "b", "preset": "few", key: 1}
    found = resolve_settings(values)
    assert getattr(found, key) == 1
    assert preset_lines(found)[-1] == f"set otherwise: {key} = 1"


def test_what_is_told_fits_on_a_screen() -> None:
    for preset in PRESETS:
        own = resolve_settings(
            {"base": "b", "preset": preset, "epochs": 9, "batch": 1, "learning_rate": 1}
        )
        assert all(len(line) <= 70 for line in preset_lines(own))
    assert preset_lines(Settings(base="b")) == []


@pytest.mark.parametrize("rows", [199, 200])
def test_a_run_says_which_preset_it_follows(rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    row = EncodedRow(1, [1, 2], [1, 2])
    material: Any = SimpleNamespace(train=[row] * rows, validation=[], dropped_rows=2)
    settings = resolve_settings({"base": "b", "preset": "few", "batch": 4, "method": "lora"})
    figures = callbacks.print_start(settings, material, (25, 100))
    assert figures == {"computed_tokens_an_epoch": 2 * rows, "padding": 0.0}
    expected = [
        "preset    few: 5 epochs, batch 2, learning rate 0.0001",
        f"          {PRESETS['few'].reason}",
        "          set otherwise: batch = 4",
        f"training  lora, {rows} rows, 2 too long and set aside",
        "          25 of 100 parameters trainable (25.00 %)",
    ]
    if rows >= 200:
        expected.append("          preset few is meant for fewer than 200 rows")
    expected.append(f"          padding 0.0 % of {2 * rows} tokens an epoch")
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("qlora", "nf4", 2e-4, "last")),
        ({"method": "lora"}, ("lora", "none", 2e-4, "last")),
        ({"quantisation": "none"}, ("lora", "none", 2e-4, "last")),
        ({"method": "full"}, ("full", "none", 2e-5, "last")),
        ({"method": "full", "preset": "few"}, ("full", "none", 1e-5, "last")),
        ({"patience": 2}, ("qlora", "nf4", 2e-4, "best")),
        ({"objective": "dpo"}, ("qlora", "nf4", 5e-6, "last")),
        ({"objective": "dpo", "method": "full", "preset": "few"}, ("full", "none", 2.5e-7, "last")),
    ],
)
def test_what_follows_from_another_setting_is_filled_in(
    values: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    found = resolve_settings({"base": "b"} | values)
    assert (found.method, found.quantisation, found.learning_rate, found.keep) == expected
    assert parse_settings(Settings, found.model_dump()) == found == resolve_again(found)


def resolve_again(found: Settings) -> Settings:
    """Resolve what was resolved: an adapter's settings, which `full` has no use for, aside."""
    values = found.model_dump()
    return resolve_settings(
        {k: v for k, v in values.items() if found.method != "full" or k not in ADAPTER_SETTINGS}
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "qlora", "quantisation": "none"}, "method = 'qlora' holds the base with"),
        ({"method": "full", "quantisation": "nf4"}, "method = 'full' holds the base with"),
        ({"method": "full", "r": 8}, "r is an adapter's, and method = 'full' has none"),
        ({"patience": 1, "keep": "last"}, "patience stops after the best epoch"),
        ({"preset": "small"}, "'classification', 'style' or 'few'"),
        ({"beta": 0.2}, "beta is of objective = 'dpo', and this is 'supervised': leave it out"),
        ({"objective": "dpo", "beta": 0.0}, "beta = 0.0: the value should be greater than 0"),
        ({"objective": "dpo", "packing": True}, "packing is for supervised rows"),
        (
            {"objective": "dpo", "method": "lora", "sharding": "fsdp", "processes": 2},
            "objective = 'dpo' asks the whole model before it is shared out",
        ),
        ({"address": "h:99999", "machines": 2}, "address = 'h:99999': host:port is needed"),
        ({"method": "dora"}, "'qlora', 'lora' or 'full'"),
    ],
)
def test_settings_that_exclude_each_other_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        resolve_settings({"base": "b"} | values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_beta_has_a_value_where_it_has_a_meaning() -> None:
    assert resolve_settings({"base": "b"}).beta is None
    assert resolve_settings({"base": "b", "objective": "dpo"}).beta == 0.1
    assert resolve_settings({"base": "b", "objective": "dpo", "beta": 0.5}).beta == 0.5


def test_a_setting_that_came_later_is_neutral_by_default() -> None:
    usual = resolve_settings({"base": "b"}).model_dump(mode="json")
    assert {key: usual[key] for key in QLoRATrainer.neutral} == QLoRATrainer.neutral
    assert (
        resolve_settings({"base": "b", "objective": "dpo"}).objective
        != QLoRATrainer.neutral["objective"]
    )


def test_a_preset_and_its_values_written_out_are_the_same_run() -> None:
    by_name = resolve_settings({"base": "b", "preset": "few"}).model_dump()
    written = {"base": "b", "epochs": 5, "batch": 2, "learning_rate": 1e-4}
    differs = {k for k, v in resolve_settings(written).model_dump().items() if by_name[k] != v}
    assert differs <= set(QLoRATrainer.incidental)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"sharding": "fsdp"}, "set processes above 1"),
        ({"machines": 2}, "machines above 1 and address go together"),
        ({"address": "here:1"}, "machines above 1 and address go together"),
        ({"machines": 2, "address": "here"}, "address"),
        ({"processes": 0}, "processes"),
    ],
)
def test_what_goes_with_what_is_said_at_once(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        resolve_settings({"base": "base", **said})
