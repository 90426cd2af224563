"""Turns every error of a training into one message that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from tunegate.interfaces.trainer import TrainingFailed

from . import process_group

# Parts of the messages of PyTorch's allocators that raise no OutOfMemoryError: CPU, cuBLAS.
_OUT_OF_MEMORY_TEXTS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "ALLOC_FAILED",
)

# Parts of the messages of gloo and NCCL when another process of the group has ended.
_LOST_PROCESS_TEXTS = (
    "Connection closed by peer",
    "Connection reset by peer",
    "remote process exited",
)
LOST_PROCESS_MESSAGE = (
    "another process of this training is gone; the same command goes on where it stopped"
)


@contextmanager
def one_line_errors(config: Mapping[str, Any]) -> Iterator[None]:
    """Raise TrainingFailed for any exception inside the block; KeyboardInterrupt passes through.

    `config` holds the settings of the training, which the message about memory names.
    """
    try:
        yield
    except TrainingFailed:
        raise
    except Exception as error:
        raise TrainingFailed(failure_message(error, config)) from error


def failure_message(error: Exception, config: Mapping[str, Any]) -> str:
    """Describe an error of a training, with the remedy where one is known."""
    text = str(error)
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(part in text for part in _OUT_OF_MEMORY_TEXTS)
    )
    if out_of_memory:
        return (
            f"out of memory at batch = {config['batch']}, max_length = {config['max_length']}. "
            "Lower `batch` and raise `accumulation` by as much, or set "
            "`gradient_checkpointing = true`"
        )
    if process_group.is_distributed() and any(part in text for part in _LOST_PROCESS_TEXTS):
        return LOST_PROCESS_MESSAGE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; make room and run the same command: it goes on where it stopped"
    if isinstance(error, ValueError | OSError):
        return text
    return f"{type(error).__name__}: {text}"
