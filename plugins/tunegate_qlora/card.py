"""The model card: what a model was made of, what it scored, and what it is not good for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunegate.files import age, write_whole
from tunegate.protocols import Plan
from tunegate.render import score_line
from tunegate.sealed import digest_of

from . import adapter, licence
from . import note as notes
from .model import digest

NAMES = {"adapter": "LoRA adapter", "model": "model, fine-tuned in full", "merged": "merged model"}
Table = list[tuple[Any, ...]]


def write(folder: Path, plan: Plan, run: Path, root: Path) -> Path:
    """Write `README.md` into a model's folder; it is no part of the model's digest.

    `run` is the run's folder, `root` that of the base. No path of this machine and no row of the
    data stands in it. Raises OSError.
    """
    whole = "model" if plan.config.get("method") == "full" else "merged"
    kind = "adapter" if adapter.is_adapter(folder) else whole
    text = "\n".join(lines(kind, _digest(folder, root), plan, run, root))
    path = folder / "README.md"
    write_whole(path, text.encode() + b"\n")
    return path


def lines(kind: str, model: str, plan: Plan, run: Path, root: Path) -> Iterator[str]:
    """Yield the card's lines; `kind` is a key of NAMES, `model` the model's digest."""
    base, terms = _name(str(plan.config["base"])), licence.of(root)
    yield from _front(kind, terms)
    yield f"# {NAMES[kind]} on {base}, run {run.name}"
    yield "\nTrained with tunegate. Every digest is a sha256."
    if _elsewhere(run):
        yield "\n**Trained elsewhere**: that it was trained on these data rests on somebody's word,"
        yield "which the run's `run.json` records."
    yield from _chain(model, plan, run)
    yield from _section("Figures of the training", ("figure", "value"), _read(run, "figures.json"))
    if kind == "merged":
        yield from _section("The merge", ("figure", "value"), _read(run, "merge.json"))
    yield from _scores(kind, model, run)
    settings = dict(sorted(plan.config.items())) | {"base": base}
    yield from _section("Configuration", ("setting", "value"), list(settings.items()))
    yield "\n## Limits of use\n"
    yield from _limits()
    yield "\n## Licence\n"
    stated = f"The base's is {terms}" if terms else "The base's folder does not state one"
    yield f"{stated}. It binds what is derived from the base; the data may add terms of its own."


def _front(kind: str, terms: str) -> Iterator[str]:
    library = "peft" if kind == "adapter" else "transformers"
    yield from ("---", f"library_name: {library}", "pipeline_tag: text-generation")
    if terms:
        yield f"license: {terms}"
    yield "---"


def _digest(folder: Path, root: Path) -> str:
    """Return the digest that the model has when it is judged."""
    decoding = notes.read(folder).decoding
    if adapter.is_adapter(folder):
        return digest(root, folder, decoding)
    return digest(folder, None, decoding)


def _chain(model: str, plan: Plan, run: Path) -> Iterator[str]:
    try:
        told = json.loads((run / "receipt.json").read_bytes())
        receipt = digest_of({k: v for k, v in told.items() if k != "seal"})
    except (OSError, ValueError):
        receipt = "none: not trained behind a gate"
    paths = {"train": plan.train, "validation": plan.validation, "test": plan.test}
    rows = [(f"{split} data", path.stem) for split, path in paths.items() if path]
    chain = [*rows, ("base", plan.base_digest), ("receipt", receipt)]
    chain += [("configuration", digest_of(dict(plan.config))), ("this model", model)]
    yield from _section("What it was made of", ("what", "digest"), chain)


def _elsewhere(run: Path) -> bool:
    try:
        return bool(json.loads((run / "run.json").read_bytes())["figures"].get("word"))
    except (OSError, ValueError, KeyError):
        return False


def _read(run: Path, name: str) -> Table:
    try:
        return list(json.loads((run / name).read_bytes()).items())
    except (OSError, ValueError):
        return []


def _scores(kind: str, model: str, run: Path) -> Iterator[str]:
    """Yield the scores of the newest scorecard that is about this very model."""
    cards = {path: json.loads(path.read_bytes()) for path in (run / "scorecards").glob("*.json")}
    own = [path for path, card in cards.items() if card["model_digest"] == model]
    newest = max(own, key=lambda path: age(path, cards[path].get("made")), default=None)
    card = cards[newest] if newest else None
    if card is None:
        which = f"run:{run.name}{'@merged' if kind == 'merged' else ''}"
        yield f"\n## Scores\n\nNever judged: `pytest suites/model --model {which}`."
        return
    scores = [*card["scores"], *card.get("missed", ())]  # of tests that passed, and that failed
    table: Table = [score_line(s) for s in scores if s.get("value") is not None]
    yield from _section("Scores", ("score", "value", "95 % interval", "limit", "n"), table)
    test = card["test"]
    yield f"\nOn test data {test['digest']} ({test['n']:,} rows)."
    yield f"The gate of the suite was {'open' if card['gate'] == 'open' else 'closed'}."


def _section(title: str, head: tuple[str, ...], rows: Table) -> Iterator[str]:
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


def _limits() -> Iterator[str]:
    yield "- The scores hold for rows like those of the test data, asked in the same words; what"
    yield "  was never asked in a test was never measured."
    yield "- It answers with the base's own chat template, greedily, as the configuration says."
    yield "- Weights can hold what they were trained on: give them to nobody who may not read the"
    yield "  training data."
    yield "- Whatever the base gets wrong beyond the task (facts, bias, safety), this may as well."


def _name(base: str) -> str:
    """Return a base's name without the place where it lies on this machine."""
    return Path(base).name if Path(base).expanduser().is_absolute() else base
