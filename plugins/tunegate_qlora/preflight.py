"""Finds what would make a training fail before it starts; each problem is one line.

Memory is estimated: weights, and activations by a formula, without the libraries' reserves.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tunegate.config.schema import parse_settings
from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan, Problem
from tunegate.storage.state_dir import StateDir
from tunegate.tokenization.chat_template import ChatTemplate, load_template, template_options
from tunegate.tokenization.encode import EncodedRow, NotTrainable

from .config import Settings
from .data import training_data
from .data.training_data import EncodedItem
from .model import folders
from .model.weights import QUANTISATION_BLOCK, Architecture, local_device, read_architecture
from .runtime.process_group import print_line

MAX_SHOWN_ROWS = 3  # rows that are named of those that cannot be encoded
# Bits of a weight in NF4: 4, and the two scales of double quantisation (arXiv:2305.14314, § 3).
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
# Bytes that a layer keeps for each token and unit of width in 16 bits (Korthikanti et al.,
# arXiv:2205.05198, equation 1 and table 2): without the attention matrix, which current kernels do
# not keep, and with checkpointing only its input.
LAYER_BYTES, CHECKPOINTED_LAYER_BYTES = 34, 2


def find_problems(plan: Plan) -> tuple[list[Problem], bool]:
    """Return what is wrong with a plan, [] where it can be trained; print what it will need.

    Also returns whether the memory needs gradient checkpointing. The rows are encoded, but no
    weights are loaded: of the base `config.json` is read, and the shapes of its tensors.
    """
    checkpointing = False
    try:
        settings = parse_settings(Settings, plan.config)
        folder = folders.locate_base(settings.base, plan.root)
        template = load_template(folder, template_options(plan.config, plan.root))
        messages, train = row_problems(plan, settings, folder, template)
        architecture = read_architecture(folder, settings)
        gpus = torch.cuda.device_count()
        messages += world_size_problems(len(train), settings, architecture, gpus)
        if train:
            rows = training_data.conversations_of(train)
            needed = estimate_memory(architecture, settings, rows)
            checkpointing = needs_checkpointing(needed, settings, architecture.model)
            settings = settings.model_copy(update={"gradient_checkpointing": checkpointing})
            needed = estimate_memory(architecture, settings, rows)
            messages += memory_problems(needed.per_process(settings), settings)
            note_cut_replies(train, settings)
        messages += base_problems(plan, settings, architecture)
        messages += token_problems(template, architecture, settings)
        if note := folders.date_note(template):
            print(note, flush=True)
    except (ValueError, OSError) as error:
        messages = [str(error)]
    return [Problem(message) for message in messages], checkpointing


def row_problems(
    plan: Plan, settings: Settings, folder: Path, template: ChatTemplate
) -> tuple[list[str], Sequence[EncodedItem]]:
    """Return why a plan's rows cannot be trained on, and the training rows that are left."""
    paths = {"train": plan.train, "validation": plan.validation}
    datasets = {k: Dataset.read(p, columns=plan.columns) for k, p in paths.items() if p}
    messages, left = list[str](), dict[str, list[EncodedItem]]()
    longest = training_data.max_row_tokens(settings, folder)
    encode = training_data.encoder_of(settings)
    for split, dataset in datasets.items():
        items, unfit = list[EncodedItem](), list[str]()
        for example in dataset:
            try:
                items.append(encode(example, template))
            except NotTrainable as error:
                unfit.append(str(error))
        problems = unfit[:MAX_SHOWN_ROWS]
        if len(unfit) > MAX_SHOWN_ROWS:
            problems.append(f"{len(unfit) - MAX_SHOWN_ROWS:,} more rows cannot be trained on")
        if not items and not unfit:
            problems.append("no rows")
        if equal_replies := training_data.equal_replies_message(items):
            problems.append(f"{equal_replies}: nothing can be learnt from them")
        try:
            left[split] = training_data.apply_overflow(items, longest, settings.on_overflow)
            if items and not left[split]:
                problems.append(f"`on_overflow` drops all {len(items):,} rows: raise `max_length`")
        except NotTrainable as error:
            problems.append(str(error))
        messages += [f"{split}: {problem}" for problem in problems]
    return messages, left.get("train", [])


