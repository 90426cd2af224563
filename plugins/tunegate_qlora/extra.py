"""What the plugin needs installed; one clear line where it is not."""

from __future__ import annotations

from tunegate import extras

NEEDED = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")


def missing() -> str:
    """Return one line naming the packages that are not installed, "" where all are."""
    return extras.missing("qlora", "qlora", *NEEDED)
