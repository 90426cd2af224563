"""Loss curves: what rises while it should fall is found, and noise near zero is not."""

from __future__ import annotations

import pytest

from tunegate_checks.model import overfitting


def curves(validation: list[float], train: list[float]) -> list[dict[str, float]]:
    """Return readings as the QLoRA trainer writes them: ten steps an epoch."""
    lines: list[dict[str, float]] = []
    for epoch, (held, loss) in enumerate(zip(validation, train, strict=True), start=1):
        place = {"step": 10 * epoch, "epoch": float(epoch), "seconds": 1.0 * epoch}
        for step in (5, 10):
            lines.append({**place, "step": 10 * epoch - 10 + step, "train_loss": loss})
        lines.append({**place, "validation_loss": held})
    return lines


@pytest.mark.parametrize(
    ("validation", "train", "kinds"),
    [
        ([1.0, 0.6, 0.5], [1.2, 0.7, 0.5], set()),
        ([0.6, 0.7, 0.9], [1.2, 0.7, 0.1], {"rising", "early stop"}),
        ([0.6, 0.7, 0.9], [0.7, 0.8, 0.9], {"early stop"}),  # it comes apart: both rise
        ([0.6, 0.5, 0.54], [1.2, 0.7, 0.5], {"early stop"}),  # 8 % over the lowest
        ([0.6, 0.5, 0.52], [1.2, 0.7, 0.5], set()),  # 4 %
        ([0.004, 0.006, 0.009], [0.5, 0.1, 0.001], set()),  # noise: below 0.01 nats
        ([0.9], [1.0], set()),
    ],
)
def test_when_it_should_have_stopped(
    validation: list[float], train: list[float], kinds: set[str]
) -> None:
    assert set(overfitting.find(curves(validation, train)).kinds) == kinds


def test_it_says_where_to_stop() -> None:
    found = overfitting.find(curves([0.6, 0.5, 0.9], [1.2, 0.7, 0.1]))
    assert [f.evidence for f in found] == [
        "validation loss 0.5 after epoch 2, 0.9 at the end, 80 % more: stop after epoch 2"
    ]
    assert found.hints[0].evidence.endswith("a gap of 0.8 nats")


def test_a_longer_strip_waits_longer() -> None:
    rising = curves([0.50, 0.51, 0.52], [1.2, 0.7, 0.1])
    assert overfitting.find(rising, most=0.5).kinds == {"rising": 1}
    assert not overfitting.find(rising, most=0.5, strip=3)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "belongs to no run"),
        ([{"step": 1, "train_loss": 0.3}], "train with a validation split"),
        (curves([0.9], [1.0]), "train for two epochs"),
    ],
)
def test_nothing_to_judge_is_a_hint(lines: list[dict[str, float]], said: str) -> None:
    found = overfitting.find(lines)
    assert not found
    assert said in " ".join(f.evidence for f in found.hints)


def test_readings_of_other_trainers_need_no_epoch() -> None:
    lines = [{"validation_loss": loss, "step": i} for i, loss in enumerate([0.5, 0.9])]
    (found,) = overfitting.find(lines)
    assert (found.kind, found.evidence[-18:]) == ("early stop", "stop after epoch 1")
