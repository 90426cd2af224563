"""The machine-learning libraries: required, silenced, offline, their errors in one line."""

import errno
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.utils import optional_deps

REQUIRED_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")
_NOISY_LIBRARIES = (*REQUIRED_PACKAGES, "huggingface_hub")
# Messages of PyTorch's allocators that raise no OutOfMemoryError: CPU, cuBLAS.
_OUT_OF_MEMORY = re.compile("can't allocate memory|not enough memory|out of memory|ALLOC_FAILED")
# Messages of gloo and NCCL when another process of the group has ended.
_LOST_PROCESS = re.compile("Connection (closed|reset) by peer|remote process exited")
LOST_PROCESS = "another process of this training is gone; the same command goes on where it stopped"


def missing_requirements() -> str:
    """Return one line naming the packages that are not installed, "" where all are."""
    return optional_deps.missing_packages("qlora", "qlora", *REQUIRED_PACKAGES)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide the libraries' logs, warnings and progress bars inside the block, and stay offline.

    Import the libraries inside the block: when bitsandbytes is imported it looks for the package
    `kernels`, and would download a kernel with it. Errors are still logged. The process stays
    offline after the block, because huggingface_hub reads HF_HUB_OFFLINE only once.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    if hub_constants := sys.modules.get("huggingface_hub.constants"):  # it has read the variable
        hub_constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    levels = {name: logging.getLogger(name).level for name in _NOISY_LIBRARIES}
    with warnings.catch_warnings():
        bars: Any = import_module("transformers.utils.logging")  # sets the level of its logger
        had_bars = bars.is_progress_bar_enabled()
        bars.disable_progress_bar()
        for name in _NOISY_LIBRARIES:
            logging.getLogger(name).setLevel(logging.ERROR)
            warnings.filterwarnings("ignore", module=rf"{name}(\.|$)")
        try:
            yield
        finally:
            if had_bars:
                bars.enable_progress_bar()
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


@contextmanager
def one_line_errors(config: Mapping[str, Any]) -> Iterator[None]:
    """Raise TrainingFailed for an exception in the block, not for Ctrl-C; `config`: settings."""
    try:
        yield
    except TrainingFailed:
        raise
    except Exception as error:
        raise TrainingFailed(failure_message(error, config)) from error


def failure_message(error: Exception, config: Mapping[str, Any]) -> str:
    """Describe an error of a training, with the remedy where one is known."""
    import torch

    from . import process_group

    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(text)
    ):
        sizes = f"batch = {config['batch']}, max_length = {config['max_length']}"
        lower = "Lower `batch` and raise `accumulation` by as much, or set"
        on_gpu = 'on a GPU also `optimiser = "paged_adamw_8bit"`'
        return f"out of memory at {sizes}. {lower} `gradient_checkpointing = true`; {on_gpu}"
    if process_group.is_distributed() and _LOST_PROCESS.search(text):
        return LOST_PROCESS
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; make room and run the same command: it goes on where it stopped"
    return text if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"
