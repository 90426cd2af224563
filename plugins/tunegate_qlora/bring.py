"""A model that was trained elsewhere, brought into its run: what can be proved, and what cannot."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tunegate import extensions, train
from tunegate.protocols import Trained
from tunegate.registry import who
from tunegate.runs import Run
from tunegate.settings import settle

from . import adapter, base, card, exported, full, material, methods, prove, rendering, template
from .config import Objective, Settings
from .exported import CONFIG, Export
from .folders import appearing
from .foreign import Foreign
from .note import Note
from .quantise import load

LEARNT = "that it learnt the training rows"


class Refused(ValueError):
    """What was found is not the run's model; the message says why."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it: what was held against what, and what rests on somebody's word."""

    proved: list[str]
    unproved: list[str]

    def add(self, losses: Losses, objective: Objective) -> None:
        """Sort in what its loss says: whoever learnt these rows has a lower one than the base."""
        lower = losses.loss < losses.loss_of_base
        loss = "loss on preferred less that on rejected replies" if objective == "dpo" else "loss"
        told = f"its {loss} on {losses.rows} of them is {losses.loss:.3f}, the base's "
        where = self.proved if lower else self.unproved
        what = "it does better on the training rows than its base" if lower else LEARNT
        where.append(f"{what}: {told}{losses.loss_of_base:.3f}")


@dataclass(frozen=True, slots=True)
class Losses:
    """Nats per learnt token, on so many training rows; of pairs, preferred less rejected."""

    rows: int
    loss: float
    loss_of_base: float


def bring(folder: Path, run: Run, *, same_base: bool = False) -> Brought:
    """Copy the model of a folder into its run, and finish the run with it.

    Raises Refused where it cannot be the run's, SealBroken where no gate opened for the run,
    ModelUnknown where the base cannot be asked, OSError.
    """
    run.verify()
    settings = settle(Settings, run.plan.config)
    root = base.locate(settings.base, run.state.root)
    if base.digest(root) != run.plan.base_digest:
        raise Refused(f"the base in {root} has changed since the gate opened for this run")
    told = exported.of(run)
    foreign = Foreign(folder, settings, root, told)
    if faults := list(foreign.faults(same_base)):
        raise Refused("; ".join(faults))
    brought = _weighed(folder, run, told, same_base)
    _finish(run, foreign, brought)
    return brought


def _finish(run: Run, foreign: Foreign, brought: Brought) -> None:
    place = run.folder / methods.place(foreign.settings)
    added = extensions.load(Path(p) for p in run.intent["plugins"])
    before = train.measured(run, added)
    _clear(run.folder)
    _copy(foreign, place)
    try:
        losses = _losses(run, foreign.settings, foreign.root, place)
        brought.add(losses, foreign.settings.objective)
        made = Trained(f"folder:{place.name}", "", {**_figures(brought), **asdict(losses)})
        train.conclude(run, added, made, before)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)  # without a record it would pass for our own
        raise
    card.write(place, run.plan, run.folder, foreign.root)


def _weighed(folder: Path, run: Run, told: Export, same_base: bool) -> Brought:
    """Sort what the folder shows from what whoever imports it says."""
    proved = [
        "a gate opened for this run, on these bytes",
        "the model has the shape of the run's base",
    ]
    unproved = ["that it was trained on these bytes, and no others"]
    if same_base:
        unproved.append("that its base was the run's")
    found = exported.read(folder)
    if found is None:
        unproved.append(f"that the data came from an export: there is no {exported.NAME} beside it")
        return Brought(proved, unproved)
    place, theirs = found
    for key in ("run", "base_digest", "data"):  # its receipt may be newer: the gate opened again
        ours, other = getattr(told, key), getattr(theirs, key)
        if ours != other:
            raise Refused(f"{place / exported.NAME}: {key} is {other}, the run's is {ours}")
    if other := exported.other_rows(run, place):
        raise Refused(f"{place}: {', '.join(other)} changed since the export: export it again")
    proved.append("the exported rows beside it are those that the gate opened for")
    if CONFIG in theirs.changed(place):
        unproved.append(f"its settings: {CONFIG} was changed since the export")
    return Brought(proved, unproved)


def _figures(brought: Brought) -> dict[str, str]:
    """Return what `run.json` says of it: `word` goes into each scorecard and promotion too."""
    return {
        "trained": "elsewhere",
        "word": f"trained elsewhere; on the word of {who()}: {'; '.join(brought.unproved)}",
        "proved": "; ".join(brought.proved),
        "imported": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _losses(run: Run, settings: Settings, root: Path, place: Path) -> Losses:
    """Put training rows to what was copied, and to its base."""
    rows = replace(material.read(run.plan, settings, root), validation=[])
    loss = prove.measure(methods.reopened(place, root, settings), rows, settings)
    base = prove.measure(load(root, settings.decoding), rows, settings)
    return Losses(len(prove.sample(rows)), _learnt(loss), _learnt(base))


def _learnt(losses: prove.Losses) -> float:
    """Return what learning makes smaller; with pairs it is how far the two replies are apart."""
    return losses["loss"] - losses.get("rejected_loss", 0.0)


def _clear(folder: Path) -> None:
    """Remove what a training that was begun here left: it says nothing of the model brought in."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    shutil.rmtree(folder / "best", ignore_errors=True)
    for name in ("curves.jsonl", "figures.json"):
        (folder / name).unlink(missing_ok=True)


def _copy(foreign: Foreign, place: Path) -> None:
    """Copy the model's files, and nothing else: whole or not at all, over what was half done."""
    settings, root = foreign.settings, foreign.root
    text, made = rendering.text(root), rendering.rendered(template.load(root))
    note = Note(settings.base, base.digest(root), settings.decoding, text, made)
    shutil.rmtree(place, ignore_errors=True)
    with appearing(place) as draft:
        for path in foreign.files:
            shutil.copyfile(path, draft / path.name)
        if settings.method == "full":
            full.complete(draft, root, note)
        else:
            adapter.complete(draft, note)
