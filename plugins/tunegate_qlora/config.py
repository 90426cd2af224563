"""The settings of a training: the table `[train.qlora]`, its presets, what is derived of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from tunegate.config.schema import Section, load, parse_settings
from tunegate.errors import ConfigError
from tunegate.interfaces.model import ModelUnknown

Compute = Literal["bfloat16", "float16", "float32"]
Quantisation = Literal["nf4", "none"]
PositiveInt = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Method = Literal["qlora", "lora", "full"]
Objective = Literal["supervised", "dpo"]

# How each method holds the base while it trains. The trained weights are float32 throughout.
QUANTISATIONS: Mapping[Method, Quantisation] = {"qlora": "nf4", "lora": "none", "full": "none"}

# Default learning rates. QLoRA's (arXiv:2305.14314, table 9) is 2e-4; training every weight needs
# about a tenth of an adapter's (Schulman et al. 2025, "LoRA Without Regret").
LEARNING_RATES: Mapping[Method, float] = {"qlora": 2e-4, "lora": 2e-4, "full": 2e-5}
# For DPO: those of TRL 1.16 (trl/scripts/dpo.py), which Zephyr (arXiv:2310.16944) used too.
DPO_LEARNING_RATES: Mapping[Method, float] = {"qlora": 5e-6, "lora": 5e-6, "full": 5e-7}
BETA = 0.1  # arXiv:2305.18290, appendix B

# Settings that came later: at its default each leaves digests and run ids as they were before.
LATER_SETTINGS = (
    *("objective", "beta", "packing", "processes", "machines", "sharding"),
    *("attention", "chat_template", "template_args", "system_role", "optimiser"),
    *("new_tokens", "engine"),
)

# Settings without a meaning for the method `full`.
ADAPTER_SETTINGS = frozenset({"r", "alpha", "dropout", "targets"})


class Decoding(BaseModel):
    """How a local model is loaded, asked, and how long it answers; decoding is always greedy."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # How the base's linear layers are quantised: `nf4` (4 bits, double quantisation) or `none`.
    quantisation: Quantisation = "nf4"
    compute: Compute = "bfloat16"  # the number format that the linear layers compute in
    max_new_tokens: PositiveInt = 256  # tokens of an answer, at most; a longer one is cut there
    # Prompts that are answered together; halved where the memory does not suffice.
    generation_batch: PositiveInt = 32
    # The attention of transformers (`sdpa`, `eager`, `flash_attention_2`); "" is the base's own.
    attention: str = ""
    # A file, from the project's root, with a chat template in place of the base's own.
    chat_template: str = ""
    # Values of the chat template's variables, such as `{ enable_thinking = false }`.
    template_args: dict[str, Any] = {}
    # `fold` puts the system message before the user's first text, for templates that refuse it.
    system_role: Literal["own", "fold"] = "own"
    # Give tokens of the tokenizer that the base has no embedding for one, and train it.
    new_tokens: bool = False
    # What computes the answers: `vllm` is a child process in an environment of its own.
    engine: Literal["transformers", "vllm"] = "transformers"

    @property
    def identity(self) -> dict[str, Any]:
        """What a digest is made of: settings that came later are left out at their defaults."""
        values = self.model_dump(mode="json", include=set(Decoding.model_fields))
        defaults = Decoding().model_dump(mode="json")
        values["batch"] = values.pop("generation_batch")
        return {k: v for k, v in values.items() if k not in LATER_SETTINGS or v != defaults[k]}


class VLLMTable(Section):
    """The vLLM that answers in batches."""

    command: tuple[str, ...] = ("vllm",)  # the program, run without a shell in the project's root
    options: tuple[str, ...] = ()  # of `vllm run-batch`; they win over all but the model

    @classmethod
    def read(cls, root: Path) -> Self:
        """Return a project's table; raises ModelUnknown for a bad one."""
        try:
            return parse_settings(cls, load(root).models.get("vllm", {}))
        except (ValueError, ConfigError) as error:
            raise ModelUnknown(f"[models.vllm] {error}") from None


