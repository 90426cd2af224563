"""Import a model that was trained elsewhere into its run, and report what is proved of it."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunegate.gates import training_process
from tunegate.interfaces import installed
from tunegate.interfaces.trainer import Trained
from tunegate.storage.registry import current_user
from tunegate.storage.state_dir import Run, read_unverified
from tunegate.tokenization.chat_template import TemplateError, load_template
from tunegate.utils.files import atomic_folder
from tunegate.utils.timestamps import timestamp
from tunegate_qlora import model_card
from tunegate_qlora.data import training_data
from tunegate_qlora.data.training_data import TrainingJob
from tunegate_qlora.model import folders, weights

from . import export

ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Fields of an adapter's configuration that say nothing of what was trained.
UNCOMPARED_FIELDS = {
    *("auto_mapping", "base_model_name_or_path", "exclude_modules", "inference_mode", "task_type"),
    *("megatron_config", "megatron_core", "peft_version", "revision", "target_modules"),
}
# What was proved of a model, and what rests on the word of whoever imports it.
Report = tuple[list[str], list[str]]


def import_model(folder: Path, run: Run, *, same_base: bool = False) -> Report:
    """Copy the model of a folder into its run, and finish the run with it.

    `same_base`: the base that the adapter names is the run's, under another name. Raises
    ValueError where the model is another run's or the base has changed, SealBroken, OSError.
    """
    run.verify()
    job = training_data.make_job(run.plan, run.folder)
    if problems := list(model_problems(folder, job, run, same_base)):
        raise ValueError("; ".join(problems))
    proved, unproved = report = compare_export(folder, run, job)
    if same_base:
        unproved.insert(1, "that its base was the run's")
    # Before the model is copied: measure the baseline, remove what an earlier training left here.
    plugins = installed.load_files(run.plugins)
    baseline = training_process.measure_once(run, plugins)
    for name in ("checkpoints", "best"):
        shutil.rmtree(run.folder / name, ignore_errors=True)
    for name in ("curves.jsonl", "figures.json"):
        (run.folder / name).unlink(missing_ok=True)
    copy_model(folder, job)
    try:
        word = f"on the word of {current_user()}: {'; '.join(unproved)}"
        # Scorecards and promotions repeat the word.
        figures = {"trained": "elsewhere", "word": f"trained elsewhere; {word}"}
        figures |= {"proved": "; ".join(proved), "imported": timestamp("seconds")}
        trained = Trained(f"folder:{job.model_folder.name}", "", figures)
        training_process.finish_run(run, plugins, trained, baseline)
    except BaseException:  # without run.json, the model would look like one that was trained here
        shutil.rmtree(job.model_folder, ignore_errors=True)
        raise
    model_card.write_card(job.model_folder, job)
    return report


def compare_export(folder: Path, run: Run, job: TrainingJob) -> Report:
    """Compare the export beside the model with the run; return what that proves, or refuse."""
    proved = ["a gate opened for this run, on these bytes"]
    proved.append("the model has the shape of the run's base")
    unproved = ["that it was trained on these bytes, and no others"]
    paths = (place / export.MANIFEST_FILE for place in (folder, folder.parent))
    if not (path := next(filter(Path.is_file, paths), None)):
        missing = f"there is no {export.MANIFEST_FILE} beside it"
        unproved.append(f"that the data came from an export: {missing}")
        return proved, unproved
    run_id = read_unverified(path).get("run")  # a digest of the run's data, settings and base
    if run_id != run.id:
        raise ValueError(f"{path}: run is {run_id}, the run's is {run.id}")
    if names := export.changed_rows(job, path.parent):
        changed = f"{', '.join(names)} changed since the export"
        raise ValueError(f"{path.parent}: {changed}: export it again")
    proved.append("the exported rows beside it are those that the gate opened for")
    unproved.append(f"that the settings of {export.CONFIG_FILE} were not changed")
    return proved, unproved


def model_problems(folder: Path, job: TrainingJob, run: Run, same_base: bool) -> Iterator[str]:
    """Yield why this cannot be the model of the job; with `same_base` its base's name is right."""
    if missing := missing_files(folder, job):
        yield missing
        return
    if job.settings.method == "full":
        base_config = folders.read_config(job.base_folder)
        config = folders.read_config(folder)
        for key in ("model_type", "hidden_size", "num_hidden_layers", "vocab_size"):
            expected, actual = base_config.get(key), config.get(key)
            if expected != actual:
                yield f"config.json: {key} is {actual!r}, the base's is {expected!r}"
    else:
        config = json.loads((folder / folders.ADAPTER_CONFIG).read_bytes())
        if not same_base:
            yield from base_problems(config, folder, job, run)
        outline = weights.read_architecture(job.base_folder, job.settings)
        attached = weights.attach_adapter(outline.model, job.settings, outline.new_tokens)
        differing = [*config_problems(config, attached.peft_config["default"].to_dict())]
        yield from differing or tensor_problems(folder / ADAPTER_WEIGHTS, attached)
    # Trainers save the tokenizer with the model: its chat template must be the base's.
    if not folders.template_text_of(folder):
        return
    try:
        rendered = folders.render_probe(load_template(folder))
    except TemplateError:
        return
    rendered_base = folders.render_probe(job.load_template())
    if rendered != rendered_base:
        difference = folders.rendering_difference(rendered, rendered_base)
        yield f"it was trained with another chat template than the base's: {difference}"


