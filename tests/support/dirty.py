"""Rows and files with something wrong, for the tests of fix."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CPF, EMAIL, KEY = "529.982.247-25", "ana@correio.com.br", "ghp_" + "a1B2c3D4e5F6" * 3
LETTERS = "bcdfghjklmnprstv"
TEAMS = ("billing", "delivery", "returns")


def row(prompt: str, reply: Any = "billing", system: str = "Name the team.", **more: Any) -> Any:
    """Return one row in the chat form."""
    turns = {"system": system, "user": prompt, "assistant": reply}
    return {"messages": [{"role": r, "content": c} for r, c in turns.items() if c], **more}


def prompts(count: int, seed: int = 0) -> list[str]:
    """Return prompts of which no two are alike."""
    draw = random.Random(seed)
    words = [a + "aeiou"[i % 5] + b for i, a in enumerate(LETTERS) for b in LETTERS]
    return [" ".join(draw.sample(words, 9)) for _ in range(count)]


def write(path: Path, rows: Sequence[Any], end: str = "\n") -> Path:
    """Write rows as JSONL; a text is a line as it is."""
    lines = (r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def read(path: Path) -> list[Any]:
    """Return the rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
