"""A run as a folder to train from elsewhere, and what in it finds the way back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tunegate.runs import Run
from tunegate.sealed import digest_of
from tunegate.settings import settle

from . import axolotl, base, fit, material, pairs
from .config import Settings
from .folders import appearing
from .material import Material

NAME = "tunegate-run.json"  # `tunegate.json` is what a trained model has beside its weights
CONFIG = "axolotl.yaml"
PAIRS = (
    'objective = "dpo" is not exported: Axolotl tokenises prompt and reply apart, and would train '
    "on other tokens than those that were checked. Train it here: --train-with qlora"
)
SHARED = (
    'sharding = "fsdp" is not exported: what is written is for one Axolotl process. Train it here, '
    'or set sharding = "none"'
)
HEAD = """\
# Run {run}, for Axolotl {version}. The rows are those that a gate opened for: change none of them.
# They are token ids: `tunegate tokens` shows them as text.
#     AXOLOTL_DO_NOT_TRACK=1 axolotl train {config}
#     tunegate import-run {folder}/out --receipt {run}
"""


@dataclass(frozen=True, slots=True)
class Export:
    """What an export is of: the run, the digests of its receipt and base, those of its files.

    `data` are the digests of the snapshots by split, `files` the sha256 of what was written.
    """

    run: str
    receipt: str
    base_model: str
    base_digest: str
    data: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)

    def changed(self, folder: Path) -> list[str]:
        """Return the names of exported files in a folder that are gone, or not what they were."""
        return [name for name, sha in self.files.items() if _sha(folder / name) != sha]


def of(run: Run) -> Export:
    """Return what an export of this run says, its files aside; raises SealBroken."""
    plan = run.plan
    paths = {"train": plan.train, "validation": plan.validation}
    data = {split: path.stem for split, path in paths.items() if path}
    return Export(run.id, digest_of(run.receipt), _base(run), plan.base_digest, data)


def write(run: Run, folder: Path) -> Export:
    """Write configuration, rows and `tunegate-run.json` to a new folder, whole or not at all.

    The folder is private and ignored by git: it can hold personal data. Raises SealBroken where
    no gate opened for the run, ValueError where a row could not be trained on, OSError.
    """
    run.verify()
    made, files = of(run), _files(run, folder)
    told = Export(**asdict(made) | {"files": {n: _digest(text) for n, text in files.items()}})
    files |= {NAME: json.dumps(asdict(told), indent=1) + "\n", ".gitignore": "*\n"}
    with appearing(folder) as draft:
        draft.chmod(0o700)
        for name, text in files.items():
            (draft / name).write_text(text, "utf-8")
    return told


def read(folder: Path) -> tuple[Path, Export] | None:
    """Find an export in a folder, or in the one above it; raises ValueError if it is unreadable."""
    for place in (folder, folder.parent):
        if not (path := place / NAME).is_file():
            continue
        try:
            return place, Export(**json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
    return None


def other_rows(run: Run, folder: Path) -> list[str]:
    """Return the names of data files in a folder that hold other rows than the run's snapshots."""
    settings, root = _settled(run)
    rows = _rows(material.read(run.plan, settings, root))
    return [name for name, text in rows.items() if _sha(folder / name) != _digest(text)]


def _files(run: Run, folder: Path) -> dict[str, str]:
    settings, root = _settled(run)
    if settings.objective == "dpo":
        raise ValueError(PAIRS)
    if settings.sharding == "fsdp":
        raise ValueError(SHARED)
    read = material.read(run.plan, settings, root)
    counts = {"train": len(read.train), "validation": len(read.validation)}
    # One Axolotl process takes the steps of all of ours.
    each = {"accumulation": settings.accumulation * settings.world}
    settings = settings.model_copy(update={"max_length": fit.limit(settings, root), **each})
    table = axolotl.config(settings, _base(run), counts)
    said = {"run": run.id, "version": axolotl.VERSION, "config": CONFIG, "folder": folder.name}
    return {CONFIG: HEAD.format(**said) + table, **_rows(read)}


def _rows(read: Material) -> dict[str, str]:
    splits = {"train": pairs.rows(read.train), "validation": pairs.rows(read.validation)}
    return {f"{name}.jsonl": _jsonl(axolotl.rows(rows)) for name, rows in splits.items() if rows}


def _settled(run: Run) -> tuple[Settings, Path]:
    settings = settle(Settings, run.plan.config)
    return settings, base.locate(settings.base, run.state.root)


def _base(run: Run) -> str:
    """Return the base as it is called elsewhere: a hub's name, or the absolute path of a folder."""
    named = str(run.plan.config["base"])
    folder = run.state.root / Path(named).expanduser()
    return str(folder.resolve()) if folder.is_dir() else named


def _jsonl(rows: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
