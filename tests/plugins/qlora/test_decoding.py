"""Decoding is not training: it is no part of a run's id, and a run's model may answer otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_llama import ticket

from tunegate.interfaces.model import Answer, Request
from tunegate.interfaces.trainer import Plan
from tunegate.storage.state_dir import run_id
from tunegate.tokenization.encode import EncodedRow
from tunegate_qlora import preflight
from tunegate_qlora.config import Decoding, Settings
from tunegate_qlora.model.generate import Generator, Prompt
from tunegate_qlora.model.local_model import LocalModel, model_digest, open_folder
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]


def planned(plan: Planner, **said: Any) -> Plan:
    """Return a plan as the data gate makes it."""
    made, trainer = plan(**said), QLoRATrainer
    same = [key for key, value in trainer.neutral.items() if made.config[key] == value]
    return replace(made, incidental=[*trainer.incidental, *same], decoding=trainer.decoding)


def test_the_id_is_that_of_the_default_length(plan: Planner) -> None:
    first, second = planned(plan), planned(plan, max_new_tokens=4)
    assert run_id(first) == run_id(second) == run_id(replace(first, decoding={}))  # as before
    assert run_id(replace(second, decoding={})) != run_id(second)  # the id of an older run
    others = ({"generation_batch": 4}, {"report_to": ["wandb"]}, {"optimiser": "adamw_8bit"})
    ids = [run_id(planned(plan, **said)) for said in others]
    assert ids[:2] == [run_id(first)] * 2
    assert ids[2] != run_id(first)


def test_the_size_of_a_batch_is_in_the_digest(base: Path, project: Path) -> None:
    assert model_digest(base, None, Decoding(), project) != model_digest(
        base, None, Decoding(generation_batch=4), project
    )
    model: Any = open_folder("base?generation_batch=4", project)
    assert isinstance(model, LocalModel)
    assert model.decoding.generation_batch == 4


def test_a_full_memory_halves_the_batch(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, sizes = Generator(base, None, Decoding(generation_batch=8)), list[int]()

    def answer(prompts: Sequence[Prompt]) -> Iterator[Answer]:
        sizes.append(len(prompts))
        if len(prompts) > 3:
            raise torch.OutOfMemoryError
        return iter(Answer(prompt.request.row, "x") for prompt in prompts)

    monkeypatch.setattr(generator, "answer_batch", answer)
    asked = [Request(i, ticket(i)["messages"][:-1]) for i in range(7)]
    assert sorted(a.row for a in generator.answers(asked)) == [*range(7)]
    assert sizes == [7, 4, 2, 2, 2, 1]
    monkeypatch.setattr(generator, "size", 1)
    monkeypatch.setattr(generator, "answer_batch", lambda _: answer([*range(4)]))  # type: ignore[list-item]
    with pytest.raises(torch.OutOfMemoryError):
        list(generator.answers(asked))


def test_replies_that_would_be_cut_are_pointed_out(
    plan: Planner, capsys: pytest.CaptureFixture[str]
) -> None:
    row = EncodedRow(1, [*range(9)], [-100, 1, 2, -100, 3, 4, 5, -100, -100])
    assert row.longest_reply == 3
    preflight.note_cut_replies([row], Settings(base="b", max_new_tokens=3))
    assert capsys.readouterr().out == ""
    preflight.note_cut_replies([row], Settings(base="b", max_new_tokens=2))
    assert "replies have up to 3 tokens, and answers are cut after" in capsys.readouterr().out
