"""Import a model that was trained elsewhere into its run, and report what is proved of it."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunegate.gates import training_process
from tunegate.interfaces import installed
from tunegate.interfaces.trainer import Trained
from tunegate.storage.registry import current_user
from tunegate.storage.run import Run
from tunegate.tokenization.chat_template import TemplateError, load_template
from tunegate.utils.atomic import atomic_folder
from tunegate.utils.timestamps import timestamp
from tunegate_qlora import model_card
from tunegate_qlora.data import training_data
from tunegate_qlora.model import architecture, base, metadata, weights
from tunegate_qlora.training import verify

from . import export

ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Fields of an adapter's configuration that say nothing of what was trained.
UNCOMPARED_FIELDS = {
    *("auto_mapping", "base_model_name_or_path", "exclude_modules", "inference_mode", "task_type"),
    *("megatron_config", "megatron_core", "peft_version", "revision", "target_modules"),
}
LEARNT_STATEMENT = "that it learnt the training rows"


class ImportRefused(ValueError):
    """The model is not the run's; the message says why."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was proved of an imported model, and what rests on the word of whoever imports it."""

    proved: list[str]
    unproved: list[str]


def import_model(folder: Path, run: Run, *, same_base: bool = False) -> ImportReport:
    """Copy the model of a folder into its run, and finish the run with it.

    `same_base`: the base that the adapter names is the run's, under another name. Raises
    ImportRefused, ValueError where its base has changed, SealBroken, ModelUnknown, OSError.
    """
    run.verify()
    job, manifest = training_data.make_job(run.plan, run.folder), export.manifest_of(run)
    external = ExternalModel(folder, job, manifest)
    if problems := list(external.problems(same_base)):
        raise ImportRefused("; ".join(problems))
    report = compare_export(folder, run, manifest)
    if same_base:
        report.unproved.insert(1, "that its base was the run's")

    # The baseline is measured, and what an earlier training left in the run is removed, before the
    # model is copied.
    plugins = installed.load_files(run.plugins)
    baseline = training_process.measure_once(run, plugins)
    for name in ("checkpoints", "best"):
        shutil.rmtree(run.folder / name, ignore_errors=True)
    for name in ("curves.jsonl", "figures.json"):
        (run.folder / name).unlink(missing_ok=True)
    external.copy_to(job.model_folder)
    try:
        losses = compare_losses(job, report)
        word = f"on the word of {current_user()}: {'; '.join(report.unproved)}"
        # Scorecards and promotions repeat the word.
        figures = {"trained": "elsewhere", "word": f"trained elsewhere; {word}"}
        figures |= {"proved": "; ".join(report.proved), "imported": timestamp("seconds")}
        trained = Trained(f"folder:{job.model_folder.name}", "", {**figures, **losses})
        training_process.finish_run(run, plugins, trained, baseline)
    except BaseException:  # without run.json, the model would look like one that was trained here
        shutil.rmtree(job.model_folder, ignore_errors=True)
        raise
    model_card.write_card(job.model_folder, job)
    return report


def compare_export(folder: Path, run: Run, manifest: export.ExportManifest) -> ImportReport:
    """Compare the export beside the model with the run; return what that proves, or refuse."""
    proved = ["a gate opened for this run, on these bytes"]
    proved.append("the model has the shape of the run's base")
    unproved = ["that it was trained on these bytes, and no others"]
    report, found = ImportReport(proved, unproved), export.read_manifest(folder)
    if found is None:
        missing = f"there is no {export.MANIFEST_FILE} beside it"
        unproved.append(f"that the data came from an export: {missing}")
        return report
    export_folder, exported = found
    for key in ("run", "base_digest", "data"):  # its receipt may be newer: the gate opened again
        expected, actual = getattr(manifest, key), getattr(exported, key)
        if expected != actual:
            path = export_folder / export.MANIFEST_FILE
            raise ImportRefused(f"{path}: {key} is {actual}, the run's is {expected}")
    if names := export.changed_rows(run, export_folder):
        raise ImportRefused(
            f"{export_folder}: {', '.join(names)} changed since the export: export it again"
        )
    proved.append("the exported rows beside it are those that the gate opened for")
    if export.CONFIG_FILE in exported.changed_files(export_folder):
        unproved.append(f"its settings: {export.CONFIG_FILE} was changed since the export")
    return report


def compare_losses(job: training_data.TrainingJob, report: ImportReport) -> dict[str, float]:
    """Compare the losses of the copied model and its base on training rows; add to the report.

    Returns the number of `rows`, `loss` and `loss_of_base` in nats per trained token. Of pairs, the
    loss is that on the preferred replies less that on the rejected ones: DPO makes it smaller.
    """
    settings, root = job.settings, job.base_folder
    rows = replace(training_data.load_training_data(job), validation=[])
    count = len(verify.sample_rows(rows))
    model = weights.load_trained(job.model_folder, root, settings)
    tuned_losses = verify.measure_loss(model, rows, settings)
    del model  # the base takes its place in memory
    base_losses = verify.measure_loss(weights.load_base(root, settings.decoding), rows, settings)
    loss, base_loss, name = tuned_losses["loss"], base_losses["loss"], "loss"
    if settings.objective == "dpo":
        name = "loss on preferred less that on rejected replies"
        loss -= tuned_losses["rejected_loss"]
        base_loss -= base_losses["rejected_loss"]
    text = f"its {name} on {count} of them is {loss:.3f}, the base's {base_loss:.3f}"
    if loss < base_loss:
        report.proved.append(f"it does better on the training rows than its base: {text}")
    else:
        report.unproved.append(f"{LEARNT_STATEMENT}: {text}")
    return {"rows": count, "loss": loss, "loss_of_base": base_loss}


