"""The machine-learning libraries: are they installed; silenced, and kept off the network."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tunegate.utils import optional_deps

REQUIRED_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")
_NOISY_LIBRARIES = (
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "huggingface_hub",
    "torch",
)


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
    hub_constants = sys.modules.get("huggingface_hub.constants")
    if hub_constants is not None:  # imported before, so that the variable is read already
        hub_constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    levels = {name: logging.getLogger(name).level for name in _NOISY_LIBRARIES}
    try:
        with warnings.catch_warnings():
            from transformers.utils import logging as untyped  # sets the level of its logger

            bars: Any = untyped
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
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
