"""`tunegate init`: the suites and a commented configuration, copied to be edited."""

from __future__ import annotations

import shutil
from pathlib import Path

from .files import write_whole

CONFIG = """\
# tunegate: pytest suites/data --train-with qlora, then pytest suites/model --model latest
task = "classification"          # or "style", "qa", "code": decides the minimum sizes

[data]                           # JSONL or JSON; one file only? tunegate split FILE -o data
train = "data/train.jsonl"
validation = "data/validation.jsonl"
test = "data/test.jsonl"

[limits]                         # what the suites hold data and models to; defaults are shown
# similarity = 0.85              # from here on two prompts are near-duplicates
# accuracy = 0.95
# macro_f1 = 0.90
# improvement = 0.0              # over the base model
# [limits.own]                   # limits of your own checks: limits.own["politeness"]
# politeness = 0.9

[train.qlora]                    # pip install 'tunegate[qlora]'
base = "path/to/a/base/model"    # a folder with weights, tokenizer and chat template
# epochs = 3
"""


def suites_home() -> Path:
    """Return where the suites stand: in the wheel, or in a checkout of the repository."""
    here = Path(__file__).parent
    return here / "suites" if (here / "suites").is_dir() else here.parents[1] / "suites"


def init(folder: Path) -> list[str]:
    """Copy suites and configuration into a project; returns a line for each file.

    What is there already is left as it is: it is the user's.
    """
    lines = []
    for source in sorted(suites_home().rglob("*.py")):
        target = folder / "suites" / source.relative_to(suites_home())
        lines.append(_line(folder, target, target.exists()))
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    config = folder / "tunegate.toml"
    there = _configured(folder)
    lines.append(_line(folder, there or config, there is not None))
    if there is None:
        write_whole(config, CONFIG.encode())
    return lines


def _configured(folder: Path) -> Path | None:
    from .project import find_root

    if find_root(folder) != folder:
        return None
    own = folder / "tunegate.toml"
    return own if own.is_file() else folder / "pyproject.toml"


def _line(folder: Path, path: Path, there: bool) -> str:
    return f"{'kept' if there else 'wrote':<6} {path.relative_to(folder)}"
