"""Keeps the libraries below us quiet and, with a local base, away from the network."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NOISY_LIBRARIES = (
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "huggingface_hub",
    "torch",
)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hold back the libraries' logs, warnings and bars inside the block, and every call to a hub.

    Import the libraries inside it: bitsandbytes looks for a package `kernels` when it is imported,
    and would fetch a kernel with it. What is an error comes through. Staying offline outlasts the
    block, since huggingface_hub reads its variable once.
    """
    _go_offline()
    levels = {name: logging.getLogger(name).level for name in _NOISY_LIBRARIES}
    try:
        with (
            warnings.catch_warnings(),
            _hide_progress_bars(),
        ):  # transformers sets its level when imported
            for name in _NOISY_LIBRARIES:
                logging.getLogger(name).setLevel(logging.ERROR)
                warnings.filterwarnings("ignore", module=rf"{name}(\.|$)")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _go_offline() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


@contextmanager
def _hide_progress_bars() -> Iterator[None]:
    from transformers.utils import logging as untyped

    bars: Any = untyped

    was_enabled = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            bars.enable_progress_bar()