def world_size_problems(
    rows: int, settings: Settings, architecture: Architecture, gpus: int
) -> Iterator[str]:
    """Yield why several processes cannot train together or would idle; unknown `gpus` are 0."""
    if settings.world_size == 1:
        return
    if 0 < gpus < settings.processes:
        available = f"this machine has {gpus} GPU{'s' * (gpus > 1)}"
        yield f"processes = {settings.processes}: {available}, and every process wants its own"
    batches = -(-rows // settings.batch)
    if rows and batches < settings.world_size:
        made = f"{rows:,} rows in batches of {settings.batch} make {batches:,} an epoch"
        fewer = f"fewer than the {settings.world_size} processes"
        yield f"{made}, {fewer}: lower `batch` or `processes`"
    if settings.sharding == "fsdp" and not architecture.decoder_layer:
        unnamed = "transformers names none for this base: set sharding = 'none'"
        yield f"sharding = 'fsdp' shares out a model by its decoder layers, and {unnamed}"


def needs_checkpointing(needed: "MemoryEstimate", settings: Settings, model: Any) -> bool:
    """Tell whether the training is to compute activations twice; say so where it was not set."""
    total = needed.per_process(settings).total
    can = model.supports_gradient_checkpointing
    if settings.gradient_checkpointing or total <= free_memory() or not can:
        return settings.gradient_checkpointing
    print_line(f"without gradient checkpointing {format_bytes(total)}: it is on", "memory")
    return True


def note_cut_replies(train: Sequence[EncodedItem], settings: Settings) -> None:
    """Print a note where replies are longer than the answers that the model is judged by."""
    longest = max(row.longest_reply for row in training_data.conversations_of(train))
    if longest > settings.max_new_tokens:
        print_line(f"replies have up to {longest:,} tokens, and answers are cut after", "note")
        print_line(f"max_new_tokens = {settings.max_new_tokens:,}, when the model is judged")


def token_problems(template: ChatTemplate, base: Architecture, settings: Settings) -> Iterator[str]:
    """Yield the tokens without an embedding, or that there are none where `new_tokens` is set."""
    rows = base.model.get_input_embeddings().num_embeddings
    if names := sorted(name for name, i in template.tokenizer.get_vocab().items() if i >= rows):
        more = ", ..." if len(names) > MAX_SHOWN_ROWS else ""
        what = f"the tokenizer has {len(names):,} tokens that the base has no embedding for"
        shown = ", ".join(names[:MAX_SHOWN_ROWS])
        yield f"{what}: {shown}{more}; set new_tokens = true, or take the base's own tokenizer"
    elif settings.new_tokens and not base.new_tokens:
        yield "new_tokens: the base has an embedding of every token already: leave it out"


def memory_problems(needed: "MemoryEstimate", settings: Settings) -> Iterator[str]:
    """Print an estimate of each process's memory; yield a line where weights alone do not fit."""
    sharers = settings.processes if local_device() == "cpu" else 1  # of the memory of one device
    available = free_memory() // sharers
    free_text = format_bytes(available)
    if needed.weights > available:
        method_hint = "" if settings.method == "qlora" else ', or method = "qlora"'
        least = f"the base's weights alone need {format_bytes(needed.weights)}"
        yield f"{least}, and {free_text} are free: take a smaller base{method_hint}"
        return
    if settings.world_size > 1:
        machines = f" on {settings.machines} machines" if settings.machines > 1 else ""
        step = settings.world_size * settings.batch * settings.accumulation
        sharding = ", the model shared out (fsdp)" if settings.sharding == "fsdp" else ""
        print_line(f"{settings.world_size}{machines}, {step:,} rows a step{sharding}", "processes")
    print_line(str(needed), "memory")
    print_line(f"{free_text} free{', for each process' * (settings.world_size > 1)}")
    if needed.total > available:
        print_line("that may not fit: a lower batch and a higher accumulation want less")
        if settings.optimiser == "adamw":
            print_line('optimiser = "paged_adamw_8bit" wants less too')


def base_problems(plan: Plan, settings: Settings, architecture: Architecture) -> Iterator[str]:
    """Yield which settings do not suit the base, and whether the disk is too small."""
    layers = architecture.linear_layers
    bad_sizes = sorted({i for i, _ in layers.values() if i % QUANTISATION_BLOCK})
    if bad_sizes and settings.quantisation == "nf4" and local_device() == "cpu":
        widths = ", ".join(map(str, bad_sizes))
        unfit = f"bitsandbytes needs multiples of {QUANTISATION_BLOCK} for 4 bits"
        yield f'linear layers with {widths} inputs: on a CPU, {unfit}; set quantisation = "none"'
    for target in settings.targets if isinstance(settings.targets, list) else ():
        if not any(f".{name}".endswith(f".{target}") for name in layers):
            names = ", ".join(sorted({name.rpartition(".")[2] for name in layers}))
            yield f"targets: no layer is called {target!r}; there are {names}"
    if settings.packed and getattr(architecture.model, "_is_stateful", False):
        kind = type(architecture.model).__name__
        yield f"packing: a {kind} carries a state from row to row; set packing = false"
    if settings.optimiser != "adamw" and local_device() == "cpu":
        yield f'optimiser = "{settings.optimiser}" needs a GPU: set "adamw"'
    integrations: Any = import_module("transformers.integrations")  # untyped
    known = integrations.get_available_reporting_integrations()
    for name in sorted({*settings.report_to} - {*known}):
        yield f"report_to: {name!r} is not installed, or transformers does not know it"
    if settings.keep == "best" and plan.validation is None:
        yield 'no validation data: `patience` and keep = "best" go by its loss'
    # Three checkpoints of weights and AdamW's two moments in float32, the model itself, and with
    # keep = "best" three more states of it.
    states = 3 * 3 + 1 + (3 if settings.keep == "best" else 0)
    needed = architecture.trainable_parameters(settings) * 4 * states
    free = shutil.disk_usage(plan.train.parent).free
    if needed > free:
        sizes = f"checkpoints need {format_bytes(needed)}, the disk has {format_bytes(free)} free"
        remedy = f"move {StateDir(plan.root).folder} to a larger one and leave a link"
        yield f"{sizes}: make room, or {remedy}"


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes of the base, of the trained parameters and their optimiser, and of one pass."""

    weights: float
    trained: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.trained + self.activations

    def per_process(self, settings: Settings) -> "MemoryEstimate":
        """Return the estimate for one process; FSDP splits weights and optimiser among them."""
        divisor = settings.world_size if settings.sharding == "fsdp" else 1
        return MemoryEstimate(self.weights / divisor, self.trained / divisor, self.activations)

    def __str__(self) -> str:
        parts = f"weights {format_bytes(self.weights)}, training {format_bytes(self.trained)}"
        activations = format_bytes(self.activations)
        return f"about {format_bytes(self.total)}: {parts}, activations {activations}"


def estimate_memory(
    architecture: Architecture, settings: Settings, rows: Sequence[EncodedRow],
    *, gpu: bool | None = None,
) -> "MemoryEstimate":  # fmt: skip
    """Estimate the memory of a training on these rows.

    - weights: with `qlora` 0.516 bytes a quantised weight and 4 any other (peft makes those
      float32); with `lora` the compute format; with `full` float32.
    - trained: the gradient and AdamW's two moments, 4 bytes each or 1 a moment in 8 bits, and an
      adapter's own weights.
    - activations: 34 x tokens x width bytes a layer in 16 bits (2 with checkpointing, and 34 once),
      and the logits of the answers with their gradient in float32.

    `rows` are all that are trained on, for `dpo` both sides of each pair. `gpu` says whether to
    estimate for a GPU; None: for what this machine trains on.
    """
    linear = sum(i * o for i, o in architecture.linear_layers.values())
    size = 2 if settings.compute != "float32" else 4
    weights = {
        "qlora": linear * NF4_BITS / 8 + 4 * architecture.other_parameters,
        "lora": size * (linear + architecture.other_parameters),
        "full": 4 * (linear + architecture.other_parameters),
    }[settings.method]
    bytes_per_parameter = 12 if settings.method == "full" else 16
    bytes_per_parameter -= 6 * (settings.optimiser != "adamw")
    trained = bytes_per_parameter * architecture.trainable_parameters(settings)
    text = architecture.model.config.get_text_config()
    sizes = ("hidden_size", "num_hidden_layers", "vocab_size")
    width, layers, vocabulary = (getattr(text, size, None) or 0 for size in sizes)
    batch = settings.batch * settings.conversations_per_row
    longest_row = max((len(row.ids) for row in rows), default=0)
    is_gpu = local_device() != "cpu" if gpu is None else gpu
    is_float32 = not is_gpu or settings.compute == "float32" or settings.method == "full"
    layer_bytes = LAYER_BYTES * layers
    if settings.gradient_checkpointing:
        layer_bytes = CHECKPOINTED_LAYER_BYTES * layers + LAYER_BYTES
    activations = batch * longest_row * width * (2 if is_float32 else 1) * layer_bytes
    answer = min(longest_row, batch * max((row.trained_tokens for row in rows), default=0))
    logits = 2 * 4 * batch * answer * vocabulary
    return MemoryEstimate(weights, trained, float(activations + logits))


def free_memory() -> int:
    """Return the free bytes of the memory that the model is loaded into: the GPU's, or RAM."""
    if local_device() != "cpu":
        return int(torch.cuda.mem_get_info(local_device())[0])
    psutil: Any = import_module("psutil")  # accelerate needs it; it has no types
    return min([int(psutil.virtual_memory().available), *container_free_memory()])


def container_free_memory(folder: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """Return the free bytes below a container's own limit, [] where it has none (cgroup v2)."""
    try:
        most, used = ((folder / name).read_text() for name in ("memory.max", "memory.current"))
        return [max(int(most) - int(used), 0)]
    except (OSError, ValueError):  # "max": no limit
        return []


def format_bytes(size: float) -> str:
    """Format a number of bytes in GB (10^9), or in MB below one GB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
