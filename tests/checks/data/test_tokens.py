"""Rows that do not fit, or teach nothing, are named; with a tokenizer of one token per word."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunegate import Dataset, Findings
from tunegate.tokenization.spec import TokenizationSpec
from tunegate_checks.data import tokens

TEMPLATE = (
    "{% for m in messages %}"
    "{% if m.role == 'bad' %}{{ raise_exception('no such role') }}{% endif %}"
    "{{ m.role + ' ' + m.content + ' end ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant ' }}{% endif %}"
)


def make(folder: Path, template: str = TEMPLATE, **more: Any) -> Path:
    """Save a tokenizer whose tokens are words; `end` ends a turn."""
    pytest.importorskip("transformers", reason="the [qlora] extra is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", "end", "user", "assistant", *"abcdefgh"]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", eos_token="end", **more
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("base"))


def row(*turns: str, **last: Any) -> dict[str, Any]:
    """Messages from user and assistant in turn; a row of two has words + 4 tokens."""
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": r, "content": t} for r, t in zip(roles, turns, strict=False)]
    return {"messages": [*messages[:-1], messages[-1] | last]}


def found(base: Path, *rows: dict[str, Any], max_length: int = 99, **more: Any) -> Findings:
    recipe = TokenizationSpec(str(base), max_length=max_length, epochs=2)
    return tokens.find(Dataset.of(rows, "train"), replace(recipe, **more))


def hints(findings: Findings) -> str:
    return "\n".join(hint.evidence for hint in findings.hints)


def test_rows_that_fit_are_silent_and_the_amount_is_a_hint(base: Path) -> None:
    result = found(base, row("a b", "c d e"), row("a", "b"), max_length=9)
    assert not result
    # user a b end assistant c d e end: learnt are c d e end, and of the second row b end
    assert hints(result) == (
        "half the rows have at most 9 tokens, 99 % at most 9, all 9; 9 fit; "
        "at least 2 a row are learnt\n15 tokens an epoch, 6 of them learnt; 2 epochs: 30 tokens"
    )


PAIR = {**row("a", "b"), "rejected": [{"role": "assistant", "content": "c d e f"}]}


def test_both_replies_of_a_preference_count_where_both_are_trained_on(base: Path) -> None:
    result = found(base, PAIR, max_length=8, rejected=True)
    (finding,) = result
    assert (finding.row, finding.kind) == (0, "too long")
    assert finding.evidence.startswith("rejected reply: 9 tokens, 1 over 8: the answer is cut")
    assert "half the rows, read with each reply, have at most 9 tokens" in hints(result)
    assert "15 tokens an epoch, 7 of them learnt; 2 epochs: 30 tokens" in hints(result)


def test_a_row_without_a_rejected_reply_is_found_where_pairs_are_trained_on(base: Path) -> None:
    rows = [PAIR, row("a", "b"), {**row("a", "b"), "rejected": "c"}]
    recipe = TokenizationSpec(str(base), rejected=True)
    result = tokens.find(Dataset.of(rows, "validation"), recipe)
    assert [(f.row, f.evidence) for f in result if f.kind == "no rejected reply"] == [
        (1, "`rejected` is not there"),
        (2, "`rejected` is no list of one message"),
    ]
    assert not tokens.find(Dataset.of(rows, "test"), recipe)


def test_a_rejected_reply_counts_for_nothing_elsewhere(base: Path) -> None:
    result = found(base, PAIR, max_length=8)
    assert not result
    assert "6 tokens an epoch, 2 of them learnt" in hints(result)


def test_the_price_is_that_of_all_epochs(base: Path) -> None:
    told = hints(found(base, row("a", "b"), price_per_million=1e6))
    assert "6 tokens an epoch, 2 of them learnt; 2 epochs, about $12.00 at $1,000,000.00" in told


def test_the_validation_split_costs_nothing(base: Path) -> None:
    held_out = tokens.find(
        Dataset.of([row("a", "b")], "validation"), TokenizationSpec(str(base), 9)
    )
    assert "epoch" not in hints(held_out)


def test_an_answer_that_does_not_fit_is_named(base: Path) -> None:
    (finding,) = found(base, row("a", "b"), row("a b", "c d e"), max_length=7)
    assert (finding.row, finding.kind) == (1, "too long")
    assert finding.evidence.startswith("9 tokens, 2 over 7: the answer is cut")


@pytest.mark.parametrize(("limit", "says"), [(5, "behind token 5"), (6, "the answer is cut")])
def test_an_answer_behind_the_limit_leaves_nothing_to_learn(
    base: Path, limit: int, says: str
) -> None:
    # user a b end assistant | c: the answer begins behind token 5
    (finding,) = found(base, row("a b", "c d e"), max_length=limit)
    assert says in finding.evidence


@pytest.mark.parametrize("on_overflow", ["drop", "truncate"])
def test_a_long_row_that_the_trainer_deals_with_is_a_hint(base: Path, on_overflow: str) -> None:
    result = found(base, row("a b", "c d e"), max_length=7, on_overflow=on_overflow)
    assert not result
    assert "9 tokens, 2 over 7: the row is " in hints(result)


def test_the_tokenizers_own_longest_row_counts_too(tmp_path: Path) -> None:
    short = make(tmp_path, model_max_length=7)
    assert found(short, row("a b", "c d e"), max_length=50).kinds == {"too long": 1}


def test_a_row_without_weight_has_nothing_to_learn(base: Path) -> None:
    result = found(base, row("a", "b", weight=0), row("a", "b", weight=1))
    assert [(f.row, f.kind) for f in result] == [(0, "nothing to learn")]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (TEMPLATE.replace(" end ", " "), "ends this turn without end"),
        (TEMPLATE.replace("'assistant '", "'assistant a '"), "is not how the trained text begins"),
    ],
)
def test_a_template_that_teaches_something_else_is_named(
    tmp_path: Path, template: str, says: str
) -> None:
    (finding,) = found(make(tmp_path, template), row("b", "c"))
    assert (finding.kind, finding.line) == ("template", 1)
    assert says in finding.evidence


def test_a_row_the_template_refuses_is_a_finding(base: Path) -> None:
    bad = {"messages": [{"role": "bad", "content": "x"}, {"role": "assistant", "content": "y"}]}
    unasked = {"messages": [{"role": "bad", "content": "x"}]}
    result = found(base, row("a", "b"), bad, unasked)
    assert [f.evidence for f in result] == ["the chat template refuses it: no such role"] * 2


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, row("a", "b"))
    assert finding.evidence.startswith(f"{tmp_path} holds no tokenizer that can be read")


def test_without_a_recipe_a_hint_says_that_nothing_was_checked() -> None:
    result = tokens.find(Dataset.of([row("a", "b")]), TokenizationSpec("", missing="no base"))
    assert not result
    assert hints(result) == "not checked: no base"


def test_without_transformers_a_hint_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    result = found(tmp_path, row("a", "b"))
    assert not result
    assert hints(result) == "not checked: pip install 'tunegate[qlora]' brings transformers"
