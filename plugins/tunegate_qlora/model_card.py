"""Write the model card: what a model was made of, its figures, scores and limits of use."""

import json
from pathlib import Path
from typing import Any

from tunegate.interfaces.trainer import Plan
from tunegate.reporting.html.text import public_name
from tunegate.reporting.terminal import score_cells
from tunegate.storage.state_dir import Run, StateDir, read_unverified
from tunegate.utils.files import atomic_write, sha256_json
from tunegate.utils.masking import mask
from tunegate.utils.timestamps import time_key

from .data.training_data import TrainingJob, make_job
from .model import folders
from .model.local_model import model_digest

MODEL_KINDS = {
    "adapter": "LoRA adapter", "model": "model, fine-tuned in full", "merged": "merged model",
}  # fmt: skip


def write_card(folder: Path, job: TrainingJob) -> Path:
    """Write a model's `README.md`, outside its digest, without path, row or key. Raises OSError."""
    # The digest that the model has when it is judged.
    decoding, root = folders.read_metadata(folder).decoding, job.plan.root
    if folders.is_adapter(folder):
        kind, digest = "adapter", model_digest(job.base_folder, folder, decoding, root)
    else:
        kind = "model" if job.settings.method == "full" else "merged"
        digest = model_digest(folder, None, decoding, root)
    path, lines = folder / "README.md", map(mask, render_card(kind, digest, job).splitlines())
    atomic_write(path, "\n".join(lines).encode() + b"\n")
    return path


def rewrite_cards(plan: Plan, folder: Path) -> None:
    """Write a run's cards anew; raises OSError, SealBroken, ValueError for a changed base."""
    run, job = Run(StateDir(plan.root), folder.name), make_job(plan, folder)
    run.verify()
    for checkpoint in ("", *run.record.get("checkpoints", {})):
        spec, _ = run.model_of(checkpoint)
        model_folder = plan.root / spec.removeprefix("folder:")
        if model_folder.is_dir():
            write_card(model_folder, job)


def render_card(kind: str, model: str, job: TrainingJob) -> str:
    """Return the card as Markdown; `kind` is a key of MODEL_KINDS, `model` the model's digest."""
    from huggingface_hub import ModelCardData
    from jinja2 import Environment, PackageLoader, StrictUndefined

    plan, run = job.plan, job.folder
    base_name, licence = str(plan.config["base"]), folders.licence_of(job.base_folder)
    if Path(base_name).expanduser().is_absolute():
        base_name = Path(base_name).name
    front_matter = ModelCardData(
        library_name="peft" if kind == "adapter" else "transformers",
        pipeline_tag="text-generation", license=licence or None,
    )  # fmt: skip
    record, receipt = read_unverified(run / "run.json"), read_unverified(run / "receipt.json")
    receipt.pop("seal", None)
    paths = {"train": plan.train, "validation": plan.validation, "test": plan.test}
    origin = [(f"{split} data", path.stem) for split, path in paths.items() if path]
    origin += [
        ("base", plan.base_digest),
        ("receipt", sha256_json(receipt) if receipt else "none: not trained behind a gate"),
        ("configuration", sha256_json(dict(plan.config))),
        ("this model", model),
    ]
    checks, card = record.get("served_checks", {}).values(), newest_scorecard(model, run)
    scores = [*card["scores"], *card.get("missed", ())] if card else []  # passed, and failed
    environment = Environment(
        loader=PackageLoader("tunegate_qlora", ""), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"cell": _cell_text, "public": lambda s: public_name(s, plan.root)}
    return environment.get_template("model_card.md.jinja").render(
        title=f"{MODEL_KINDS[kind]} on {base_name}, run {run.name}", run=run.name,
        reviews=[hint for outcomes in receipt.get("tests", {}).values() for o in outcomes
                 if o["name"] == "review" for hint in o["hints"]],
        front_matter=front_matter.to_yaml(), licence=licence, origin=origin, card=card,
        attested=record.get("figures", {}).get("word"),
        figures=read_unverified(run / "figures.json").items(),
        merge=read_unverified(run / "merge.json").items() if kind == "merged" else (),
        scores=[score_cells(score) for score in scores if score.get("value") is not None],
        limits=[(k, v) for k, v in card.get("limits", {}).items() if isinstance(v, int | float)],
        served=[(c["made"][:10], c["verdict"], c["agreement"]["value"], c["trained"])
                for c in checks],
        configuration=(dict(sorted(plan.config.items())) | {"base": base_name}).items(),
        model_spec=f"run:{run.name}{'@merged' if kind == 'merged' else ''}",
    )  # fmt: skip


def newest_scorecard(model: str, run: Path) -> dict[str, Any]:
    """Return the newest scorecard of a run about the model with this digest; {} for none."""
    cards = {path: json.loads(path.read_bytes()) for path in (run / "scorecards").glob("*.json")}
    own = [path for path, c in cards.items() if c["model_digest"] == model and "limit" not in c]
    newest = max(own, key=lambda path: time_key(path, cards[path].get("made")), default=None)
    return cards[newest] if newest else {}


def _cell_text(value: Any) -> str:
    """Return a value as it stands in a Markdown table: None and bools as JSON has them."""
    text = f"{value:,.6g}" if isinstance(value, float) else str(value)
    text = text.lower() if value is None or isinstance(value, bool) else text
    return " ".join(text.replace("|", "\\|").split())
