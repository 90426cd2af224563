"""Recipes for the common cases, and every setting that follows from another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tunegate.settings import settle

from .config import ADAPTER, BETA, DPO_RATES, QUANTISED, RATES, Settings


@dataclass(frozen=True, slots=True)
class Preset:
    """What a recipe sets, and why; `rate` scales the method's own learning rate."""

    epochs: int
    batch: int
    rate: float
    why: str


PRESETS: Mapping[str, Preset] = {
    "classification": Preset(
        3, 4, 1.0, "short answers, often repeated, are learned in three passes"
    ),
    "style": Preset(2, 8, 1.0, "tone and layout come early; a third pass learns rows by heart"),
    "few": Preset(5, 2, 0.5, "fewer than 200 rows want more passes, in more and smaller steps"),
}


FEW = 200  # rows below which `few` is meant


def resolve(values: Mapping[str, Any]) -> Settings:
    """Return the settings, with what the method and the preset say where the values do not.

    Raises ValueError in one line: a bad key or value, or two that exclude each other.
    """
    settings = settle(Settings, values)
    given = settings.model_fields_set
    filled = {k: v for k, v in _following(settings, given).items() if k not in given}
    settings = settings.model_copy(update=filled)
    if clashes := list(_clashes(settings, given)):
        raise ValueError("; ".join(clashes))
    return settings


def told(settings: Settings) -> list[str]:
    """Return what the preset of a resolved training did, in lines of at most 70 characters."""
    if settings.preset is None:
        return []
    preset = PRESETS[settings.preset]
    first = (
        f"{settings.preset}: {preset.epochs} epochs, batch {preset.batch}, "
        f"learning rate {_rate(settings, preset):g}"
    )
    pairs = ((k, v, getattr(settings, k)) for k, v in _values(settings, preset).items())
    own = [f"{key} = {now:g}" for key, recipe, now in pairs if now != recipe]
    return [first, preset.why, *([f"set otherwise: {', '.join(own)}"] if own else [])]


def usual(settings: Settings) -> float:
    """Return the learning rate of a method and an objective where nothing is said."""
    return (DPO_RATES if settings.objective == "dpo" else RATES)[settings.method]


def _following(settings: Settings, given: set[str]) -> dict[str, Any]:
    method = settings.method
    if "method" not in given and settings.quantisation == "none":
        method = "lora"  # an adapter on a base that is not quantised is what that is called
    settings = settings.model_copy(update={"method": method})
    own: dict[str, Any] = {"method": method, "quantisation": QUANTISED[method]}
    own |= {"learning_rate": usual(settings), "keep": "best" if settings.patience else "last"}
    own |= {"beta": BETA} if settings.objective == "dpo" else {}
    preset = PRESETS.get(settings.preset or "")
    return own | (_values(settings, preset) if preset else {})


def _values(settings: Settings, preset: Preset) -> dict[str, float]:
    rate = _rate(settings, preset)
    return {"epochs": preset.epochs, "batch": preset.batch, "learning_rate": rate}


def _rate(settings: Settings, preset: Preset) -> float:
    return usual(settings) * preset.rate


def _clashes(settings: Settings, given: set[str]) -> Iterator[str]:
    needs = QUANTISED[settings.method]
    if settings.quantisation != needs:
        yield (
            f"method = {settings.method!r} holds the base with quantisation = {needs!r}, not "
            f"{settings.quantisation!r}: leave one of the two out"
        )
    if settings.method == "full":
        for key in sorted(given & ADAPTER):
            yield f"{key} is an adapter's, and method = 'full' has none: leave it out"
    if settings.objective != "dpo" and settings.beta is not None:
        yield "beta is of objective = 'dpo', and this is 'supervised': leave it out"
    if settings.objective == "dpo" and settings.packing:
        yield "packing is for supervised rows, and objective = 'dpo' has pairs: leave it out"
    if settings.sharding == "fsdp" and settings.world == 1:
        yield "sharding = 'fsdp' shares the model out among processes: set processes above 1"
    host, _, port = settings.address.rpartition(":")
    if settings.address and not (host and port.isdecimal() and 0 < int(port) < 2**16):
        yield f"address = {settings.address!r}: host:port is needed, a port from 1 to 65535"
    if (settings.machines > 1) != bool(settings.address):
        yield (
            "machines above 1 and address go together: the first machine's host:port, which the "
            "others can reach"
        )
    whole = settings.objective == "dpo" or settings.packing
    if settings.sharding == "fsdp" and settings.method != "qlora" and whole:
        what = "packing" if settings.packing else "objective = 'dpo'"
        yield (
            f"{what} asks the whole model before it is shared out, which takes method = 'qlora', "
            "or sharding = 'none'"
        )
    if settings.patience and settings.keep == "last":
        yield "patience stops after the best epoch: keep = 'last' would keep a worse one"
