"""The embedded default is what its scripts say: the generator makes the committed bytes again."""

import subprocess
import sys
from pathlib import Path

TRIAGE = Path(__file__).parents[1] / "examples" / "triage"
SPLITS = ("train", "validation", "test")


def test_the_generator_makes_the_same_bytes_again(tmp_path: Path) -> None:
    command = [sys.executable, str(TRIAGE / "generate.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for split in SPLITS:
        made, kept = (f / f"{split}.jsonl" for f in (tmp_path, TRIAGE / "data"))
        assert made.read_bytes() == kept.read_bytes(), split