class Settings(Decoding):
    """All settings of a training.

    Defaults are those of QLoRA (arXiv:2305.14314), table 9, where it names one. Its learning rate
    (2e-4) is for 7 to 13 thousand million parameters; far smaller bases need about ten times that.
    """

    # The base model: a folder (relative to the project's root, or absolute) or a hub name.
    base: Annotated[str, Field(min_length=1, examples=['base = "FOLDER", a model with tokenizer'])]
    # What is trained: an adapter on a base in 4 bits (`qlora`) or as it is (`lora`), or every
    # weight of the base (`full`). `lora` where `quantisation` is set to `none`.
    method: Method = "qlora"
    # The training objective: the replies (`supervised`), or the preference of one reply over
    # another (`dpo`), for which each row needs a rejected reply.
    objective: Objective = "supervised"
    # Only for `dpo`, 0.1 unless set: the greater it is, the closer the model stays to its base.
    beta: Annotated[float, Field(gt=0)] | None = None
    # Epochs, batch and learning rate for a common case: short answers or extraction, a tone or a
    # format, fewer than 200 rows. Settings that are set beside it win.
    preset: Literal["classification", "style", "few"] | None = None
    epochs: PositiveInt = 3  # how many times each row is trained on
    batch: PositiveInt = 8  # rows in one pass through the model; memory grows with it
    # Join the rows of a batch to one sequence instead of padding them: the batches, steps and loss
    # stay the same. A test before the first step shows that the model keeps the rows apart.
    packing: bool = False
    # Passes before one step of the optimiser: `batch x accumulation` rows make a step.
    accumulation: PositiveInt = 1
    # The highest rate, reached when the warm-up ends; `full`: 2e-5, `dpo`: 5e-6, in `full` 5e-7.
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-4
    # Stop after so many epochs without a better validation loss; 0 never stops.
    patience: Annotated[int, Field(ge=0)] = 0
    # Which weights become the model: those of the last step, or of the epoch with the best
    # validation loss. `best` where `patience` is set.
    keep: Literal["last", "best"] = "last"
    # The learning rate after the warm-up: it falls to 0 by this curve, or stays `constant`.
    scheduler: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Share = 0.03  # the share of all steps in which the learning rate rises from 0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0  # decoupled, on all trained parameters
    clip: Annotated[float, Field(gt=0)] = 1.0  # the largest norm of a gradient, scaled down to it
    max_length: PositiveInt = 1024  # tokens of a row; never more than the base's own context
    # What to do with a longer row: refuse to train, leave the row out, or cut the *start* of its
    # prompt (an answer is never cut).
    on_overflow: Literal["raise", "drop", "truncate"] = "raise"
    r: PositiveInt = 16  # the adapter's rank; neither it nor the next three are set for `full`
    alpha: PositiveInt = 32  # the adapter's scale: its output is multiplied by `alpha / r`
    dropout: Share = 0.05  # the share of the adapter's inputs that training sets to 0
    # Which layers get an adapter: every linear one but the output head, or a list of names.
    targets: Literal["all-linear"] | list[str] = "all-linear"
    # Compute activations twice instead of keeping them: about a third slower, much less memory.
    # Where it is false, that is done where the memory estimate needs it.
    gradient_checkpointing: bool = False
    # AdamW, its moments in 32 or in 8 bits; `paged` ones move to main memory when a GPU is full.
    optimiser: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    # Where transformers reports losses to, too: `tensorboard`, `wandb`, `mlflow`, `trackio`.
    report_to: list[str] = []
    # Of the adapter's first weights, the order of the rows, and the dropout.
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    # Processes that train together on this machine, a GPU for each; `processes x batch x
    # accumulation` rows make a step.
    processes: PositiveInt = 1
    machines: PositiveInt = 1  # machines that train together, each with `processes` processes
    address: str = ""  # the `host:port` at which other machines reach the first one
    # Whether each process holds the whole model (`none`) or a part of it (`fsdp`).
    sharding: Literal["none", "fsdp"] = "none"
    # CPU threads; 0 lets torch decide. Another number can change the last bits of the weights.
    threads: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0  # the most that a killed one loses

    @property
    def schedule(self) -> str:
        """Transformers' name of the scheduler; its own `constant` has no warm-up."""
        return "constant_with_warmup" if self.scheduler == "constant" else self.scheduler

    @property
    def packed(self) -> bool:
        """Whether rows are packed: flash attention alone is known to keep them apart."""
        return self.packing and "flash" in self.attention

    @property
    def conversations_per_row(self) -> int:
        """Sequences that the model reads for a row: `dpo` reads the prompt with both replies."""
        return 2 if self.objective == "dpo" else 1

    @property
    def world_size(self) -> int:
        """Processes that train together, on all machines."""
        return self.processes * self.machines

    @property
    def decoding(self) -> Decoding:
        """The settings that the trained model is loaded and answers with."""
        return Decoding(**{key: getattr(self, key) for key in Decoding.model_fields})


