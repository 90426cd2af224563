"""Presets for common cases, and every setting that is derived from another one."""

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
    """What a preset sets, and why; `rate_factor` multiplies the method's own learning rate."""

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

FEW_ROWS = 200  # the preset `few` is meant for fewer training rows than this


def resolve_settings(values: Mapping[str, Any]) -> Settings:
    """Validate the values of `[train.qlora]`, and fill in what method and preset derive.

    A value that the user has set is never replaced. Raises ValueError in one line: a bad key or
    value, or settings that exclude each other.
    """
    settings = parse_settings(Settings, values)
    set_fields = settings.model_fields_set
    if "method" not in set_fields and settings.quantisation == "none":
        # The field calls an adapter on a base that is not quantised LoRA.
        settings = settings.model_copy(update={"method": "lora"})
    derived: dict[str, Any] = {
        "quantisation": QUANTISATION_OF_METHOD[settings.method],
        "learning_rate": default_learning_rate(settings),
        "keep": "best" if settings.patience else "last",
        **({"beta": BETA} if settings.objective == "dpo" else {}),
        **preset_values(settings),
    }
    settings = settings.model_copy(
        update={key: value for key, value in derived.items() if key not in set_fields}
    )
    if conflicts := list(find_conflicts(settings, set_fields)):
        raise ValueError("; ".join(conflicts))
    return settings


def preset_lines(settings: Settings) -> list[str]:
    """Describe the preset of resolved settings in lines of at most 70 characters; [] for none."""
    if settings.preset is None:
        return []
    values = preset_values(settings)
    lines = [
        f"{settings.preset}: {values['epochs']} epochs, batch {values['batch']}, "
        f"learning rate {values['learning_rate']:g}",
        PRESETS[settings.preset].reason,
    ]
    overrides = [
        f"{key} = {getattr(settings, key):g}"
        for key, value in values.items()
        if getattr(settings, key) != value
    ]
    return [*lines, f"set otherwise: {', '.join(overrides)}"] if overrides else lines


def preset_values(settings: Settings) -> dict[str, float]:
    """Return the settings that the preset sets, with their values; {} without a preset."""
    if settings.preset is None:
        return {}
    preset = PRESETS[settings.preset]
    rate = default_learning_rate(settings) * preset.rate_factor
    return {"epochs": preset.epochs, "batch": preset.batch, "learning_rate": rate}


def default_learning_rate(settings: Settings) -> float:
    """Return the learning rate of the settings' method and objective, presets aside."""
    return (DPO_LEARNING_RATES if settings.objective == "dpo" else LEARNING_RATES)[settings.method]


def find_conflicts(settings: Settings, set_fields: set[str]) -> Iterator[str]:
    """Yield one message for each pair of settings that exclude each other.

    Args:
        settings: With all derived values filled in.
        set_fields: The names of those that the user has set.
    """
    needed_quantisation = QUANTISATION_OF_METHOD[settings.method]
    if settings.quantisation != needed_quantisation:
        yield (
            f"method = {settings.method!r} holds the base with quantisation = "
            f"{needed_quantisation!r}, not {settings.quantisation!r}: leave one of the two out"
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
            f"{subject} asks the whole model before it is shared out, which takes "
            "method = 'qlora', or sharding = 'none'"
        )
    if settings.patience and settings.keep == "last":
        yield "patience stops after the best epoch: keep = 'last' would keep a worse one"
