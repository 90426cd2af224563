"""The settings of a fine-tuning job: one frozen record, every default in sight."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tunegate.utils.masking import find_private

Auto = Literal["auto"]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]

# Epochs, batch and learning-rate multiplier for the common cases, to start from.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "classification": {"epochs": 3, "batch": 4, "learning_rate_multiplier": 1.8},
    "style": {"epochs": 2, "batch": 8, "learning_rate_multiplier": 1.0},
    "few": {"epochs": 5, "batch": 2, "learning_rate_multiplier": 0.5},  # fewer than 200 examples
}

# What changes nothing in the model that comes out: no part of the run's identity.
INCIDENTAL = ("key_env", "key_header", "price_per_million", "max_cost", "longest_poll")

# The longest example, in tokens, that OpenAI trains on: gpt-4o, gpt-4o-mini and gpt-4.1, by the
# "Token limits" of its fine-tuning guide.
LONGEST = 65_536

# What is counted on where the provider chooses the epochs: OpenAI's cookbook aims at 3.
USUAL_EPOCHS = 3


def _checked_address(url: str) -> str:
    if any(private.kind != "ip" for private in find_private(url)):
        remedy = "name the key's variable in key_env, and its header in key_header"
        written = "since it is written into the run's files"
        raise ValueError(f"must hold no key, user or password, {written}: {remedy}")
    return url


class Settings(BaseModel):
    """What `[train.openai]` takes. "auto" leaves the choice to the provider."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # The model to fine-tune, by the provider's name.
    base: Annotated[str, Field(min_length=1, examples=['base = "NAME", a model of the provider'])]
    # The provider's address up to `/v1`; a query (Azure's `?api-version=...`) goes along.
    base_url: Annotated[str, AfterValidator(_checked_address)] = "https://api.openai.com/v1"
    # The environment variable that holds the key. The key itself is never written anywhere.
    key_env: str = "OPENAI_API_KEY"
    # The header that carries the key where it is not `Authorization`: Azure's `api-key`.
    key_header: str | None = None
    # Epochs, batch and multiplier for a common case; whatever is set beside it wins.
    preset: Literal["classification", "style", "few"] | None = None
    # `dpo` learns from pairs of a preferred and a non-preferred answer.
    method: Literal["supervised", "dpo"] = "supervised"
    epochs: Annotated[int, Field(ge=1, le=50)] | Auto = "auto"  # how often every row is seen
    batch: Annotated[int, Field(ge=1, le=256)] | Auto = "auto"  # rows in one step
    # Scales the learning rate that the provider would choose.
    learning_rate_multiplier: Annotated[float, Field(gt=0)] | Auto = "auto"
    # DPO only: how dear it is to leave the base model's answers.
    beta: Annotated[float, Field(gt=0, le=2)] | Auto = "auto"
    # Becomes part of the new model's name.
    suffix: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    # Sent with the job; providers promise to try, not to repeat a training bit by bit.
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    # Sent as they stand, such as `{type = "wandb", wandb = {project = "tickets"}}`.
    integrations: list[dict[str, Any]] = []
    # USD per million trained tokens, from the provider's price list.
    price_per_million: Price | None = None
    # USD; a job that is estimated to cost more is not started. `--max-cost` overrules it.
    max_cost: Price | None = None
    # Seconds between two looks at a job that nothing happens to.
    longest_poll: Annotated[float, Field(ge=0, le=600)] = 60.0

    @property
    def epoch_count(self) -> int:
        """The number of epochs, or the usual one."""
        return USUAL_EPOCHS if self.epochs == "auto" else self.epochs

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters as the protocol spells them."""
        names: dict[str, Any] = {"n_epochs": self.epochs, "batch_size": self.batch}
        names["learning_rate_multiplier"] = self.learning_rate_multiplier
        return {**names, "beta": self.beta} if self.method == "dpo" else names


def with_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with those of their preset filled in where they say nothing."""
    return {**PRESETS.get(str(values.get("preset")), {}), **values}