@dataclass(frozen=True, slots=True)
class ExternalModel:
    """A model that was trained elsewhere, the run's training that it is for, and its export."""

    folder: Path
    job: training_data.TrainingJob
    manifest: export.ExportManifest

    def problems(self, same_base: bool) -> Iterator[str]:
        """Yield why this cannot be the run's model; with `same_base` its base's name is right."""
        if missing := self._missing_files():
            yield missing
            return
        if self.job.settings.method == "full":
            base_config = base.read_config(self.job.base_folder)
            config = base.read_config(self.folder)
            for key in ("model_type", "hidden_size", "num_hidden_layers", "vocab_size"):
                expected, actual = base_config.get(key), config.get(key)
                if expected != actual:
                    yield f"config.json: {key} is {actual!r}, the base's is {expected!r}"
        else:
            config = json.loads((self.folder / metadata.ADAPTER_CONFIG).read_bytes())
            if not same_base:
                yield from self._base_problems(str(config.get("base_model_name_or_path")))
            settings = self.job.settings
            outline = architecture.read_architecture(self.job.base_folder, settings)
            attached = architecture.attach_adapter(outline.model, settings, outline.new_tokens)
            differing = [*config_problems(config, attached.peft_config["default"].to_dict())]
            yield from differing or tensor_problems(self.folder / ADAPTER_WEIGHTS, attached)

        # Trainers save the tokenizer with the model: its chat template must be the base's.
        if not metadata.template_text_of(self.folder):
            return
        try:
            rendered = metadata.render_probe(load_template(self.folder))
        except TemplateError:
            return
        rendered_base = metadata.render_probe(self.job.load_template())
        if rendered != rendered_base:
            difference = metadata.rendering_difference(rendered, rendered_base)
            yield f"it was trained with another chat template than the base's: {difference}"

    def copy_to(self, model_folder: Path) -> None:
        """Copy the files of the model alone, whole or not at all, over what is there."""
        settings, root = self.job.settings, self.job.base_folder
        if settings.method == "full":
            names = ("config.json", "model.safetensors.index.json")
            files = [self.folder / name for name in names if (self.folder / name).is_file()]
            files += sorted(self.folder.glob("*.safetensors"))
        else:
            files = [self.folder / metadata.ADAPTER_CONFIG, self.folder / ADAPTER_WEIGHTS]
        described = metadata.metadata_of(settings, root, self.job.load_template())
        shutil.rmtree(model_folder, ignore_errors=True)
        with atomic_folder(model_folder) as draft:
            for path in files:
                shutil.copyfile(path, draft / path.name)
            weights.finalise(draft, root, described)

    def _missing_files(self) -> str:
        """Return one line about the files that the folder lacks, "" where it has a model."""
        if self.job.settings.method == "full":
            if list(self.folder.glob("*.safetensors")):
                return ""
            return f"{self.folder} holds no weights (*.safetensors), and the run trains all of them"
        missing = ADAPTER_WEIGHTS if metadata.is_adapter(self.folder) else metadata.ADAPTER_CONFIG
        if (self.folder / missing).is_file():
            return ""
        subfolders = sorted(p.parent.name for p in self.folder.glob(f"*/{metadata.ADAPTER_CONFIG}"))
        hint = f"; there is one in {', '.join(subfolders)}" if subfolders else ""
        return f"{self.folder} holds no adapter: {missing} is missing{hint}"

    def _base_problems(self, base_name: str) -> Iterator[str]:
        """Yield why the base that the adapter names is not the run's."""
        if base_name in (self.job.settings.base, self.manifest.base_model):
            return
        own = self.job.settings.base
        try:
            base_folder = base.locate_base(base_name, self.folder, Path.cwd())
        except ValueError:
            yield (
                f"it was trained on {base_name!r}, which is not here, and the run is on {own!r}; "
                "if that is the same model, say --same-base"
            )
            return
        if base.folder_digest(base_folder) != self.manifest.base_digest:
            yield f"it was trained on {base_name!r}, the run is on another base: {own!r}"


def config_problems(config: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """Yield each field of an adapter's configuration that is not as the run's own, `expected`."""
    run_config = json.loads(json.dumps(expected, default=sorted))
    for key in sorted((config.keys() | {"peft_type", "r", "lora_alpha"}) - UNCOMPARED_FIELDS):
        actual, own = config.get(key), run_config.get(key)
        if (actual or own) and actual != own:
            file = metadata.ADAPTER_CONFIG
            yield f"{file}: {key} is {actual!r}, the run's is {own!r}"


def tensor_problems(path: Path, attached: Any) -> Iterator[str]:
    """Yield the first tensor that an adapter lacks, has no place for, or is no number."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    expected: dict[str, Any] = get_peft_model_state_dict(attached, save_embedding_layers=False)
    with safe_open(path, "pt") as file:
        names = set(file.keys())
        for name in sorted(names):
            tensor: Any = file.get_tensor(name)
            if name not in expected or tensor.shape != expected[name].shape:
                yield f"{path.name}: {name} has no place in the base"
                return
            if not bool(torch.isfinite(tensor).all()):
                yield f"{path.name}: {name} holds what is no number"
                return
    if missing := sorted(expected.keys() - names):
        yield f"{path.name}: {missing[0]} is missing, which the run's targets adapt"
