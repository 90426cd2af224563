"""The architecture of a base, and the adapter on it, without weights: on torch's device `meta`."""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ..config import Decoding, Settings
from . import folders

hf: Any = import_module("transformers")  # partly untyped
LOCAL_FILES = {"local_files_only": True, "trust_remote_code": False}  # of `from_pretrained`
# Of these peft refuses `out_proj`, whose weight the fused kernels read past an adapter (0.21).
_MAMBA_TYPES = ("falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h")
MAX_SHOWN_TENSORS = 3


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of a base's layers.

    `linear_layers` maps the full name of each linear layer that can get an adapter to its numbers
    of inputs and outputs; the output head is not among them. `other_parameters` counts the
    parameters of all else: embeddings, norms, biases, the output head, the experts of a mixture.
    `decoder_layer` is the name of the class of the decoder layers, "" where transformers names
    none. `model` holds no weights. `new_tokens` are the ids that have got an embedding.
    """

    linear_layers: dict[str, tuple[int, int]]
    other_parameters: int
    decoder_layer: str
    model: Any
    new_tokens: Sequence[int] = ()
    counts: dict[str, int] = field(default_factory=dict, compare=False)  # attaching takes seconds

    def trainable_parameters(self, settings: Settings) -> int:
        """Count the trained parameters: all of them, or those that peft adds.

        Raises ValueError where the adapter cannot be attached.
        """
        if settings.method == "full":
            return sum(i * o for i, o in self.linear_layers.values()) + self.other_parameters
        key = f"{settings.r} {settings.targets} {settings.dropout}"
        if key not in self.counts:
            attached = attach_adapter(deepcopy(self.model), settings, self.new_tokens)
            self.counts[key] = int(attached.get_nb_trainable_parameters()[0])
        return self.counts[key]


def new_token_ids(folder: Path, decoding: Decoding) -> Sequence[int]:
    """Return the ids of tokens that the base has no embedding for, where they are to get one."""
    if not decoding.new_tokens:
        return ()
    tokenizer = hf.AutoTokenizer.from_pretrained(folder, **LOCAL_FILES)
    rows = next(filter(None, folders.config_values(folder, "vocab_size")), 0)
    return range(rows, max(tokenizer.get_vocab().values()) + 1)


def add_tokens(model: Any, ids: Sequence[int]) -> None:
    """Append rows with these ids to a model's embeddings and output head: the mean of the others.

    Raises ValueError where the head has a bias, which peft would leave out.
    """
    if not ids:
        return
    model.resize_token_embeddings(ids[-1] + 1, mean_resizing=False)
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise ValueError(f"new_tokens: the output head of a {type(model).__name__} has a bias")
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        weight = layer.weight.data
        weight[ids[0] :] = weight[: ids[0]].float().mean(dim=0).to(weight.dtype)


def attach_adapter(model: Any, settings: Settings, new_tokens: Sequence[int] = ()) -> Any:
    """Return a model with the adapter of the settings: of a model with vision, on its text alone.

    The rows of `new_tokens` in embeddings and output head are trained too. Raises ValueError in one
    line where peft refuses it.
    """
    peft: Any = import_module("peft")  # untyped
    excluded = list(_parts_without_text(model)) if settings.targets == "all-linear" else []
    rows: dict[str, list[int]] = {}
    if new_tokens:  # of tied weights peft trains the embeddings alone
        layers = {id(m): n for n, m in model.named_modules()}
        embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
        trained = {id(layer.weight): layer for layer in (head, embeddings)}
        rows = {layers[id(layer)]: [*new_tokens] for layer in trained.values()}
    config = peft.LoraConfig(
        r=settings.r, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
        target_modules=settings.targets, exclude_modules="|".join(excluded) or None,
        task_type="CAUSAL_LM", trainable_token_indices=rows or None,
    )  # fmt: skip
    try:
        # Without weights, the adapter needs none either.
        return peft.get_peft_model(model, config, low_cpu_mem_usage=model.device.type == "meta")
    except (ValueError, NotImplementedError) as error:
        hint = ": set dropout = 0" if "lora_dropout" in str(error) else ""
        text = f"the adapter does not suit a {type(model).__name__}: {error}"
        raise ValueError(" ".join(text.split()) + hint) from None


def _parts_without_text(model: Any) -> Iterator[str]:
    """Yield a pattern of the names of layers that read no text, or that peft refuses."""
    if getattr(model.config, "model_type", "") in _MAMBA_TYPES:
        yield r".*\.out_proj"
    names = {id(module): name for name, module in model.named_modules()}
    parent, _, own = names.get(id(model.get_decoder()), "").rpartition(".")
    for name, _ in model.get_submodule(parent).named_children() if parent else ():
        if name != own:
            yield re.escape(f"{parent}.{name}.") + ".*"


def auto_class(config: Any) -> Any:
    """Return the class of transformers that loads a model by its configuration.

    Models that read pictures too are asked and trained on text alone. Raises ValueError where it is
    no language model.
    """
    for kind in (hf.AutoModelForCausalLM, hf.AutoModelForImageTextToText):
        if type(config) in kind._model_mapping:
            return kind
    raise ValueError(f"a {config.model_type!r} model is none")


def read_architecture(folder: Path, settings: Settings | None = None) -> Architecture:
    """Return the architecture of a base, of which every tensor is there.

    Raises ValueError where the base or a tensor is missing, the weights hold others, or the base is
    quantised in a way that `settings` cannot train.
    """
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        gguf = next(iter(sorted(folder.glob("*.gguf"))), None)
        hint = f", only {gguf.name}: the weights that it was made of are needed" if gguf else ""
        raise ValueError(f"{folder} holds no weights (*.safetensors){hint}")
    if settings and (problem := folders.quantisation_problem(folder, settings)):
        raise ValueError(problem)
    return describe_architecture(folder, settings, with_weights=True)


def describe_architecture(
    folder: Path, settings: Settings | None = None, *, with_weights: bool = False
) -> Architecture:
    """Return the architecture that `config.json` describes, also where no weights are there yet.

    With `new_tokens` in the settings it has their embeddings. Raises ValueError where the folder
    holds no causal language model, or, `with_weights`, where they are not those of the model.
    """
    info: dict[str, Any] = {}
    try:
        config = hf.AutoConfig.from_pretrained(folder, **LOCAL_FILES)
        is_quantised = getattr(config, "quantization_config", None) is not None
        if with_weights and not is_quantised:
            model, info = auto_class(config).from_pretrained(
                folder, device_map={"": "meta"}, output_loading_info=True,
                ignore_mismatched_sizes=True, **LOCAL_FILES,
            )  # fmt: skip
        else:
            with torch.device("meta"):
                model = auto_class(config).from_config(config, trust_remote_code=False)
    except Exception as error:  # an unknown architecture, a setting it does not take
        reason = str(error).strip().partition("\n")[0]
        if "custom code" in reason or "trust_remote_code" in reason:
            reason = "it is code of its own (trust_remote_code), which is never run"
        raise ValueError(f"{folder} holds no causal language model: {reason}") from None
    for key in ("missing", "unexpected", "mismatched"):
        if names := sorted(n if isinstance(n, str) else n[0] for n in info.get(f"{key}_keys", ())):
            more = ", ..." if len(names) > MAX_SHOWN_TENSORS else ""
            shown = ", ".join(names[:MAX_SHOWN_TENSORS])
            raise ValueError(
                f"the weights in {folder} are not those of a {type(model).__name__}: "
                f"{len(names):,} {key} tensors, {shown}{more}"
            )
    ids = new_token_ids(folder, settings) if settings else ()
    add_tokens(model, ids)
    head = model.get_output_embeddings()
    linear = {
        name: (layer.in_features, layer.out_features)
        if isinstance(layer, torch.nn.Linear)
        else tuple(layer.weight.shape)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear | hf.pytorch_utils.Conv1D) and layer is not head
    }
    total = sum(p.numel() for p in model.parameters())
    other = total - sum(i * o for i, o in linear.values())
    return Architecture(linear, other, decoder_layer_class(model), model, ids)


def decoder_layer_class(model: Any) -> str:
    """Return the class name of a model's decoder layers, "" where transformers names none."""
    names = getattr(model, "_no_split_modules", None) or ()
    return next((name for name in sorted(names) if name.endswith(("Layer", "Block"))), "")
