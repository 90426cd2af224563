"""Write the model card: what a model was made of, its figures, scores and limits of use."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunegate.interfaces.trainer import Plan
from tunegate.reporting.terminal import score_cells
from tunegate.storage.run import Run
from tunegate.storage.state_dir import StateDir
from tunegate.utils.atomic import atomic_write
from tunegate.utils.hashing import sha256_json
from tunegate.utils.masking import mask
from tunegate.utils.timestamps import time_key

from .data.training_data import TrainingJob, make_job
from .model import base, metadata
from .model.local_model import model_digest

MODEL_KINDS = {
    "adapter": "LoRA adapter",
    "model": "model, fine-tuned in full",
    "merged": "merged model",
}
LIMITS = """\
- The scores hold for rows like those of the test data, asked in the same words; what
  was never asked in a test was never measured.
- It answers with the base's own chat template, greedily, as the configuration says.
- Weights can hold what they were trained on: give them to nobody who may not read the
  training data.
- Whatever the base gets wrong beyond the task (facts, bias, safety), this may as well."""
Table = list[tuple[Any, ...]]


def write_card(folder: Path, job: TrainingJob) -> Path:
    """Write `README.md` into a model's folder; it is no part of the model's digest.

    The card holds no path of this machine, no row of the data and no key. Raises OSError.
    """
    # The digest that the model has when it is judged.
    decoding = metadata.read_metadata(folder).decoding
    if metadata.is_adapter(folder):
        kind, digest = "adapter", model_digest(job.base_folder, folder, decoding)
    else:
        kind = "model" if job.settings.method == "full" else "merged"
        digest = model_digest(folder, None, decoding)
    path, lines = folder / "README.md", map(mask, card_lines(kind, digest, job))
    atomic_write(path, "\n".join(lines).encode() + b"\n")
    return path


def rewrite_cards(plan: Plan, folder: Path) -> None:
    """Write the cards of a run's models anew: its own, and its checkpoints'.

    `folder` is that of the run. Raises OSError, ValueError where the base has changed or is not
    found, SealBroken where the run has.
    """
    run, job = Run(StateDir(plan.root), folder.name), make_job(plan, folder)
    run.verify()
    for checkpoint in ("", *run.record.get("checkpoints", {})):
        spec, _ = run.model_of(checkpoint)
        model_folder = plan.root / spec.removeprefix("folder:")
        if model_folder.is_dir():
            write_card(model_folder, job)


def card_lines(kind: str, model: str, job: TrainingJob) -> Iterator[str]:
    """Yield the card's lines; `kind` is a key of MODEL_KINDS, `model` the model's digest."""
    from huggingface_hub import ModelCardData

    plan, run = job.plan, job.folder
    base_name, licence = str(plan.config["base"]), base.licence_of(job.base_folder)
    if Path(base_name).expanduser().is_absolute():
        base_name = Path(base_name).name
    front_matter = ModelCardData(
        library_name="peft" if kind == "adapter" else "transformers",
        pipeline_tag="text-generation",
        license=licence or None,
    )
    yield from ("---", front_matter.to_yaml(), "---")
    yield f"# {MODEL_KINDS[kind]} on {base_name}, run {run.name}"
    yield "\nTrained with tunegate. Every digest is a sha256."
    figures_of_run = _read_object(run / "run.json").get("figures", {})
    if figures_of_run.get("word"):
        yield "\n**Trained elsewhere**: that it was trained on these data rests on somebody's word,"
        yield "which the run's `run.json` records."

    receipt = _read_object(run / "receipt.json")
    receipt.pop("seal", None)
    paths = {"train": plan.train, "validation": plan.validation, "test": plan.test}
    origin: Table = [(f"{split} data", path.stem) for split, path in paths.items() if path]
    origin += [
        ("base", plan.base_digest),
        ("receipt", sha256_json(receipt) if receipt else "none: not trained behind a gate"),
        ("configuration", sha256_json(dict(plan.config))),
        ("this model", model),
    ]
    yield from _section_lines("What it was made of", ("what", "digest"), origin)
    figures = list(_read_object(run / "figures.json").items())
    yield from _section_lines("Figures of the training", ("figure", "value"), figures)
    if kind == "merged":
        merge_figures = list(_read_object(run / "merge.json").items())
        yield from _section_lines("The merge", ("figure", "value"), merge_figures)
    yield from score_lines(kind, model, run)
    checks = _read_object(run / "run.json").get("served_checks", {}).values()
    served = [(c["made"][:10], c["verdict"], c["agreement"]["value"], c["trained"]) for c in checks]
    yield from _section_lines("Served", ("day", "verdict", "agreement", "beside"), served)
    settings = dict(sorted(plan.config.items())) | {"base": base_name}
    yield from _section_lines("Configuration", ("setting", "value"), list(settings.items()))
    yield f"\n## Limits of use\n\n{LIMITS}\n\n## Licence\n"
    stated = f"The base's is {licence}" if licence else "The base's folder does not state one"
    yield f"{stated}. It binds what is derived from the base; the data may add terms of its own."


def score_lines(kind: str, model: str, run: Path) -> Iterator[str]:
    """Yield the scores of the newest scorecard of a run about the model with this digest."""
    cards = {path: json.loads(path.read_bytes()) for path in (run / "scorecards").glob("*.json")}
    own = [path for path, c in cards.items() if c["model_digest"] == model and "limit" not in c]
    if not own:
        model_spec = f"run:{run.name}{'@merged' if kind == 'merged' else ''}"
        yield f"\n## Scores\n\nNever judged: `pytest suites/model --model {model_spec}`."
        return
    card = cards[max(own, key=lambda path: time_key(path, cards[path].get("made")))]
    scores = [*card["scores"], *card.get("missed", ())]  # of tests that passed, and that failed
    table: Table = [score_cells(s) for s in scores if s.get("value") is not None]
    yield from _section_lines("Scores", ("score", "value", "95 % interval", "limit", "n"), table)
    test = card["test"]
    yield f"\nOn test data {test['digest']} ({test['n']:,} rows)."
    yield f"The gate of the suite was {'open' if card['gate'] == 'open' else 'closed'}."


def _section_lines(title: str, head: tuple[str, ...], rows: Table) -> Iterator[str]:
    """Yield a heading and a Markdown table, or nothing where there are no rows."""
    if not rows:
        return
    yield f"\n## {title}\n"
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        texts = []
        for value in row:  # None and bools as JSON has them
            text = f"{value:,.6g}" if isinstance(value, float) else str(value)
            text = text.lower() if value is None or isinstance(value, bool) else text
            texts.append(" ".join(text.replace("|", "\\|").split()))
        yield f"| {' | '.join(texts)} |"


def _read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; empty where the file is missing or cannot be read."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
