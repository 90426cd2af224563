"""The loss of DPO: against a reference in plain Python, its laws, and TRL's own."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_llama import preference

from tunegate.data.dataset import Dataset
from tunegate.tokenization.encode import IGNORE_INDEX
from tunegate_qlora.config import BETA, Settings
from tunegate_qlora.data import batches
from tunegate_qlora.data.training_data import EncodedPair, encode_pair
from tunegate_qlora.model.weights import load_base
from tunegate_qlora.runtime import process_group
from tunegate_qlora.training import loss as dpo

LETTERS = 7
Replies = tuple[list[int], list[int]]
replies = st.lists(st.integers(0, LETTERS - 1), min_size=1, max_size=5)
both = st.tuples(replies, replies)
betas = st.floats(0.01, 2.0)


def targets(pairs: list[Replies]) -> torch.Tensor:
    """Return the targets of pairs, with a prompt of two tokens: preferred first, then rejected."""
    rows = [p for p, _ in pairs] + [r for _, r in pairs]
    width = max(map(len, rows))
    return torch.tensor([[IGNORE_INDEX] * 2 + r + [IGNORE_INDEX] * (width - len(r)) for r in rows])


def plain(logits: torch.Tensor, wanted: torch.Tensor) -> list[float]:
    """Return log p(preferred) - log p(rejected), token by token in float64."""
    sums = []
    for places, row in zip(logits.double().tolist(), wanted.tolist(), strict=True):
        told = 0.0
        for scores, token in zip(places, row[1:], strict=False):
            if token != IGNORE_INDEX:
                told += scores[token] - math.log(sum(math.exp(s) for s in scores))
        sums.append(told)
    half = len(sums) // 2
    return [p - r for p, r in zip(sums[:half], sums[half:], strict=True)]


def scores(wanted: torch.Tensor, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(*wanted.shape, LETTERS, generator=draw)


@given(st.lists(both, min_size=1, max_size=4), st.integers(0, 99), betas)
def test_the_loss_is_equation_7(pairs: list[Replies], seed: int, beta: float) -> None:
    wanted = targets(pairs)
    model, base = scores(wanted, seed), scores(wanted, seed + 1)
    gained = dpo.log_margins(model, wanted) - dpo.log_margins(base, wanted)
    expected = [m - b for m, b in zip(plain(model, wanted), plain(base, wanted), strict=True)]
    assert gained.tolist() == pytest.approx(expected, abs=1e-3)
    told = [math.log(1 + math.exp(-beta * gain)) for gain in expected]
    assert dpo.dpo_losses(gained, beta).tolist() == pytest.approx(told, abs=1e-3)


@given(st.lists(both, min_size=1, max_size=4), st.integers(0, 99))
def test_who_prefers_the_other_way_round_sees_the_margin_s_negative(
    pairs: list[Replies], seed: int
) -> None:
    wanted = targets(pairs)
    logits, half = scores(wanted, seed), len(pairs)
    swapped = [torch.cat([t[half:], t[:half]]) for t in (logits, wanted)]
    assert torch.equal(dpo.log_margins(*swapped), -dpo.log_margins(logits, wanted))


@given(both, st.integers(0, 99), betas)
def test_the_gradient_lifts_what_is_preferred_and_sinks_the_rest(
    replies: Replies, seed: int, beta: float
) -> None:
    wanted = targets([replies])
    logits = scores(wanted, seed).requires_grad_()
    reference = dpo.log_margins(logits, wanted).detach()
    loss = dpo.dpo_losses(dpo.log_margins(logits, wanted) - reference, beta)
    assert loss.item() == pytest.approx(math.log(2))  # nothing is gained yet
    (slope,) = torch.autograd.grad(loss.sum(), logits)
    for side, sign in ((0, -1), (1, 1)):
        for place, token in enumerate(replies[side]):
            assert sign * slope[side, place + 1, token] >= 0
    assert not slope[:, 0].any()  # the prompt's


def pairs_of(template: Any, n: int = 4) -> list[EncodedPair]:
    return [encode_pair(e, template) for e in Dataset.of([preference(i) for i in range(n)])]


def test_uneven_passes_of_a_step_weigh_each_pair_alike(template: Any) -> None:
    found = [
        EncodedPair(p.preferred, p.rejected, 0.5 * i) for i, p in enumerate(pairs_of(template, 5))
    ]
    collate = dpo.make_pair_collator(batches.make_collator(template.pad_id, narrow=True))
    passes = [collate(found[:4]), collate(found[4:])]
    counts = [
        int(b["labels"][:, 1:].ne(IGNORE_INDEX).sum()) for b in passes
    ]  # as the Trainer counts
    assert counts == [4, 1]
    assert [b["reference"].tolist() for b in passes] == [[0.0, 0.5, 1.0, 1.5], [2.0]]


def test_the_passes_of_a_step_add_up_to_its_loss(base: Path, template: Any) -> None:
    settings = Settings(base="base", objective="dpo", beta=0.3, batch=4)
    rows = batches.make_collator(template.pad_id, narrow=True)
    model = load_base(base, settings)
    preferences = dpo.DPOObjective(model, pairs_of(template, 5), [], settings, rows)
    found = [replace(p, reference=2.0 * i) for i, p in enumerate(preferences.train)]
    step, *passes = (preferences.collate(part) for part in (found, found[:4], found[4:]))

    def loss(batch: Any, pairs: int | None) -> float:
        handed = {k: v for k, v in batch.items() if k not in dpo.LOSS_KEYS}
        return preferences.loss(model(**handed), batch, pairs).item()

    assert sum(loss(batch, 5) for batch in passes) == pytest.approx(loss(step, None), rel=1e-2)
    assert loss(passes[0], 5) == pytest.approx(0.8 * loss(passes[0], None))
    bare = [replace(pair, reference=0.0) for pair in found]
    assert loss(step, None) > loss(preferences.collate(bare), None) + 0.1  # it counts


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_reference_of_a_pair_is_its_margin_now_in_each_process(
    base: Path, template: Any, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """Each process adds what it computed: together that is every pair, once."""
    settings = Settings(base="base", objective="dpo", batch=2)
    rows = batches.make_collator(template.pad_id, narrow=True)
    model, found = load_base(base, settings), pairs_of(template, 5)[::-1]
    collate, shares = dpo.make_pair_collator(rows), []
    monkeypatch.setattr(process_group, "world_size", lambda: processes)
    for rank in range(processes):
        monkeypatch.setattr(process_group, "rank", lambda rank=rank: rank)
        preferences = dpo.DPOObjective(model, found, [], settings, rows)
        shares.append([pair.reference for pair in preferences.train])
    assert processes == 1 or any(0.0 in share for share in shares)
    for pair, told in zip(found, map(sum, zip(*shares, strict=True)), strict=True):
        batch = collate([pair])
        with torch.no_grad():
            inputs = {k: v for k, v in batch.items() if k not in dpo.LOSS_KEYS}
            (margin,) = dpo.log_margins(model(**inputs).logits, batch["targets"]).tolist()
        assert told == pytest.approx(margin, rel=0.02, abs=0.05)
        assert abs(margin) > 0.1


@pytest.mark.parametrize("training", [True, False])
def test_the_rewards_are_those_of_the_gains_on_the_held_out_pairs(
    base: Path, template: Any, training: bool
) -> None:
    settings = Settings(base="base", objective="dpo", beta=0.3, batch=2)
    rows = batches.make_collator(template.pad_id, narrow=True)
    model = load_base(base, settings).train(training)
    modes: list[bool] = []
    model.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    preferences = dpo.DPOObjective(model, [], pairs_of(template, 5), settings, rows)
    assert preferences.validate() == pytest.approx(math.log(2))
    assert preferences.figures()["reward_margin"] == pytest.approx(0)
    gains = [1.0, -0.5, 2.0, -0.25, 0.75]
    preferences.held_out = [
        replace(pair, reference=pair.reference - gain)
        for pair, gain in zip(preferences.held_out, gains, strict=True)
    ]
    figures = preferences.figures()
    assert figures["reward_accuracy"] == pytest.approx(3 / 5)
    assert figures["reward_margin"] == pytest.approx(0.3 * sum(gains) / 5, abs=1e-4)
    losses = [math.log(1 + math.exp(-0.3 * gain)) for gain in gains]
    assert preferences.validate() == pytest.approx(sum(losses) / 5, abs=1e-4)
    assert model.training is training
    assert modes
    assert not any(modes)  # without dropout


def test_without_held_out_pairs_there_are_no_rewards(base: Path, template: Any) -> None:
    settings = Settings(base="base", objective="dpo")
    rows = batches.make_collator(template.pad_id, narrow=True)
    preferences = dpo.DPOObjective(load_base(base, settings), [], [], settings, rows)
    assert (preferences.figures(), preferences.train, preferences.beta) == ({}, [], BETA)


@pytest.mark.parametrize(("times", "factor"), [(0.5, 10), (1, 10), (3, 30)])
def test_divergence_grows_with_beta_above_the_usual(times: float, factor: float) -> None:
    assert dpo.dpo_divergence_factor(times * BETA) == pytest.approx(factor)


def test_it_is_trl_s_loss(base: Path, template: Any, tmp_path: Path) -> None:
    trl: Any = pytest.importorskip("trl")
    datasets: Any = pytest.importorskip("datasets")
    from transformers import AutoModelForCausalLM

    reference, model = (AutoModelForCausalLM.from_pretrained(base) for _ in range(2))
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn_like(weight)
    rows = [{"prompt": "a", "chosen": "b", "rejected": "c"}]
    trainer = trl.DPOTrainer(
        model=model,
        ref_model=reference,
        args=trl.DPOConfig(str(tmp_path), beta=0.3, use_cpu=True, bf16=False, report_to="none"),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=template.tokenizer,
    )
    batch = dpo.make_pair_collator(batches.make_collator(template.pad_id, narrow=False))(
        pairs_of(template)
    )
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    theirs = trainer.compute_loss(
        model.eval(), inputs | {"completion_mask": (batch["targets"] != IGNORE_INDEX).long()}
    )
    logits, before = model(**inputs).logits, reference.eval()(**inputs).logits
    gained = dpo.log_margins(logits, batch["targets"]) - dpo.log_margins(before, batch["targets"])
    ours = dpo.dpo_losses(gained, 0.3).mean()
    assert abs(ours.item() - math.log(2)) > 0.01
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)
