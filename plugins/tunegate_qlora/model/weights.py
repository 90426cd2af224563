"""The architecture of a base, and the weights of a model by each method: loaded, trained, saved.

An architecture has no weights: it is on torch's device `meta`. A base is loaded frozen, its linear
layers in 4 bits with `qlora`; `qlora` and `lora` train an adapter beside them, `full` every weight.
"""

import inspect
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ..config import Decoding, Settings
from ..runtime import process_group
from . import folders

hf: Any = import_module("transformers")  # partly untyped
LOCAL_FILES = {"local_files_only": True, "trust_remote_code": False}  # of `from_pretrained`
# Of these peft refuses `out_proj`, whose weight the fused kernels read past an adapter (0.21).
_MAMBA_TYPES = ("falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h")
MAX_SHOWN_TENSORS = 3
# bitsandbytes 0.50.2 dequantises rows of other lengths wrongly on a CPU (32, 48, 96, 160 were
# tried); 64 is also its smallest block.
QUANTISATION_BLOCK = 64
_WEIGHT_SUFFIXES = (
    *(".safetensors", ".bin", ".index.json", ".gguf", ".onnx", ".h5", ".msgpack", ".pt", ".pth"),
)
_NOT_COPIED = ("README.md", "sealed.json", folders.METADATA_FILE)


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
        """Count the trained parameters: all, or an adapter's; ValueError if peft attaches none."""
        if settings.method == "full":
            return sum(i * o for i, o in self.linear_layers.values()) + self.other_parameters
        if (key := f"{settings.r} {settings.targets} {settings.dropout}") not in self.counts:
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
    """Append mean rows with these ids to embeddings and head; ValueError for a head with bias."""
    if not ids:
        return
    model.resize_token_embeddings(ids[-1] + 1, mean_resizing=False)
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise ValueError(f"new_tokens: the output head of a {type(model).__name__} has a bias")
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        weight = layer.weight.data
        weight[ids[0] :] = weight[: ids[0]].float().mean(dim=0).to(weight.dtype)


def attach_adapter(model: Any, settings: Settings, new_tokens: Sequence[int] = ()) -> Any:
    """Return a model with the adapter of the settings, on its text alone; ValueError of peft.

    The rows of `new_tokens` in embeddings and output head are trained too.
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
    """Return the class of transformers that loads a model for text; ValueError where none does."""
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
        if with_weights and getattr(config, "quantization_config", None) is None:
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
            wrong = f"{len(names):,} {key} tensors, {', '.join(names[:MAX_SHOWN_TENSORS])}{more}"
            kind = type(model).__name__
            raise ValueError(f"the weights in {folder} are not those of a {kind}: {wrong}")
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
    other = sum(p.numel() for p in model.parameters()) - sum(i * o for i, o in linear.values())
    return Architecture(linear, other, decoder_layer_class(model), model, ids)


def decoder_layer_class(model: Any) -> str:
    """Return the class name of a model's decoder layers, "" where transformers names none."""
    names = getattr(model, "_no_split_modules", None) or ()
    return next((name for name in sorted(names) if name.endswith(("Layer", "Block"))), "")


def local_device() -> str:
    """Return the device of models: the CPU, or the GPU with this process's local rank."""
    return f"cuda:{process_group.local_rank()}" if torch.cuda.is_available() else "cpu"


def load_base(folder: Path, decoding: Decoding, *, sharded: bool = False) -> Any:
    """Load a base in evaluation mode, all weights frozen, quantised as `decoding` says.

    With `nf4` the linear layers are in 4 bits with double quantisation (arXiv:2305.14314, section
    3); what is not quantised (embeddings, norms, the output head) is float32 on a CPU and in the
    compute format on a GPU. With `none` everything is in the compute format.

    `sharded` prepares for FSDP, which shards tensors of numbers: 4-bit weights are stored in the
    compute format (`bnb_4bit_quant_storage`). Others go into main memory: no GPU holds them all.
    """
    config = hf.AutoConfig.from_pretrained(folder, **LOCAL_FILES)
    compute, device = getattr(torch, decoding.compute), local_device()
    dtype, quantisation = compute, None
    if decoding.quantisation == "nf4":
        quantisation = hf.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
            bnb_4bit_quant_storage=compute if sharded else torch.uint8,
        )  # fmt: skip
        dtype = torch.float32 if device == "cpu" else compute
    elif sharded:
        device = "cpu"
    attention = {"attn_implementation": decoding.attention} if decoding.attention else {}
    model = auto_class(config).from_pretrained(
        folder, quantization_config=quantisation, dtype=dtype, device_map={"": device},
        **LOCAL_FILES, **attention,
    )  # fmt: skip
    if quantisation is not None:
        # On CPUs with AVX512-BF16, bitsandbytes 0.50.2 repacks a layer's weights *in place* at the
        # first forward pass without gradients. After that, without any message, training computes
        # no gradients of that layer, and merging an adapter writes wrong weights. One evaluation
        # between epochs is enough. An adapter is put around the same layers.
        bnb: Any = import_module("bitsandbytes")  # untyped
        for layer in model.modules():
            if isinstance(layer, bnb.nn.Linear4bit):
                layer.support_avx512bf16_for_cpu = False
    add_tokens(model, new_token_ids(folder, decoding))
    model.requires_grad_(False)
    return model.eval()


