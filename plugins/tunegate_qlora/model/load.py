"""Loads a base model, its linear layers in 4 bits, on a CPU or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..config.settings import Decoding
from ..runtime import process_group

# bitsandbytes 0.50.2 dequantises rows of other lengths wrongly on a CPU (32, 48, 96, 160 were
# tried); 64 is also its smallest block.
QUANTISATION_BLOCK = 64


def local_device() -> str:
    """Return the device of models: the CPU, or the GPU with this process's local rank."""
    return f"cuda:{process_group.local_rank()}" if torch.cuda.is_available() else "cpu"


def load_base(folder: Path, decoding: Decoding, *, sharded: bool = False) -> Any:
    """Load a base in evaluation mode, all weights frozen, quantised as `decoding` says.

    With `nf4` the linear layers are in 4 bits with double quantisation (arXiv:2305.14314, section
    3); what is not quantised (embeddings, norms, the output head) is float32 on a CPU and in the
    compute format on a GPU. With `none` everything is in the compute format.

    Args:
        folder: The base's folder.
        decoding: The quantisation, and the number format of the computation.
        sharded: Prepare for FSDP, which shards tensors of numbers: 4-bit weights are stored in the
            compute format (`bnb_4bit_quant_storage`). Other weights are loaded into main memory,
            so that no GPU ever holds all of them.
    """
    import transformers

    hf: Any = transformers  # partly untyped
    compute, device = getattr(torch, decoding.compute), local_device()
    dtype, quantisation = compute, None
    if decoding.quantisation == "nf4":
        quantisation = hf.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
            bnb_4bit_quant_storage=compute if sharded else torch.uint8,
        )
        dtype = torch.float32 if device == "cpu" else compute
    elif sharded:
        device = "cpu"
    model = hf.AutoModelForCausalLM.from_pretrained(
        folder,
        quantization_config=quantisation,
        dtype=dtype,
        device_map={"": device},
        local_files_only=True,
        trust_remote_code=False,
    )
    disable_repacking(model)
    model.requires_grad_(False)
    return model.eval()


def disable_repacking(model: Any) -> int:
    """Stop bitsandbytes from repacking 4-bit weights for evaluation; return the number of layers.

    On CPUs with AVX512-BF16, bitsandbytes 0.50.2 repacks a layer's weights *in place* at the first
    forward pass without gradients. After that, without any message, training computes no gradients
    of that layer, and merging an adapter writes wrong weights. One evaluation between epochs is
    enough.
    """
    import bitsandbytes

    bnb: Any = bitsandbytes
    layers = [m for m in model.modules() if isinstance(m, bnb.nn.Linear4bit)]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)
