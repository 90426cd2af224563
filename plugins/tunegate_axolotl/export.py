"""A run as a folder to train from elsewhere, and what in it finds the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tunegate.config.settings import parse_settings
from tunegate.storage.run import Run
from tunegate.utils.atomic import atomic_folder
from tunegate.utils.hashing import sha256_bytes, sha256_file, sha256_json
from tunegate_qlora.config.settings import Settings
from tunegate_qlora.data import overflow
from tunegate_qlora.data import rows as pairs
from tunegate_qlora.data import training_data as material
from tunegate_qlora.data.training_data import TrainingData
from tunegate_qlora.model import base

from . import config

MANIFEST_FILE = (
    "tunegate-run.json"  # `tunegate.json` is what a trained model has beside its weights
)
CONFIG_FILE = "axolotl.yaml"
PAIRS_REFUSED = (
    'objective = "dpo" is not exported: Axolotl tokenises prompt and reply apart, and would train '
    "on other tokens than those that were checked. Train it here: --train-with qlora"
)
SHARDED_REFUSED = (
    'sharding = "fsdp" is not exported: what is written is for one Axolotl process. Train it here, '
    'or set sharding = "none"'
)
CONFIG_HEADER = """\
# Run {run}, for Axolotl {version}. The rows are those that a gate opened for: change none of them.
# They are token ids: `tunegate tokens` shows them as text.
#     AXOLOTL_DO_NOT_TRACK=1 axolotl train {config}
#     tunegate import-run {folder}/out --receipt {run}
"""


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """What an export is of: the run, the digests of its receipt and base, those of its files.

    `data` are the digests of the snapshots by split, `files` the sha256 of what was written.
    """

    run: str
    receipt: str
    base_model: str
    base_digest: str
    data: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)

    def changed_files(self, folder: Path) -> list[str]:
        """Return the names of exported files in a folder that are gone, or not what they were."""
        return [name for name, sha in self.files.items() if _file_digest(folder / name) != sha]


def manifest_of(run: Run) -> ExportManifest:
    """Return what an export of this run says, its files aside; raises SealBroken."""
    plan = run.plan
    paths = {"train": plan.train, "validation": plan.validation}
    data = {split: path.stem for split, path in paths.items() if path}
    return ExportManifest(
        run.id, sha256_json(run.receipt), _portable_base(run), plan.base_digest, data
    )


def write_export(run: Run, folder: Path) -> ExportManifest:
    """Write configuration, rows and `tunegate-run.json` to a new folder, whole or not at all.

    The folder is private and ignored by git: it can hold personal data. Raises SealBroken where
    no gate opened for the run, ValueError where a row could not be trained on, OSError.
    """
    run.verify()
    manifest, files = manifest_of(run), _export_files(run, folder)
    full_manifest = ExportManifest(
        **asdict(manifest)
        | {"files": {n: sha256_bytes(text.encode()) for n, text in files.items()}}
    )
    files |= {
        MANIFEST_FILE: json.dumps(asdict(full_manifest), indent=1) + "\n",
        ".gitignore": "*\n",
    }
    with atomic_folder(folder) as draft:
        draft.chmod(0o700)
        for name, text in files.items():
            (draft / name).write_text(text, "utf-8")
    return full_manifest


def read_manifest(folder: Path) -> tuple[Path, ExportManifest] | None:
    """Find an export in a folder, or in the one above it; raises ValueError if it is unreadable."""
    for export_folder in (folder, folder.parent):
        if not (path := export_folder / MANIFEST_FILE).is_file():
            continue
        try:
            return export_folder, ExportManifest(**json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
    return None


def changed_rows(run: Run, folder: Path) -> list[str]:
    """Return the names of data files in a folder that hold other rows than the run's snapshots."""
    settings, root = _settings_and_root(run)
    rows = _row_files(material.load_training_data(run.plan, settings, root))
    return [
        name
        for name, text in rows.items()
        if _file_digest(folder / name) != sha256_bytes(text.encode())
    ]


def _export_files(run: Run, folder: Path) -> dict[str, str]:
    settings, root = _settings_and_root(run)
    if settings.objective == "dpo":
        raise ValueError(PAIRS_REFUSED)
    if settings.sharding == "fsdp":
        raise ValueError(SHARDED_REFUSED)
    training_data = material.load_training_data(run.plan, settings, root)
    counts = {"train": len(training_data.train), "validation": len(training_data.validation)}
    # One Axolotl process takes the steps of all of ours.
    process_settings = {"accumulation": settings.accumulation * settings.world_size}
    settings = settings.model_copy(
        update={"max_length": overflow.max_row_tokens(settings, root), **process_settings}
    )
    table = config.axolotl_config(settings, _portable_base(run), counts)
    header_values = {
        "run": run.id,
        "version": config.AXOLOTL_VERSION,
        "config": CONFIG_FILE,
        "folder": folder.name,
    }
    return {CONFIG_FILE: CONFIG_HEADER.format(**header_values) + table, **_row_files(training_data)}


def _row_files(training_data: TrainingData) -> dict[str, str]:
    splits = {
        "train": pairs.conversations_of(training_data.train),
        "validation": pairs.conversations_of(training_data.validation),
    }
    return {
        f"{name}.jsonl": _to_jsonl(config.axolotl_rows(rows))
        for name, rows in splits.items()
        if rows
    }


def _settings_and_root(run: Run) -> tuple[Settings, Path]:
    settings = parse_settings(Settings, run.plan.config)
    return settings, base.locate_base(settings.base, run.state.root)


def _portable_base(run: Run) -> str:
    """Return the base as it is called elsewhere: a hub's name, or the absolute path of a folder."""
    base_name = str(run.plan.config["base"])
    folder = run.state.root / Path(base_name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else base_name


def _to_jsonl(rows: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _file_digest(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""
