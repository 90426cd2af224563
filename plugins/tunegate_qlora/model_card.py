"""The model card: what a model was made of, what it scored, and what it is not good for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunegate.interfaces.trainer import Plan
from tunegate.reporting.terminal import score_cells
from tunegate.utils.atomic import atomic_write
from tunegate.utils.hashing import sha256_json
from tunegate.utils.timestamps import time_key

from .model import adapter
from .model import base as licence
from .model import metadata as notes
from .model.local_model import model_digest

MODEL_KINDS = {
    "adapter": "LoRA adapter",
    "model": "model, fine-tuned in full",
    "merged": "merged model",
}
Table = list[tuple[Any, ...]]


def write_card(folder: Path, plan: Plan, run: Path, root: Path) -> Path:
    """Write `README.md` into a model's folder; it is no part of the model's digest.

    `run` is the run's folder, `root` that of the base. No path of this machine and no row of the
    data stands in it. Raises OSError.
    """
    full_kind = "model" if plan.config.get("method") == "full" else "merged"
    kind = "adapter" if adapter.is_adapter(folder) else full_kind
    text = "\n".join(card_lines(kind, _model_digest(folder, root), plan, run, root))
    path = folder / "README.md"
    atomic_write(path, text.encode() + b"\n")
    return path


def card_lines(kind: str, model: str, plan: Plan, run: Path, root: Path) -> Iterator[str]:
    """Yield the card's lines; `kind` is a key of NAMES, `model` the model's digest."""
    base, licence_name = _base_name(str(plan.config["base"])), licence.licence_of(root)
    yield from _front_matter(kind, licence_name)
    yield f"# {MODEL_KINDS[kind]} on {base}, run {run.name}"
    yield "\nTrained with tunegate. Every digest is a sha256."
    if _was_trained_elsewhere(run):
        yield "\n**Trained elsewhere**: that it was trained on these data rests on somebody's word,"
        yield "which the run's `run.json` records."
    yield from _chain_lines(model, plan, run)
    yield from _section_lines(
        "Figures of the training", ("figure", "value"), _read_table(run, "figures.json")
    )
    if kind == "merged":
        yield from _section_lines("The merge", ("figure", "value"), _read_table(run, "merge.json"))
    yield from _score_lines(kind, model, run)
    settings = dict(sorted(plan.config.items())) | {"base": base}
    yield from _section_lines("Configuration", ("setting", "value"), list(settings.items()))
    yield "\n## Limits of use\n"
    yield from _limit_lines()
    yield "\n## Licence\n"
    stated = (
        f"The base's is {licence_name}" if licence_name else "The base's folder does not state one"
    )
    yield f"{stated}. It binds what is derived from the base; the data may add terms of its own."


def _front_matter(kind: str, licence_name: str) -> Iterator[str]:
    library = "peft" if kind == "adapter" else "transformers"
    yield from ("---", f"library_name: {library}", "pipeline_tag: text-generation")
    if licence_name:
        yield f"license: {licence_name}"
    yield "---"


def _model_digest(folder: Path, root: Path) -> str:
    """Return the digest that the model has when it is judged."""
    decoding = notes.read_metadata(folder).decoding
    if adapter.is_adapter(folder):
        return model_digest(root, folder, decoding)
    return model_digest(folder, None, decoding)


def _chain_lines(model: str, plan: Plan, run: Path) -> Iterator[str]:
    try:
        sealed_receipt = json.loads((run / "receipt.json").read_bytes())
        receipt = sha256_json({k: v for k, v in sealed_receipt.items() if k != "seal"})
    except (OSError, ValueError):
        receipt = "none: not trained behind a gate"
    paths = {"train": plan.train, "validation": plan.validation, "test": plan.test}
    rows = [(f"{split} data", path.stem) for split, path in paths.items() if path]
    chain = [*rows, ("base", plan.base_digest), ("receipt", receipt)]
    chain += [("configuration", sha256_json(dict(plan.config))), ("this model", model)]
    yield from _section_lines("What it was made of", ("what", "digest"), chain)


def _was_trained_elsewhere(run: Path) -> bool:
    try:
        return bool(json.loads((run / "run.json").read_bytes())["figures"].get("word"))
    except (OSError, ValueError, KeyError):
        return False


def _read_table(run: Path, name: str) -> Table:
    try:
        return list(json.loads((run / name).read_bytes()).items())
    except (OSError, ValueError):
        return []


def _score_lines(kind: str, model: str, run: Path) -> Iterator[str]:
    """Yield the scores of the newest scorecard that is about this very model."""
    cards = {path: json.loads(path.read_bytes()) for path in (run / "scorecards").glob("*.json")}
    own = [path for path, card in cards.items() if card["model_digest"] == model]
    newest = max(own, key=lambda path: time_key(path, cards[path].get("made")), default=None)
    card = cards[newest] if newest else None
    if card is None:
        model_spec = f"run:{run.name}{'@merged' if kind == 'merged' else ''}"
        yield f"\n## Scores\n\nNever judged: `pytest suites/model --model {model_spec}`."
        return
    scores = [*card["scores"], *card.get("missed", ())]  # of tests that passed, and that failed
    table: Table = [score_cells(s) for s in scores if s.get("value") is not None]
    yield from _section_lines("Scores", ("score", "value", "95 % interval", "limit", "n"), table)
    test = card["test"]
    yield f"\nOn test data {test['digest']} ({test['n']:,} rows)."
    yield f"The gate of the suite was {'open' if card['gate'] == 'open' else 'closed'}."


def _section_lines(title: str, head: tuple[str, ...], rows: Table) -> Iterator[str]:
    if rows:
        yield f"\n## {title}\n"
        yield f"| {' | '.join(head)} |"
        yield f"|{' --- |' * len(head)}"
        yield from (f"| {' | '.join(_cell(value) for value in row)} |" for row in rows)


def _cell(value: Any) -> str:
    plain = value is None or isinstance(value, bool)
    text = f"{value:,.6g}" if isinstance(value, float) else str(value)
    text = text.lower() if plain else text
    return " ".join(text.replace("|", "\\|").split())


def _limit_lines() -> Iterator[str]:
    yield "- The scores hold for rows like those of the test data, asked in the same words; what"
    yield "  was never asked in a test was never measured."
    yield "- It answers with the base's own chat template, greedily, as the configuration says."
    yield "- Weights can hold what they were trained on: give them to nobody who may not read the"
    yield "  training data."
    yield "- Whatever the base gets wrong beyond the task (facts, bias, safety), this may as well."


def _base_name(base: str) -> str:
    """Return a base's name without the place where it lies on this machine."""
    return Path(base).name if Path(base).expanduser().is_absolute() else base
