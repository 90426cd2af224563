"""Check by the loss curves of the candidate's run whether its training went on for too long.

The measures are Prechelt's (1998, *Early Stopping - But When?*, in: Neural Networks: Tricks of the
Trade): the generalisation loss, which is the validation loss over the lowest one so far, less 1,
and strips in which the validation loss keeps rising.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from tunegate.checking.decorator import check
from tunegate.results.finding import NOT_APPLICABLE, Finding

RISING_EPOCHS = 2  # in a row: Prechelt's UP_2
# Nats per token, or per pair (DPO). Near 0 a loss can double by chance: a token, or a preference,
# that gets 99 % of the probability instead of 100 % raises it by 0.01.
MIN_RISE = 0.01

Reading = Mapping[str, float]


class Epoch(NamedTuple):
    """A validation loss, and the mean training loss since the one before."""

    epoch: float
    validation: float
    train: float


@check(name="overfitting")
def find(
    curves: Sequence[Reading], *, most: float = 0.05, strip: int = RISING_EPOCHS
) -> Iterator[Finding]:
    """The training ended where its validation loss was lowest, or nearly so.

    "rising": the last `strip` validation losses each rose while the training loss fell: the model
    learns its rows by heart. "early stop": the last validation loss exceeds the lowest by more than
    the share `most` (Prechelt's GL; 0.05 is his GL_5): an earlier stop would have given a lower
    one. Differences below 0.01 nats are none. The gap between both losses is a hint.
    Where replies are free prose a model can still become better to read (Ouyang et al. 2022, 3.5):
    then measure that, and raise the limit. `curves`: the readings of a run's `curves.jsonl`, with
    `step`, `epoch` and `train_loss` or `validation_loss`; without any, there is nothing to judge.
    """
    if not (epochs := _losses_by_epoch(curves)):
        reason = "the candidate belongs to no run, or its trainer wrote no curves.jsonl"
        if curves:
            reason = "no validation loss was measured: train with a validation split"
        yield Finding.dataset_hint("no curve" if curves else NOT_APPLICABLE, reason)
        return
    last, best = epochs[-1], min(epochs, key=lambda e: e.validation)
    start, pairs = epochs[max(-strip - 1, -len(epochs))], [*pairwise(epochs)][-strip:]
    falls = all(later.train < earlier.train for earlier, later in pairs)
    rises = all(later.validation > earlier.validation for earlier, later in pairs)
    if rises and falls and len(epochs) > strip and last.validation - start.validation > MIN_RISE:
        rose = f"the validation loss rose from {start.validation:.3g} to {last.validation:.3g}"
        fell = f"the training loss fell from {start.train:.3g} to {last.train:.3g}"
        evidence = f"from epoch {start.epoch:g} to {last.epoch:g} {rose}, while {fell}"
        yield Finding.of_dataset("rising", evidence)
    is_more = last.validation > best.validation * (1 + most)
    if is_more and last.validation - best.validation > MIN_RISE:
        excess = 100 * (last.validation / best.validation - 1) if best.validation else inf
        lowest = f"validation loss {best.validation:.3g} after epoch {best.epoch:g}"
        end = f"{last.validation:.3g} at the end, {excess:.0f} % more"
        advice = f"stop after epoch {best.epoch:g}"
        yield Finding.of_dataset("early stop", f"{lowest}, {end}: {advice}")
    losses_text = f"validation loss {last.validation:.3g}, training loss {last.train:.3g}"
    gap = f"a gap of {last.validation - last.train:.3g} nats"
    yield Finding.dataset_hint("gap", f"{losses_text}: {gap}")
    if len(epochs) == 1:
        evidence = "one validation loss is no curve: train for two epochs or more"
        yield Finding.dataset_hint("one reading", evidence)


def _losses_by_epoch(curves: Sequence[Reading]) -> list[Epoch]:
    """Return each validation loss with the mean of the training losses since the one before."""
    epochs, losses = list[Epoch](), list[float]()
    for reading in sorted(curves, key=lambda r: (r.get("step", 0), "validation_loss" in r)):
        if "train_loss" in reading:
            losses.append(reading["train_loss"])
        if "validation_loss" in reading:
            train = sum(losses) / len(losses) if losses else float("nan")
            epoch = reading.get("epoch", len(epochs) + 1)
            epochs.append(Epoch(epoch, reading["validation_loss"], train))
            losses = []
    return epochs
