"""Whatever goes wrong in a training, as one message that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tunegate.interfaces.trainer import TrainingFailed

from ..config.settings import Settings
from . import process_group

# What PyTorch's allocators say where they raise no OutOfMemoryError: CPU, cuBLAS.
_OUT_OF_MEMORY_TEXTS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "ALLOC_FAILED",
)

# What gloo and NCCL say where a process that they wait for is gone.
_LOST_PROCESS_TEXTS = (
    "Connection closed by peer",
    "Connection reset by peer",
    "remote process exited",
)
LOST_PROCESS_MESSAGE = (
    "another process of this training is gone; the same command goes on where it stopped"
)


@contextmanager
def one_line_errors(settings: Settings) -> Iterator[None]:
    """Turn an error inside the block into TrainingFailed; an interruption passes through."""
    try:
        yield
    except TrainingFailed:
        raise
    except Exception as error:
        raise TrainingFailed(_failure_message(error, settings)) from error


def _failure_message(error: Exception, settings: Settings) -> str:
    if _is_out_of_memory(error):
        return (
            f"out of memory at batch = {settings.batch}, max_length = {settings.max_length}. Lower "
            "`batch` and raise `accumulation` by as much, or set `gradient_checkpointing = true`"
        )
    if process_group.is_distributed() and any(
        phrase in str(error) for phrase in _LOST_PROCESS_TEXTS
    ):
        return LOST_PROCESS_MESSAGE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; make room and run the same command: it goes on where it stopped"
    if isinstance(error, ValueError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        phrase in str(error) for phrase in _OUT_OF_MEMORY_TEXTS
    )