def copy_model(folder: Path, job: TrainingJob) -> None:
    """Copy the files of a model alone into its run, whole or not at all, over what is there."""
    settings, root = job.settings, job.base_folder
    if settings.method == "full":
        names = ("config.json", "model.safetensors.index.json")
        files = [folder / name for name in names if (folder / name).is_file()]
        files += sorted(folder.glob("*.safetensors"))
    else:
        files = [folder / folders.ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS]
    described = folders.metadata_of(settings, root, job.load_template())
    shutil.rmtree(job.model_folder, ignore_errors=True)
    with atomic_folder(job.model_folder) as draft:
        for path in files:
            shutil.copyfile(path, draft / path.name)
        weights.finalise(draft, root, described)


def missing_files(folder: Path, job: TrainingJob) -> str:
    """Return one line about the files that the folder lacks, "" where it has a model."""
    if job.settings.method == "full":
        if list(folder.glob("*.safetensors")):
            return ""
        return f"{folder} holds no weights (*.safetensors), and the run trains all of them"
    missing = ADAPTER_WEIGHTS if folders.is_adapter(folder) else folders.ADAPTER_CONFIG
    if (folder / missing).is_file():
        return ""
    subfolders = sorted(p.parent.name for p in folder.glob(f"*/{folders.ADAPTER_CONFIG}"))
    hint = f"; there is one in {', '.join(subfolders)}" if subfolders else ""
    return f"{folder} holds no adapter: {missing} is missing{hint}"


def base_problems(
    config: Mapping[str, Any], folder: Path, job: TrainingJob, run: Run
) -> Iterator[str]:
    """Yield why the base that an adapter names is not the run's."""
    base_name, own = str(config.get("base_model_name_or_path")), job.settings.base
    if base_name in (own, export.portable_base(run)):
        return
    try:
        base_folder = folders.locate_base(base_name, folder, Path.cwd())
    except ValueError:
        missing = f"it was trained on {base_name!r}, which is not here, and the run is on {own!r}"
        yield f"{missing}; if that is the same model, say --same-base"
        return
    if folders.folder_digest(base_folder) != run.plan.base_digest:
        yield f"it was trained on {base_name!r}, the run is on another base: {own!r}"


def config_problems(config: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """Yield each field of an adapter's configuration that is not as the run's own, `expected`."""
    run_config = json.loads(json.dumps(expected, default=sorted))
    for key in sorted((config.keys() | {"peft_type", "r", "lora_alpha"}) - UNCOMPARED_FIELDS):
        actual, own = config.get(key), run_config.get(key)
        if (actual or own) and actual != own:
            yield f"{folders.ADAPTER_CONFIG}: {key} is {actual!r}, the run's is {own!r}"


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
