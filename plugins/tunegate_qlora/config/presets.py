"""Recipes for the common cases, and every setting that follows from another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tunegate.config.settings import parse_settings

from .settings import (
    ADAPTER_SETTINGS,
    BETA,
    DPO_LEARNING_RATES,
    LEARNING_RATES,
    QUANTISATION_OF_METHOD,
    Settings,
)


@dataclass(frozen=True, slots=True)
class Preset:
    """What a recipe sets, and why; `rate` scales the method's own learning rate."""

    epochs: int
    batch: int
    rate_factor: float
    reason: str


PRESETS: Mapping[str, Preset] = {
    "classification": Preset(
        3, 4, 1.0, "short answers, often repeated, are learned in three passes"
    ),
    "style": Preset(2, 8, 1.0, "tone and layout come early; a third pass learns rows by heart"),
    "few": Preset(5, 2, 0.5, "fewer than 200 rows want more passes, in more and smaller steps"),
}


FEW_ROWS = 200  # rows below which `few` is meant


def resolve_settings(values: Mapping[str, Any]) -> Settings:
    """Return the settings, with what the method and the preset say where the values do not.

    Raises ValueError in one line: a bad key or value, or two that exclude each other.
    """
    settings = parse_settings(Settings, values)
    set_fields = settings.model_fields_set
    derived = {
        k: v for k, v in _derived_settings(settings, set_fields).items() if k not in set_fields
    }
    settings = settings.model_copy(update=derived)
    if clashes := list(_conflicts(settings, set_fields)):
        raise ValueError("; ".join(clashes))
    return settings


def preset_lines(settings: Settings) -> list[str]:
    """Return what the preset of a resolved training did, in lines of at most 70 characters."""
    if settings.preset is None:
        return []
    preset = PRESETS[settings.preset]
    first = (
        f"{settings.preset}: {preset.epochs} epochs, batch {preset.batch}, "
        f"learning rate {_preset_rate(settings, preset):g}"
    )
    pairs = ((k, v, getattr(settings, k)) for k, v in _preset_values(settings, preset).items())
    overrides = [
        f"{key} = {current:g}" for key, preset_value, current in pairs if current != preset_value
    ]
    return [
        first,
        preset.reason,
        *([f"set otherwise: {', '.join(overrides)}"] if overrides else []),
    ]


def default_learning_rate(settings: Settings) -> float:
    """Return the learning rate of a method and an objective where nothing is said."""
    return (DPO_LEARNING_RATES if settings.objective == "dpo" else LEARNING_RATES)[settings.method]


def _derived_settings(settings: Settings, set_fields: set[str]) -> dict[str, Any]:
    method = settings.method
    if "method" not in set_fields and settings.quantisation == "none":
        method = "lora"  # an adapter on a base that is not quantised is what that is called
    settings = settings.model_copy(update={"method": method})
    derived: dict[str, Any] = {"method": method, "quantisation": QUANTISATION_OF_METHOD[method]}
    derived |= {
        "learning_rate": default_learning_rate(settings),
        "keep": "best" if settings.patience else "last",
    }
    derived |= {"beta": BETA} if settings.objective == "dpo" else {}
    preset = PRESETS.get(settings.preset or "")
    return derived | (_preset_values(settings, preset) if preset else {})


def _preset_values(settings: Settings, preset: Preset) -> dict[str, float]:
    rate = _preset_rate(settings, preset)
    return {"epochs": preset.epochs, "batch": preset.batch, "learning_rate": rate}


def _preset_rate(settings: Settings, preset: Preset) -> float:
    return default_learning_rate(settings) * preset.rate_factor


def _conflicts(settings: Settings, set_fields: set[str]) -> Iterator[str]:
    needed_quantisation = QUANTISATION_OF_METHOD[settings.method]
    if settings.quantisation != needed_quantisation:
        yield (
            f"method = {settings.method!r} holds the base with quantisation = {needed_quantisation!r}, not "
            f"{settings.quantisation!r}: leave one of the two out"
        )
    if settings.method == "full":
        for key in sorted(set_fields & ADAPTER_SETTINGS):
            yield f"{key} is an adapter's, and method = 'full' has none: leave it out"
    if settings.objective != "dpo" and settings.beta is not None:
        yield "beta is of objective = 'dpo', and this is 'supervised': leave it out"
    if settings.objective == "dpo" and settings.packing:
        yield "packing is for supervised rows, and objective = 'dpo' has pairs: leave it out"
    if settings.sharding == "fsdp" and settings.world_size == 1:
        yield "sharding = 'fsdp' shares the model out among processes: set processes above 1"
    host, _, port = settings.address.rpartition(":")
    if settings.address and not (host and port.isdecimal() and 0 < int(port) < 2**16):
        yield f"address = {settings.address!r}: host:port is needed, a port from 1 to 65535"
    if (settings.machines > 1) != bool(settings.address):
        yield (
            "machines above 1 and address go together: the first machine's host:port, which the "
            "others can reach"
        )
    needs_whole_model = settings.objective == "dpo" or settings.packing
    if settings.sharding == "fsdp" and settings.method != "qlora" and needs_whole_model:
        subject = "packing" if settings.packing else "objective = 'dpo'"
        yield (
            f"{subject} asks the whole model before it is shared out, which takes method = 'qlora', "
            "or sharding = 'none'"
        )
    if settings.patience and settings.keep == "last":
        yield "patience stops after the best epoch: keep = 'last' would keep a worse one"
