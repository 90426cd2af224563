"""Export a run as a folder for another trainer, with a manifest that an import is checked by."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tunegate.storage.run import Run
from tunegate.utils.atomic import atomic_folder
from tunegate.utils.hashing import sha256_bytes, sha256_file, sha256_json
from tunegate_qlora.data import training_data

from . import config

MANIFEST_FILE = "tunegate-run.json"  # not `tunegate.json`, the metadata beside a model's weights
CONFIG_FILE = "axolotl.yaml"
PAIRS_REFUSED = (
    'objective = "dpo" is not exported: Axolotl tokenises prompt and reply apart, and would train '
    "on other tokens than those that were checked. Train it here: --train-with qlora"
)
SHARDED_REFUSED = (
    'sharding = "fsdp" is not exported: what is written is for one Axolotl process. Train it here, '
    'or set sharding = "none"'
)
TOKENS_REFUSED = (
    "new_tokens is not exported: Axolotl would begin them as other rows. Train it here: "
    "--train-with qlora"
)
CONFIG_HEADER = """\
# Run {run}, for Axolotl {version}. The rows are those that a gate opened for: change none of them.
# They are token ids: `tunegate data tokens` shows them as text.
#     AXOLOTL_DO_NOT_TRACK=1 axolotl train {config}
#     tunegate run import {folder}/out --receipt {run}
"""


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """The run of an export, with the digests of receipt, base, data by split, and files."""

    run: str
    receipt: str
    base_model: str
    base_digest: str
    data: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)

    def changed_files(self, folder: Path) -> list[str]:
        """Return the names of the exported files in a folder that are missing or were changed."""
        return [name for name, sha in self.files.items() if _file_digest(folder / name) != sha]


def manifest_of(run: Run) -> ExportManifest:
    """Return the manifest of an export of this run, without its files; raises SealBroken."""
    plan = run.plan
    paths = {"train": plan.train, "validation": plan.validation}
    data = {split: path.stem for split, path in paths.items() if path}
    receipt = sha256_json(run.receipt)
    return ExportManifest(run.id, receipt, _portable_base(run), plan.base_digest, data)


def write_export(run: Run, folder: Path) -> ExportManifest:
    """Write configuration, rows and `tunegate-run.json` to a new folder, whole or not at all.

    The folder is private and ignored by git: it can hold personal data. Raises SealBroken, OSError,
    and ValueError where settings cannot be exported or a row cannot be trained on.
    """
    run.verify()
    job = training_data.make_job(run.plan, run.folder)
    settings, root = job.settings, job.base_folder
    if settings.objective == "dpo":
        raise ValueError(PAIRS_REFUSED)
    if settings.sharding == "fsdp":
        raise ValueError(SHARDED_REFUSED)
    if settings.new_tokens:
        raise ValueError(TOKENS_REFUSED)

    # One Axolotl process takes the steps of all processes here, on rows cut to the base's context.
    data = training_data.load_training_data(job)
    counts = {"train": len(data.train), "validation": len(data.validation)}
    changes = {
        "max_length": training_data.max_row_tokens(settings, root),
        "accumulation": settings.accumulation * settings.world_size,
    }
    table = config.axolotl_config(settings.model_copy(update=changes), _portable_base(run), counts)
    header = CONFIG_HEADER.format(
        run=run.id, version=config.AXOLOTL_VERSION, config=CONFIG_FILE, folder=folder.name
    )
    files = {CONFIG_FILE: header + table, **_row_files(data)}
    digests = {name: sha256_bytes(text.encode()) for name, text in files.items()}
    manifest = replace(manifest_of(run), files=digests)
    files[MANIFEST_FILE] = json.dumps(asdict(manifest), indent=1) + "\n"
    files[".gitignore"] = "*\n"
    with atomic_folder(folder) as draft:
        draft.chmod(0o700)
        for name, text in files.items():
            (draft / name).write_text(text, "utf-8")
    return manifest


def read_manifest(folder: Path) -> tuple[Path, ExportManifest] | None:
    """Return folder and manifest of an export, here or one above; None, or ValueError."""
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
    job = training_data.make_job(run.plan, run.folder)
    texts = _row_files(training_data.load_training_data(job))
    digests = {name: sha256_bytes(text.encode()) for name, text in texts.items()}
    return [name for name, sha in digests.items() if _file_digest(folder / name) != sha]


def _row_files(data: training_data.TrainingData) -> dict[str, str]:
    """Return the text of `SPLIT.jsonl` of each split that has rows."""
    files = {}
    for split, items in (("train", data.train), ("validation", data.validation)):
        encoded = config.axolotl_rows(training_data.conversations_of(items))
        if lines := [json.dumps(row) + "\n" for row in encoded]:
            files[f"{split}.jsonl"] = "".join(lines)
    return files


def _portable_base(run: Run) -> str:
    """Return the base's name on a hub, or the absolute path of its folder."""
    base_name = str(run.plan.config["base"])
    folder = run.state.root / Path(base_name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else base_name


def _file_digest(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""
