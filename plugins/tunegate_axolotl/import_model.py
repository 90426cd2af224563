"""A model that was trained elsewhere, brought into its run: what can be proved, and what cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tunegate.config.settings import parse_settings
from tunegate.gates import training_process
from tunegate.interfaces import installed as extensions
from tunegate.interfaces.trainer import Trained
from tunegate.storage.registry import current_user
from tunegate.storage.run import Run
from tunegate.tokenization.chat_template import TemplateError
from tunegate.utils.atomic import atomic_folder
from tunegate_qlora import model_card
from tunegate_qlora.config.settings import Objective, Settings
from tunegate_qlora.data import training_data
from tunegate_qlora.model import adapter, architecture, base, chat_template, full, methods
from tunegate_qlora.model.load import load_base
from tunegate_qlora.model.metadata import ModelMetadata
from tunegate_qlora.training import verify

from . import export as exported
from .export import CONFIG_FILE, ExportManifest

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
    baseline_record = training_process.measure_once(run, installed)
    _clear_attempt(run.folder)
    _copy_model(external, model_folder)
    try:
        losses = _training_losses(run, external.settings, external.root, model_folder)
        report.add_losses(losses, external.settings.objective)
        trained = Trained(
            f"folder:{model_folder.name}", "", {**_report_figures(report), **asdict(losses)}
        )
        training_process.finish_run(run, installed, trained, baseline_record)
    except BaseException:
        shutil.rmtree(
            model_folder, ignore_errors=True
        )  # without a record it would pass for our own
        raise
    model_card.write_card(model_folder, run.plan, run.folder, external.root)


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
    rows = replace(training_data.load_training_data(run.plan, settings, root), validation=[])
    loss = verify.measure_loss(methods.load_trained(model_folder, root, settings), rows, settings)
    base = verify.measure_loss(load_base(root, settings.decoding), rows, settings)
    return Losses(len(verify.sample_rows(rows)), _learnt_loss(loss), _learnt_loss(base))


def _learnt_loss(losses: verify.Losses) -> float:
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
        chat_template.template_text_of(root),
        chat_template.render_probe(chat_template.load_template(root)),
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


# [merged] What was trained elsewhere, held against the run that it is said to be of.

ADAPTER_WEIGHTS = "adapter_model.safetensors"
_LORA_SUFFIXES = (".lora_A.weight", ".lora_B.weight")


@dataclass(frozen=True, slots=True)
class ExternalModel:
    """A folder with a model of somebody else's making, and the base it must stand on."""

    folder: Path
    settings: Settings
    root: Path  # the base's folder, here
    manifest: ExportManifest  # what an export of the run says

    @property
    def files(self) -> list[Path]:
        """The files that make the model: of an adapter two, of a whole model weights and config."""
        if self.settings.method != "full":
            return [self.folder / "adapter_config.json", self.folder / ADAPTER_WEIGHTS]
        index = "model.safetensors.index.json"
        existing = [p for p in (self.folder / "config.json", self.folder / index) if p.is_file()]
        return existing + sorted(self.folder.glob("*.safetensors"))

    def problems(self, same_base: bool) -> Iterator[str]:
        """Yield why this cannot be the run's model; with `same_base` its base's name is right."""
        if missing := self._missing_files():
            yield missing
            return
        if self.settings.method == "full":
            yield from _config_problems(self.folder, self.root)
        else:
            config = json.loads((self.folder / "adapter_config.json").read_bytes())
            yield from self._base_problems(str(config.get("base_model_name_or_path")), same_base)
            yield from _setting_problems(config, self.settings)
            yield from _tensor_problems(
                self.folder / ADAPTER_WEIGHTS,
                architecture.read_architecture(self.root).linear_layers,
            )
        yield from self._template_problems()

    def _missing_files(self) -> str:
        is_adapter = adapter.is_adapter(self.folder)
        if self.settings.method == "full" and not list(self.folder.glob("*.safetensors")):
            return f"{self.folder} holds no weights (*.safetensors), and the run trains all of them"
        if self.settings.method == "full" or (
            is_adapter and (self.folder / ADAPTER_WEIGHTS).is_file()
        ):
            return ""
        missing = ADAPTER_WEIGHTS if is_adapter else "adapter_config.json"
        subfolders = sorted(p.parent.name for p in self.folder.glob("*/adapter_config.json"))
        hint = f"; there is one in {', '.join(subfolders)}" if subfolders else ""
        return f"{self.folder} holds no adapter: {missing} is missing{hint}"

    def _base_problems(self, base_name: str, same_base: bool) -> Iterator[str]:
        if same_base or base_name in (self.settings.base, self.manifest.base_model):
            return
        try:
            base_folder = base.locate_base(base_name, self.folder, Path.cwd())
        except ValueError:
            yield (
                f"it was trained on {base_name!r}, which is not here, and the run is on "
                f"{self.settings.base!r}; if that is the same model, say --same-base"
            )
            return
        if base.base_digest(base_folder) != self.manifest.base_digest:
            yield f"it was trained on {base_name!r}, the run is on another base: {self.settings.base!r}"

    def _template_problems(self) -> Iterator[str]:
        """Trainers save the tokenizer with the model: its template must be the base's."""
        if not chat_template.template_text_of(self.folder):
            return
        try:
            rendered_here = chat_template.render_probe(chat_template.load_template(self.folder))
        except TemplateError:
            return
        rendered_base = chat_template.render_probe(chat_template.load_template(self.root))
        if rendered_here != rendered_base:
            yield (
                "it was trained with another chat template than the base's: "
                f"{chat_template.rendering_difference(rendered_here, rendered_base)}"
            )


def _setting_problems(config: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    expected = {"peft_type": "LORA", "r": settings.r, "lora_alpha": settings.alpha}
    for key, value in expected.items():
        if config.get(key) != value:
            yield f"adapter_config.json: {key} is {config.get(key)!r}, the run's is {value!r}"


def _tensor_problems(path: Path, layers: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Yield the first tensor that has no place in the base, or holds what is no number."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            if not name.endswith(_LORA_SUFFIXES):
                continue
            layer = name.removeprefix("base_model.model.").rpartition(".lora_")[0]
            side = 0 if name.endswith(_LORA_SUFFIXES[0]) else 1
            tensor = file.get_tensor(name)
            if layer not in layers or tensor.shape[1 - side] != layers[layer][side]:
                yield f"{path.name}: {name} has no place in the base"
                return
            if not bool(torch.isfinite(tensor).all()):
                yield f"{path.name}: {name} holds what is no number"
                return


def _config_problems(folder: Path, root: Path) -> Iterator[str]:
    base_config, model_config = base.read_config(root), base.read_config(folder)
    for key in ("model_type", "hidden_size", "num_hidden_layers", "vocab_size"):
        if base_config.get(key) != model_config.get(key):
            yield f"config.json: {key} is {model_config.get(key)!r}, the base's is {base_config.get(key)!r}"
