"""What README.md tells a stranger to type works, and README.pt-BR.md tells the same.

The `make` commands run in `.ci/run`; the commands that train run in tests/test_newcomer.py.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.pt-BR.md")


def blocks(readme: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    text = (ROOT / readme).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def commands(readme: str) -> list[str]:
    """Return what a stranger types, in order."""
    lines = "".join(blocks(readme, "console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
