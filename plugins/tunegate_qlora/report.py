"""What a training says of itself before and after, and the figures that it leaves."""

from __future__ import annotations

from typing import Any

from . import packing, presets
from .config import Settings
from .curves import Curves
from .material import Material
from .methods import Parameters
from .progress import clock, losses, say

Figures = dict[str, float | int]


def announce(settings: Settings, rows: Material, parameters: Parameters) -> None:
    """Print what is going to be trained, on how many rows, and what the preset set."""
    for label, line in zip(("preset", "", ""), presets.told(settings), strict=False):
        say(line, label)
    aside = f", {rows.dropped:,} too long and set aside" if rows.dropped else ""
    held_out = f", {len(rows.validation):,} held out" if rows.validation else ""
    what = "dpo, {:,} pairs" if settings.objective == "dpo" else "{:,} rows"
    told = what.format(len(rows.train))
    say(f"{settings.method}, {told}{held_out}{aside}", "training")
    say(str(parameters))
    if settings.preset == "few" and len(rows.train) >= presets.FEW:
        say(f"preset few is meant for fewer than {presets.FEW} rows")


def padding(settings: Settings, rows: Material) -> Figures:
    """Print and return the share of padding among all tokens that an epoch computes."""
    tokens, share = packing.computed(rows.train, settings)
    packed = ": rows are packed" if settings.packing else ""
    say(f"padding {100 * share:.1f} % of {tokens:,} tokens an epoch{packed}")
    return {"computed_tokens_an_epoch": tokens, "padding": share}


def figures(
    curves: Curves, state: Any, rows: Material, parameters: Parameters, settings: Settings
) -> Figures:
    """Print how the training ended, and return its figures; they are no part of the model.

    `validation_loss` is that of the weights that are kept, `kept_epoch` the epoch they are of.
    """
    last, epochs = dict(curves.last), round(state.epoch)
    step = state.best_global_step or state.global_step
    kept = round(step * settings.epochs / state.max_steps)
    if state.best_global_step:
        last["validation_loss"] = state.best_metric
    found: Figures = {k: last[k] for k in ("train_loss", "validation_loss") if k in last}
    found |= {
        "seconds": round(last["seconds"], 2),
        "steps": state.global_step,
        "epochs": epochs,
        "kept_epoch": kept,
        "kept_step": step,
        "tokens": rows.tokens * epochs,
        "trained_tokens": sum(row.trained for row in rows.train) * epochs,
        "rows": len(rows.train),
        "trainable_parameters": parameters.trainable,
        "parameters": parameters.total,
    }
    told = f"{state.global_step:,} steps in {clock(last['seconds'])}: {losses(last)}"
    say(f"{epochs} epochs, {told}", "trained")
    if epochs < settings.epochs:
        say(
            f"stopped after epoch {epochs} of {settings.epochs}: the last {settings.patience} were "
            "no better"
        )
    if kept < epochs:
        say(f"kept epoch {kept}, the one with the best validation loss")
    return found


def gained(found: dict[str, float], rows: Material) -> Figures:
    """Print how many held-out pairs the model has come to see as they are; return the figures."""
    if "reward_accuracy" in found:
        share, margin = 100 * found["reward_accuracy"], found["reward_margin"]
        n = len(rows.validation)
        say(f"preferred {share:.1f} % of {n:,} held-out pairs, reward margin {margin:.3g}")
    return dict(found)


def proof(figures: Figures, rows: int) -> None:
    """Print that the model on disk is the one that was trained; of pairs, by both replies."""
    disk, base = figures["loss_from_disk"], figures["loss_of_base"]
    if "rejected_loss_of_base" not in figures:
        say(f"loss {disk:.3f} on {rows:,} rows, from disk as in memory; base {base:.3f}", "proof")
        return
    other, before = figures["rejected_loss_from_disk"], figures["rejected_loss_of_base"]
    say(f"loss {disk:.3f} of preferred, {other:.3f} of rejected replies, {rows:,} pairs,", "proof")
    say(f"from disk as in memory; base {base:.3f} and {before:.3f}")
