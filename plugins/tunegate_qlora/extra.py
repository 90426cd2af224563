"""What the plugin needs installed; one clear line where it is not."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")
INSTALL = "pip install 'tunegate[qlora]'"


def missing() -> str:
    """Return one line naming the packages that are not installed, "" where all are."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    return f"qlora needs {', '.join(absent)}: {INSTALL}" if absent else ""
