"""The settings of a training: one frozen record, every default in sight."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Compute = Literal["bfloat16", "float16", "float32"]
Quantisation = Literal["nf4", "none"]
Whole = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
T = TypeVar("T", bound=BaseModel)


class Decoding(BaseModel):
    """How a local model is loaded and answers; always greedy (temperature 0)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    quantisation: Quantisation = "nf4"
    """How the base's linear layers are held: `nf4` (4 bits, double quantisation) or `none`."""

    compute: Compute = "bfloat16"
    """The number format that the linear layers compute in."""

    max_new_tokens: Whole = 256
    """The longest answer, in tokens; one that has not ended by then is handed back as it stands."""


class Settings(Decoding):
    """Everything a QLoRA training is made of. Defaults follow QLoRA (arXiv:2305.14314), table 9,
    where it names one; the learning rate there (2e-4) is for bases of 7 to 13 thousand million
    parameters: a far smaller base wants ten times as much.
    """

    base: Annotated[str, Field(min_length=1)]
    """The base model: a folder (relative to the project's root, or absolute) or a hub name."""

    epochs: Whole = 3
    """How often every row is seen."""

    batch: Whole = 8
    """Rows in one pass through the model; memory grows with it."""

    accumulation: Whole = 1
    """Passes before one step of the optimiser: `batch x accumulation` rows make a step."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-4
    """The highest learning rate, reached when the warm-up ends."""

    scheduler: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate goes on after the warm-up: down to 0, or `constant`."""

    warmup: Share = 0.03
    """The share of all steps in which the learning rate rises from 0."""

    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW's decoupled weight decay, on the adapter's weights."""

    clip: Annotated[float, Field(gt=0)] = 1.0
    """The longest gradient; a longer one is scaled down to this norm."""

    max_length: Whole = 1024
    """The longest row, in tokens; never more than the base's own context."""

    on_overflow: Literal["raise", "drop", "truncate"] = "raise"
    """What becomes of a longer row: refuse to train, set the row aside, or cut the *start* of its
    prompt (an answer is never cut)."""

    r: Whole = 16
    """The adapter's rank."""

    alpha: Whole = 32
    """The adapter's scale: its output is multiplied by `alpha / r`."""

    dropout: Share = 0.05
    """The share of the adapter's inputs that training sets to 0."""

    targets: Literal["all-linear"] | list[str] = "all-linear"
    """Which layers get an adapter: every linear one but the output head, or a list of names."""

    gradient_checkpointing: bool = False
    """Compute activations twice rather than keep them: about a third slower, far less memory."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Starts the adapter's weights, the order of the rows, and the dropout."""

    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads; 0 leaves it to torch. A different number can change the last bits."""

    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds between checkpoints: what a training that was killed loses at most."""

    @property
    def decoding(self) -> Decoding:
        """The part of the settings that the trained model answers with."""
        return Decoding(**{key: getattr(self, key) for key in Decoding.model_fields})


def settle(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a record of the values; raise ValueError naming each bad key or value, in one line."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        valid = list(kind.model_fields)
        raise ValueError("; ".join(_told(dict(e), valid) for e in error.errors())) from None


def _told(error: dict[str, Any], valid: list[str]) -> str:
    key = str(error["loc"][0])
    if error["type"] == "missing":
        return f"`{key}` is missing"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
        meant = f"did you mean `{near[0]}`? " if near else ""
        return f"unknown setting `{key}`: {meant}Valid ones: {', '.join(sorted(valid))}"
    need = str(error["msg"]).removeprefix("Input ")
    return f"{key} = {error['input']!r}: the value {need}"
