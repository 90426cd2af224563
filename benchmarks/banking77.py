"""banking77 as chat data: 13,083 real questions to a bank, with 77 intents.

    python benchmarks/banking77.py FOLDER_WITH_THE_CSV_FILES OUT

Source: PolyAI-LDN/task-specific-datasets, CC BY 4.0. Nothing of it is in this project.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

SYSTEM = "Name the intent of the customer's question, and nothing else."
SPLITS = ("train", "test")


def to_chat(source: Path, out: Path) -> dict[str, Path]:
    """Write banking77_{train,test}.csv as {train,test}.jsonl; return the files by split."""
    paths = {}
    for split in SPLITS:
        with open(source / f"banking77_{split}.csv", newline="", encoding="utf-8") as file:
            rows = [_line(row["text"], row["category"]) for row in csv.DictReader(file)]
        paths[split] = out / f"{split}.jsonl"
        paths[split].write_text("".join(rows), encoding="utf-8")
    return paths


def _line(text: str, label: str) -> str:
    turns = (("system", SYSTEM), ("user", text), ("assistant", label))
    messages = [{"role": role, "content": content} for role, content in turns]
    return json.dumps({"messages": messages}, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(*to_chat(Path(sys.argv[1]), Path(sys.argv[2])).values(), sep="\n")