@dataclass(frozen=True, slots=True)
class Preset:
    """What a preset sets, and why; `rate_factor` multiplies the method's own learning rate."""

    epochs: int
    batch: int
    rate_factor: float
    reason: str


PRESETS: Mapping[str, Preset] = {
    "classification": Preset(3, 4, 1, "short answers, often repeated, are learned in three passes"),
    "style": Preset(2, 8, 1.0, "tone and layout come early; a third pass learns rows by heart"),
    "few": Preset(5, 2, 0.5, "fewer than 200 rows want more passes, in more and smaller steps"),
}

FEW_ROWS = 200  # the preset `few` is meant for fewer training rows than this


def resolve_settings(values: Mapping[str, Any]) -> Settings:
    """Validate `[train.qlora]`, fill in what method and preset derive; ValueError in one line.

    A value that the user has set is never replaced.
    """
    settings = parse_settings(Settings, values)
    set_fields = settings.model_fields_set
    if "method" not in set_fields and settings.quantisation == "none":
        # The field calls an adapter on a base that is not quantised LoRA.
        settings = settings.model_copy(update={"method": "lora"})
    derived: dict[str, Any] = {
        "quantisation": QUANTISATIONS[settings.method],
        "learning_rate": default_learning_rate(settings),
        "keep": "best" if settings.patience else "last",
        "beta": BETA if settings.objective == "dpo" else None, **preset_values(settings),
    }  # fmt: skip
    unset = {key: value for key, value in derived.items() if key not in set_fields}
    settings = settings.model_copy(update=unset)
    if conflicts := list(find_conflicts(settings, set_fields)):
        raise ValueError("; ".join(conflicts))
    return settings


def preset_lines(settings: Settings) -> list[str]:
    """Describe the preset of resolved settings in lines of at most 70 characters; [] for none."""
    if settings.preset is None:
        return []
    values = preset_values(settings)
    passes, rate = f"{values['epochs']} epochs, batch {values['batch']}", values["learning_rate"]
    described = f"{settings.preset}: {passes}, learning rate {rate:g}"
    lines = [described, PRESETS[settings.preset].reason]
    actual = {key: getattr(settings, key) for key in values}
    overrides = [f"{key} = {n:g}" for key, n in actual.items() if n != values[key]]
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
    """Yield a message for each pair of full `settings` that clash; the user set `set_fields`."""
    needed_quantisation = QUANTISATIONS[settings.method]
    if settings.quantisation != needed_quantisation:
        held = f"method = {settings.method!r} holds the base with quantisation"
        other = f"not {settings.quantisation!r}: leave one of the two out"
        yield f"{held} = {needed_quantisation!r}, {other}"
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
        reach = "the first machine's host:port, which the others can reach"
        yield f"machines above 1 and address go together: {reach}"
    if settings.sharding == "fsdp" and settings.method != "qlora" and settings.objective == "dpo":
        remedy = "which takes method = 'qlora', or sharding = 'none'"
        yield f"objective = 'dpo' asks the whole model before it is shared out, {remedy}"
    if settings.sharding == "fsdp" and settings.new_tokens:
        yield "new_tokens cannot be shared out: set sharding = 'none'"
    if settings.patience and settings.keep == "last":
        yield "patience stops after the best epoch: keep = 'last' would keep a worse one"
