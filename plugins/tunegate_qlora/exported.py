"""A run as a folder to train from elsewhere, and what in it finds the way back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tunegate.encode import Row, encode_all
from tunegate.runs import Run
from tunegate.sealed import digest_of
from tunegate.settings import settle
from tunegate.template import Template

from . import axolotl, base, fit, rendering, template
from .config import Settings
from .folders import appearing

NAME = "tunegate-run.json"  # `tunegate.json` is what a trained model has beside its weights
CONFIG = "axolotl.yaml"
DATED = (
    "the chat template writes the date, and Axolotl would write that of its day, which is not what "
    "the model is asked here: write a date into the base's chat_template.jinja"
)
PAIRS = (
    'objective = "dpo" is not exported: Axolotl tokenises prompt and reply apart, and would train '
    "on other tokens than those that were checked. Train it here: --train-with qlora"
)
HEAD = """\
# Run {run}, for Axolotl {version}. The rows are those that a gate opened for: change none of them.
#     axolotl train {config}
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
    return [name for name, text in _rows(run).items() if _sha(folder / name) != _digest(text)]


def _files(run: Run, folder: Path) -> dict[str, str]:
    settings = settle(Settings, run.plan.config)
    if settings.objective == "dpo":
        raise ValueError(PAIRS)
    root = base.locate(settings.base, run.state.root)
    chat = template.load(root)
    if rendering.dated(chat):
        raise ValueError(DATED)
    splits = [split for split in ("train", "validation") if getattr(run.plan, split)]
    encoded = [row for split in splits for row in _encoded(run, split, chat, settings, root)]
    settings = settings.model_copy(update={"max_length": fit.limit(settings, root)})
    files = {split: f"{split}.jsonl" for split in splits}
    table = axolotl.config(settings, _base(run), files, axolotl.ends(encoded, chat))
    said = {"run": run.id, "version": axolotl.VERSION, "config": CONFIG, "folder": folder.name}
    return {CONFIG: HEAD.format(**said) + table, **_rows(run)}


def _rows(run: Run) -> dict[str, str]:
    splits = [split for split in ("train", "validation") if getattr(run.plan, split)]
    return {f"{split}.jsonl": _jsonl(axolotl.rows(run.data(split))) for split in splits}


def _encoded(run: Run, split: str, chat: Template, settings: Settings, root: Path) -> list[Row]:
    rows, unfit = encode_all(run.data(split), chat)
    if unfit:
        raise ValueError(f"{split}: {unfit[0]}")
    told = fit.overflowing(rows, fit.limit(settings, root))
    if told and settings.on_overflow != "drop":
        cut = "; Axolotl cuts the end, where the answer is" * (settings.on_overflow == "truncate")
        raise ValueError(f"{split}: {told}{cut}")
    return rows


def _base(run: Run) -> str:
    """Return the base as it is called elsewhere: a hub's name, or the absolute path of a folder."""
    named = str(run.plan.config["base"])
    folder = run.state.root / Path(named).expanduser()
    return str(folder.resolve()) if folder.is_dir() else named


def _jsonl(rows: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
