"""Rows in one sequence are learnt as they would be apart.

The attention here is `sdpa`, which keeps them apart in a model without special layers; that others
than flash attention are given padded rows, tests/plugins/qlora/test_preflight.py shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from trainings import adapter, losses

from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow
from tunegate_qlora.config import Decoding, Settings
from tunegate_qlora.data import batches
from tunegate_qlora.data.batches import computed_tokens
from tunegate_qlora.model.weights import load_base
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import loss

Planner = Callable[..., Plan]
EXACT = Decoding(quantisation="none", compute="float32")


@pytest.fixture(autouse=True)
def packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pack rows for `sdpa` too."""
    monkeypatch.setattr(Settings, "packed", property(lambda settings: settings.packing))


@pytest.fixture(scope="module")
def model(base: Path) -> Any:
    """The base in float32, every weight with a gradient."""
    return load_base(base, EXACT).requires_grad_(True)


@st.composite
def row(draw: st.DrawFn) -> EncodedRow:
    """Draw a row; its very first token may be a target, which no row before it may teach."""
    ids = draw(st.lists(st.integers(3, 200), min_size=2, max_size=12))
    learnt = draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    return EncodedRow(
        1, ids, [i if own else IGNORE_INDEX for i, own in zip(ids, learnt, strict=True)]
    )


def learnt(model: Any, batch: dict[str, Any]) -> tuple[float, torch.Tensor]:
    """Return a batch's summed loss and its gradient on the embeddings."""
    model.zero_grad()
    labels = batch.pop("labels")
    found = loss.summed_loss(model(**batch).logits, labels)
    found.backward()  # type: ignore[no-untyped-call]
    return float(found.detach()), model.get_input_embeddings().weight.grad.clone()


@limits(max_examples=30, deadline=None)
@given(rows=st.lists(row(), min_size=1, max_size=5), narrow=st.booleans())
def test_loss_and_gradient_are_those_of_padded_rows(
    model: Any, rows: list[EncodedRow], narrow: bool
) -> None:
    padded = learnt(model, batches.make_collator(0, narrow=narrow)(rows))
    packed = learnt(model, batches.make_packing_collator(narrow=narrow)(rows))
    torch.testing.assert_close(packed, padded, rtol=1e-4, atol=1e-4)


def test_rows_lie_end_to_end() -> None:
    rows = [EncodedRow(1, [3, 4, 5], [IGNORE_INDEX, 4, 5]), EncodedRow(2, [6, 7], [6, 7])]
    batch = batches.make_packing_collator(narrow=True)(rows)
    assert batch["input_ids"].tolist() == [[3, 4, 5, 6, 7]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["logits_to_keep"].tolist() == [0, 1, 3]
    assert batch["labels"].tolist() == [[IGNORE_INDEX, 4, 5, 7]]  # 6 would be learnt from row 1
    assert "attention_mask" not in batch  # with one, transformers does not look for packed rows
    assert not batch["use_cache"]  # nor with a cache


@limits(max_examples=15, deadline=None)
@given(rows=st.lists(row(), min_size=1, max_size=30), size=st.integers(1, 3))
def test_padding_is_counted_in_the_batches_that_are_trained_on(
    rows: list[EncodedRow], size: int
) -> None:
    rows = rows * 10  # several pools: what stands in a batch then depends on the seed
    settings = Settings(base="b", batch=size, seed=7)
    real = [
        batches.make_collator(0, narrow=True)([rows[i] for i in batch])["attention_mask"]
        for batch in batches.LengthGroupedSampler(rows, size, seed=7)
    ]
    tokens = sum(mask.numel() for mask in real)
    padding = sum(int((mask == 0).sum()) for mask in real) / tokens
    assert computed_tokens(rows, settings) == (tokens, pytest.approx(padding))
    own = sum(len(row.ids) for row in rows)
    assert computed_tokens(rows, settings.model_copy(update={"packing": True})) == (
        own,
        0.0,
    )


FRUGAL = {"gradient_checkpointing": True, "accumulation": 2}


def test_padding_is_that_of_the_seed_s_own_order() -> None:
    rows = [EncodedRow(1, [5] * (2 + i * i % 97), [5] * (2 + i * i % 97)) for i in range(300)]
    zero, seven = (computed_tokens(rows, Settings(base="b", batch=2, seed=s)) for s in (0, 7))
    assert zero != seven  # three pools: which rows share one is drawn


@pytest.mark.parametrize("said", [{}, pytest.param(FRUGAL, marks=pytest.mark.slow)])
def test_a_packed_training_takes_the_steps_of_a_padded_one(
    plan: Planner, folder: Path, capfd: pytest.CaptureFixture[str], said: dict[str, Any]
) -> None:
    exact = {"method": "lora", "compute": "float32", "dropout": 0.0, **said}
    other = folder.with_name("packed")
    other.mkdir()
    padded = QLoRATrainer().train(plan(**exact), folder).figures
    packed = QLoRATrainer().train(plan(**exact, packing=True), other).figures
    for one, two in zip(losses(folder), losses(other), strict=True):
        assert two == pytest.approx(one, rel=1e-3)
    assert 0 < float(padded["padding"]) < 0.2
    assert packed["padding"] == 0
    assert packed["computed_tokens_an_epoch"] == float(packed["tokens"]) / 2
    assert json.loads((other / "figures.json").read_text())["padding"] == 0
    out = capfd.readouterr().out
    assert f"          padding {100 * float(padded['padding']):.1f} % of 1," in out
    assert "          padding 0.0 % of 1,798 tokens an epoch: rows are packed\n" in out


@pytest.mark.slow
def test_a_packed_training_gives_the_same_bits_for_a_seed(plan: Planner, folder: Path) -> None:
    first = QLoRATrainer().train(plan(packing=True, epochs=1), folder)
    bits = adapter(folder)
    other = folder.with_name("again")
    other.mkdir()
    torch.manual_seed(99)
    assert QLoRATrainer().train(plan(packing=True, epochs=1), other).digest == first.digest
    assert adapter(other) == bits
