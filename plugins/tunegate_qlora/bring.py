"""A model that was trained elsewhere, brought into its run: what can be proved, and what cannot."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tunegate import extensions, train
from tunegate.protocols import Trained
from tunegate.registry import current_user
from tunegate.runs import Run
from tunegate.settings import parse_settings

from . import adapter, base, card, exported, full, material, methods, prove, rendering, template
from .config import Objective, Settings
from .exported import CONFIG_FILE, ExportManifest
from .folders import atomic_folder
from .foreign import ExternalModel
from .note import ModelMetadata
from .quantise import load_base

LEARNT_STATEMENT = "that it learnt the training rows"


class ImportRefused(ValueError):
    """What was found is not the run's model; the message says why."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of it: what was held against what, and what rests on somebody's word."""

    proved: list[str]
    unproved: list[str]

    def add_losses(self, losses: Losses, objective: Objective) -> None:
        """Sort in what its loss says: whoever learnt these rows has a lower one than the base."""
        is_lower = losses.loss < losses.loss_of_base
        loss = "loss on preferred less that on rejected replies" if objective == "dpo" else "loss"
        losses_text = f"its {loss} on {losses.rows} of them is {losses.loss:.3f}, the base's "
        statements = self.proved if is_lower else self.unproved
        statement = (
            "it does better on the training rows than its base" if is_lower else LEARNT_STATEMENT
        )
        statements.append(f"{statement}: {losses_text}{losses.loss_of_base:.3f}")


@dataclass(frozen=True, slots=True)
class Losses:
    """Nats per learnt token, on so many training rows; of pairs, preferred less rejected."""

    rows: int
    loss: float
    loss_of_base: float


def import_model(folder: Path, run: Run, *, same_base: bool = False) -> ImportReport:
    """Copy the model of a folder into its run, and finish the run with it.

    Raises Refused where it cannot be the run's, SealBroken where no gate opened for the run,
    ModelUnknown where the base cannot be asked, OSError.
    """
    run.verify()
    settings = parse_settings(Settings, run.plan.config)
    root = base.locate_base(settings.base, run.state.root)
    if base.base_digest(root) != run.plan.base_digest:
        raise ImportRefused(f"the base in {root} has changed since the gate opened for this run")
    manifest = exported.manifest_of(run)
    external = ExternalModel(folder, settings, root, manifest)
    if faults := list(external.problems(same_base)):
        raise ImportRefused("; ".join(faults))
    report = _sort_evidence(folder, run, manifest, same_base)
    _finish_run(run, external, report)
    return report


def _finish_run(run: Run, external: ExternalModel, report: ImportReport) -> None:
    model_folder = run.folder / methods.output_name(external.settings)
    installed = extensions.load_files(Path(p) for p in run.intent["plugins"])
    baseline_record = train.measure_once(run, installed)
    _clear_attempt(run.folder)
    _copy_model(external, model_folder)
    try:
        losses = _training_losses(run, external.settings, external.root, model_folder)
        report.add_losses(losses, external.settings.objective)
        trained = Trained(
            f"folder:{model_folder.name}", "", {**_report_figures(report), **asdict(losses)}
        )
        train.finish_run(run, installed, trained, baseline_record)
    except BaseException:
        shutil.rmtree(
            model_folder, ignore_errors=True
        )  # without a record it would pass for our own
        raise
    card.write_card(model_folder, run.plan, run.folder, external.root)


def _sort_evidence(
    folder: Path, run: Run, manifest: ExportManifest, same_base: bool
) -> ImportReport:
    """Sort what the folder shows from what whoever imports it says."""
    proved = [
        "a gate opened for this run, on these bytes",
        "the model has the shape of the run's base",
    ]
    unproved = ["that it was trained on these bytes, and no others"]
    if same_base:
        unproved.append("that its base was the run's")
    export = exported.read_manifest(folder)
    if export is None:
        unproved.append(
            f"that the data came from an export: there is no {exported.MANIFEST_FILE} beside it"
        )
        return ImportReport(proved, unproved)
    export_folder, found_manifest = export
    for key in ("run", "base_digest", "data"):  # its receipt may be newer: the gate opened again
        expected, actual = getattr(manifest, key), getattr(found_manifest, key)
        if expected != actual:
            raise ImportRefused(
                f"{export_folder / exported.MANIFEST_FILE}: {key} is {actual}, the run's is {expected}"
            )
    if actual := exported.changed_rows(run, export_folder):
        raise ImportRefused(
            f"{export_folder}: {', '.join(actual)} changed since the export: export it again"
        )
    proved.append("the exported rows beside it are those that the gate opened for")
    if CONFIG_FILE in found_manifest.changed_files(export_folder):
        unproved.append(f"its settings: {CONFIG_FILE} was changed since the export")
    return ImportReport(proved, unproved)


def _report_figures(report: ImportReport) -> dict[str, str]:
    """Return what `run.json` says of it: `word` goes into each scorecard and promotion too."""
    return {
        "trained": "elsewhere",
        "word": f"trained elsewhere; on the word of {current_user()}: {'; '.join(report.unproved)}",
        "proved": "; ".join(report.proved),
        "imported": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _training_losses(run: Run, settings: Settings, root: Path, model_folder: Path) -> Losses:
    """Put training rows to what was copied, and to its base."""
    rows = replace(material.load_training_data(run.plan, settings, root), validation=[])
    loss = prove.measure_loss(methods.load_trained(model_folder, root, settings), rows, settings)
    base = prove.measure_loss(load_base(root, settings.decoding), rows, settings)
    return Losses(len(prove.sample_rows(rows)), _learnt_loss(loss), _learnt_loss(base))


def _learnt_loss(losses: prove.Losses) -> float:
    """Return what learning makes smaller; with pairs it is how far the two replies are apart."""
    return losses["loss"] - losses.get("rejected_loss", 0.0)


def _clear_attempt(folder: Path) -> None:
    """Remove what a training that was begun here left: it says nothing of the model brought in."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    shutil.rmtree(folder / "best", ignore_errors=True)
    for name in ("curves.jsonl", "figures.json"):
        (folder / name).unlink(missing_ok=True)


def _copy_model(external: ExternalModel, model_folder: Path) -> None:
    """Copy the model's files, and nothing else: whole or not at all, over what was half done."""
    settings, root = external.settings, external.root
    text, rendered_probe = (
        rendering.template_text_of(root),
        rendering.render_probe(template.load_template(root)),
    )
    note = ModelMetadata(
        settings.base, base.base_digest(root), settings.decoding, text, rendered_probe
    )
    shutil.rmtree(model_folder, ignore_errors=True)
    with atomic_folder(model_folder) as draft:
        for path in external.files:
            shutil.copyfile(path, draft / path.name)
        if settings.method == "full":
            full.finalise_full(draft, root, note)
        else:
            adapter.finalise(draft, note)