def load_trainable(root: Path, settings: Settings) -> Any:
    """Load the base of a folder, with what is trained set to require gradients.

    An adapter is low-rank matrices beside the base's linear layers. It, and the weights of the base
    that are not quantised, become float32 as in QLoRA (arXiv:2305.14314). For `full` every weight
    is float32: in 16 bits most steps would be rounded to nothing. Raises ValueError where `targets`
    names layers that the base does not have.
    """
    is_sharded = settings.sharding == "fsdp"
    if settings.method == "full":
        plain = settings.decoding.model_copy(update={"compute": "float32"})
        return load_base(root, plain, sharded=is_sharded).requires_grad_(True)
    peft: Any = import_module("peft")  # untyped
    model = load_base(root, settings.decoding, sharded=is_sharded)
    if settings.quantisation == "nf4":
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if settings.gradient_checkpointing:
        model.enable_input_require_grads()
    return attach_adapter(model, settings, new_token_ids(root, settings))


def unwrap(model: Any) -> Any:
    """Return the model of transformers, without the wrapper that peft puts around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def supports_logits_to_keep(model: Any) -> bool:
    """Whether a model can compute the logits of chosen positions alone."""
    return "logits_to_keep" in inspect.signature(unwrap(model).forward).parameters


def count_parameters(model: Any) -> tuple[int, int]:
    """Return how many parameters are trained, and how many there are; one in 4 bits counts as 1."""
    count = getattr(model, "get_nb_trainable_parameters", model.num_parameters)()  # peft's
    return count if isinstance(count, tuple) else (model.num_parameters(only_trainable=True), count)


def trained_parameters(model: Any) -> list[tuple[str, Any]]:
    """Return the names and the parameters that are trained."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def save_trained(
    model: Any, folder: Path, root: Path, settings: Settings, metadata: folders.ModelMetadata
) -> None:
    """Write the adapter or model, by the first process; all must call this. Raises OSError."""
    if settings.method == "full":
        gathered = gather_shards(model, root) if settings.sharding == "fsdp" else model
        if process_group.is_main():
            save_full(gathered, folder, root, metadata)
        return
    trained = None  # peft takes the weights from the model
    if process_group.is_distributed():
        trained = {name: process_group.full_tensor(p) for name, p in trained_parameters(model)}
    if process_group.is_main():
        model.save_pretrained(folder, state_dict=trained, save_embedding_layers=False)
        finalise(folder, root, metadata)


def gather_shards(model: Any, root: Path) -> Any:
    """Return a model sharded by FSDP: whole in the first process, `model` itself in the others."""
    weights = {}
    for name, parameter in model.named_parameters():
        full_weight = process_group.full_tensor(parameter)  # in every process
        if process_group.is_main():
            weights[name] = full_weight.cpu()
    if not process_group.is_main():
        return model
    plain_model = type(unwrap(model)).from_pretrained(root, dtype=torch.float32, **LOCAL_FILES)
    plain_model.load_state_dict(weights, strict=False)  # of tied weights only one is named
    return plain_model


def save_full(model: Any, folder: Path, root: Path, metadata: folders.ModelMetadata) -> None:
    """Write a model in the number format of its base, whose folder is `root`. Raises OSError."""
    for weight in model.parameters():  # `model.to` would convert the buffers too
        weight.data = weight.data.to(stored_dtype(root))
    # The format of a base that was saved in 4 bits cannot be written again.
    is_dense = not any(folders.config_values(root, "quantization_config"))
    model.save_pretrained(folder, save_original_format=is_dense)
    finalise(folder, root, metadata)


