"""Pairs are read, fitted and checked before anything is spent; each planted fault is one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import prefer, preference, ticket, write

from tunegate.data.dataset import Dataset, Example
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.encode import EncodedRow, NotTrainable
from tunegate_qlora.commands import tokens
from tunegate_qlora.data.training_data import EncodedPair, apply_overflow, encode_pair
from tunegate_qlora.trainer import QLoRATrainer

Planner = Callable[..., Plan]
TRAIN = ".tunegate/snapshots/train.jsonl"


def example(row: dict[str, Any]) -> Example:
    return Dataset.of([row])[0]


def learnt(row: EncodedRow, template: Any) -> str:
    ids = [n for n, label in zip(row.ids, row.labels, strict=True) if label != -100]
    return str(template.tokenizer.decode(ids))


def told(plan: Plan) -> list[str]:
    return [problem.what for problem in QLoRATrainer().preflight(plan)]


def test_only_the_two_replies_are_learnt(template: Any) -> None:
    row = preference(0)
    earlier = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    made = encode_pair(example(row | {"messages": earlier + row["messages"][1:]}), template)
    assert learnt(made.preferred, template) == "billing<|im_end|>"
    assert learnt(made.rejected, template) == "BILLING<|im_end|>"
    first = made.preferred.labels.index(made.preferred.ids[-9])
    assert made.preferred.ids[:first] == made.rejected.ids[:first]  # one prompt
    assert made.trained_tokens == 16


def test_a_side_that_cannot_be_trained_on_is_named(template: Any) -> None:
    with pytest.raises(NotTrainable, match="line 1: no rejected reply"):
        encode_pair(example(ticket(0)), template)
    shouted = [{"role": "assistant", "content": "<|im_end|>"}]
    with pytest.raises(
        NotTrainable, match=r"line 1: .* control token .* \(with the rejected reply\)"
    ):
        encode_pair(example(preference(0) | {"rejected": shouted}), template)


def one(template: Any, preferred: str, other: str) -> EncodedPair:
    row = ticket(0)
    row["messages"][-1] = {"role": "assistant", "content": preferred}
    row["rejected"] = [{"role": "assistant", "content": other}]
    return encode_pair(example(row), template)


@pytest.mark.parametrize("replies", [("yes", "no, never"), ("no, never", "yes")])
def test_both_sides_are_cut_alike(template: Any, replies: Sequence[str]) -> None:
    whole = one(template, *replies)
    longest, asked = len(whole.ids), len(whole.ids) - len("no, never") - 2
    assert apply_overflow([whole], longest, "raise") == [whole]
    assert apply_overflow([whole], longest - 1, "drop") == []
    with pytest.raises(NotTrainable, match=rf"1 of 1 rows are longer than {longest - 1} tokens"):
        apply_overflow([whole], longest - 1, "raise")
    (cut,) = apply_overflow([whole], longest - 5, "truncate")
    for side, uncut in ((cut.preferred, whole.preferred), (cut.rejected, whole.rejected)):
        assert side.head == uncut.head > 0  # what the template writes before the user's text
        assert side.ids == uncut.ids[: side.head] + uncut.ids[side.head + 5 :]
    assert cut.trained_tokens == whole.trained_tokens
    with pytest.raises(NotTrainable, match=rf"line 1: {longest} tokens cannot be cut to"):
        apply_overflow([whole], longest - asked, "truncate")


def test_rows_without_a_rejected_reply_are_counted(plan: Planner, project: Path) -> None:
    prefer(project)
    assert told(plan(objective="dpo")) == []
    rows = [preference(0), *(ticket(i) for i in range(5))]
    write(project / TRAIN, rows)
    assert told(plan(objective="dpo")) == [
        *(f"train: line {n}: no rejected reply" for n in (2, 3, 4)),
        "train: 2 more rows cannot be trained on",
    ]


def test_equal_replies_are_named(plan: Planner, project: Path) -> None:
    prefer(project)
    same = ticket(1) | {"rejected": ticket(1)["messages"][-1:]}
    write(project / TRAIN, [preference(0), same])
    (problem,) = told(plan(objective="dpo"))
    assert problem == (
        "train: in 1 of 2 rows the two replies are equal (line 2): nothing can be learnt from them"
    )


def test_a_longer_rejected_reply_is_too_long(plan: Planner, project: Path) -> None:
    prefer(project)
    long = preference(0) | {"rejected": [{"role": "assistant", "content": "x" * 90}]}
    write(project / TRAIN, [long, preference(1)])
    (problem,) = told(plan(objective="dpo"))
    assert problem.startswith("train: 1 of 2 rows are longer than 128 tokens (the longest, line 1")
    assert told(plan(objective="dpo", on_overflow="drop")) == []


def test_memory_is_that_of_both_sides(
    plan: Planner, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prefer(project)

    def activations(**said: Any) -> float:
        assert told(plan(**said)) == []
        line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("memory"))
        return float(line.partition("activations ")[2].split()[0])

    assert activations(objective="dpo", batch=4) == pytest.approx(activations(batch=8), rel=0.01)


def test_tokens_shows_both_sides(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = '[train.qlora]\nbase = "base"\nobjective = "dpo"\nmax_length = '
    write(project / "data.jsonl", [preference(0), ticket(1)])

    def show(row: int, longest: int) -> tuple[int, str]:
        (project / "tunegate.toml").write_text(f'{said}{longest}\non_overflow = "truncate"\n')
        parser = argparse.ArgumentParser()
        tokens.arguments(parser)
        code = tokens.run(parser.parse_args(["data.jsonl", "--row", str(row)]))
        return code, capsys.readouterr().out

    code, out = show(0, 128)
    preferred, rejected = out.split("rejected reply, line 1")
    assert code == 0
    assert preferred.startswith("preferred reply, line 1, row 0")
    assert "+ b│i│l│l│i│n│g│<|im_end|>" in preferred
    assert "+ B│I│L│L│I│N│G│<|im_end|>" in rejected
    assert show(0, 60)[1].count("4 too many: the first 4 are cut (on_overflow)") == 2
    code, out = show(1, 128)
    assert code == 1
    assert "line 2: no rejected reply" in out
    same = {**ticket(1), "rejected": [ticket(1)["messages"][-1]]}
    write(project / "data.jsonl", [same])
    code, out = show(0, 128)
    assert code == 1
    assert "the two replies are equal: nothing can be learnt from them" in " ".join(out.split())
