"""Loads a base model, its linear layers held in 4 bits, on a CPU as on a GPU."""

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
    """Return where models run: the CPU, or the first GPU; each of several processes has its own."""
    return f"cuda:{process_group.local_rank()}" if torch.cuda.is_available() else "cpu"


def load_base(folder: Path, decoding: Decoding, *, sharded: bool = False) -> Any:
    """Return the base in evaluation mode, frozen, quantised as `decoding` says.

    NF4 with double quantisation (arXiv:2305.14314, section 3). What is not quantised (embeddings,
    norms, the output head) is held in float32 on a CPU, in the compute format on a GPU. With
    `none` everything is held in the compute format.

    `sharded`: for FSDP, which shares out numbers, not bytes: 4-bit weights are stored as such
    (`bnb_4bit_quant_storage`), and of other weights no GPU holds all, not even for a moment.
    """
    import transformers

    hf: Any = transformers  # partly untyped
    compute = getattr(torch, decoding.compute)
    target_device = local_device()
    model = hf.AutoModelForCausalLM.from_pretrained(
        folder,
        quantization_config=_nf4_config(compute, sharded)
        if decoding.quantisation == "nf4"
        else None,
        dtype=torch.float32
        if target_device == "cpu" and decoding.quantisation == "nf4"
        else compute,
        device_map={"": "cpu" if sharded and decoding.quantisation == "none" else target_device},
        local_files_only=True,
    )
    disable_repacking(model)
    model.requires_grad_(False)
    return model.eval()


def disable_repacking(model: Any) -> int:
    """Forbid bitsandbytes to repack 4-bit weights for evaluation; return how many layers there are.

    On CPUs with AVX512-BF16, bitsandbytes 0.50.2 repacks a layer's weights *in place* at the first
    forward pass without gradients. From then on training runs without that layer's gradients, and
    merging an adapter writes garbage: silently, both. One evaluation between epochs is enough.
    """
    import bitsandbytes

    bnb: Any = bitsandbytes
    layers = [m for m in model.modules() if isinstance(m, bnb.nn.Linear4bit)]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)


def _nf4_config(compute: torch.dtype, sharded: bool) -> Any:
    import transformers

    hf: Any = transformers
    return hf.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        bnb_4bit_quant_storage=compute if sharded else torch.uint8,
    )