def finalise(folder: Path, root: Path, metadata: folders.ModelMetadata) -> None:
    """Complete a folder of saved weights: copy the base's other files, and write the metadata.

    A file that is already there, such as the `config.json` of a whole model, is left as it is. An
    adapter has none: transformers would take it for a whole model. It names its base as the project
    does, and what peft has in sets is sorted: the same training writes the same. Raises OSError.
    """
    path, left_out = folder / folders.ADAPTER_CONFIG, {*_NOT_COPIED}
    if path.is_file():
        left_out.add("config.json")
        (folder / "README.md").unlink(missing_ok=True)  # peft's template, with nothing filled in
        config = json.loads(path.read_bytes())
        config["base_model_name_or_path"] = metadata.base
        if isinstance(config.get("target_modules"), list):
            config["target_modules"] = sorted(config["target_modules"])
        path.write_text(json.dumps(config, indent=2, sort_keys=True))
    for file in sorted(p for p in root.iterdir() if p.is_file()):
        is_copied = file.name not in left_out and not file.name.endswith(_WEIGHT_SUFFIXES)
        if is_copied and not (folder / file.name).exists():
            shutil.copy(file, folder / file.name)
    folders.write_metadata(folder, metadata)


def stored_dtype(root: Path) -> torch.dtype:
    """Return the number format of a base's weights on disk, float32 where none is named."""
    names = folders.config_values(root, "dtype", "torch_dtype")
    torch_dtype = getattr(torch, str(next(filter(None, names), "float32")), None)
    return torch_dtype if isinstance(torch_dtype, torch.dtype) else torch.float32


def round_to_saved_dtype(model: Any, root: Path, settings: Settings) -> None:
    """Round the weights in memory to the format of the saved file, then to that of inference.

    Call this after `save_trained`: the loss in memory then equals the loss of the saved model, up
    to the last bits. An adapter is float32 everywhere; a model sharded by FSDP is left as it is.
    """
    if settings.method == "full" and settings.sharding == "none":
        compute = getattr(torch, settings.compute)
        for weight in model.parameters():
            weight.data = weight.data.to(stored_dtype(root)).to(compute)


def load_trained(folder: Path, root: Path, settings: Settings) -> Any:
    """Load what `save_trained` wrote, quantised as for inference."""
    is_full = settings.method == "full"
    return load_tuned(folder if is_full else root, None if is_full else folder, settings.decoding)


def load_tuned(folder: Path, tuned: Path | None, decoding: Decoding) -> Any:
    """Load a whole model, or a base with the adapter of the folder `tuned` on it, for inference."""
    model = load_base(folder, decoding)
    return model if tuned is None else load_adapter(model, tuned)


def load_adapter(model: Any, tuned: Path) -> Any:
    """Put the adapter of a folder on a base, for inference."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(tuned), is_trainable=False).eval()


def merge_adapter(tuned: Path, root: Path, settings: Settings, folder: Path) -> None:
    """Write a base with its adapter merged in, as a dense model in the base's number format.

    An adapter that was trained beside quantised weights is merged into these, dequantised. Merged
    into the original weights it would make a model that was never trained, and merged into 4-bit
    weights it would be lost in rounding. `tuned` is the adapter's folder, `root` the base's.
    Raises OSError, ValueError where the adapter cannot be read.
    """
    from transformers.pytorch_utils import Conv1D

    metadata = folders.read_adapter_metadata(tuned)
    layers = dict(describe_architecture(root).model.named_modules())
    model = load_base(root, settings.decoding)
    if settings.quantisation == "nf4":
        model = model.dequantize(torch.float32)
    merged = load_adapter(model.float(), tuned).merge_and_unload().to("cpu")
    # A quantised Conv1D (GPT-2) has become a linear layer, whose weight lies the other way round.
    turned = {f"{name}.weight" for name, layer in layers.items() if isinstance(layer, Conv1D)}
    if settings.quantisation == "nf4":
        for name, weight in merged.named_parameters():
            if name in turned:
                weight.data = weight.data.T.contiguous()
    decoding = metadata.decoding.model_copy(update={"quantisation": "none"})
    save_full(merged, folder, root, replace(metadata, decoding=decoding))
