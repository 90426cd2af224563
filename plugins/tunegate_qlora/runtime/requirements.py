"""The packages that the plugin needs at run time."""

from __future__ import annotations

from tunegate.utils import optional_deps

REQUIRED_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")


def missing_requirements() -> str:
    """Return one line naming the packages that are not installed, "" where all are."""
    return optional_deps.missing_packages("qlora", "qlora", *REQUIRED_PACKAGES)
