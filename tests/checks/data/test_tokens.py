"""Rows whose answer does not fit are named; with a tokenizer of one token per word."""

from pathlib import Path
from typing import Any

import pytest

from tunegate import Dataset, Findings
from tunegate_checks.data import tokens

pytest.importorskip("transformers", reason="the [qlora] extra is not installed")

TEMPLATE = (
    "{% for m in messages %}"
    "{% if m.role == 'bad' %}{{ raise_exception('no such role') }}{% endif %}"
    "{{ m.role + ' ' + m.content + ' end ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant ' }}{% endif %}"
)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    words = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def row(*turns: str, **last: Any) -> dict[str, Any]:
    """Messages from user and assistant in turn; a row of two has words + 4 tokens."""
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": r, "content": t} for r, t in zip(roles, turns, strict=False)]
    return {"messages": [*messages[:-1], messages[-1] | last]}


def found(base: Path, *rows: dict[str, Any], max_length: int) -> Findings:
    return tokens.find(Dataset.of(rows), base, max_length=max_length, epochs=2)


def test_rows_that_fit_are_silent_and_the_amount_is_a_hint(base: Path) -> None:
    result = found(base, row("a b", "c d e"), row("a", "b"), max_length=9)
    assert not result
    (hint,) = result.hints
    assert "all 9 (max_length 9); 2 epochs are 30 tokens" in hint.evidence


def test_a_cut_answer_is_named(base: Path) -> None:
    (finding,) = found(base, row("a", "b"), row("a b", "c d e"), max_length=7)
    assert (finding.row, finding.kind) == (1, "cut answer")
    assert finding.evidence.startswith("9 tokens: the last 2 of the answer are cut at 7")


@pytest.mark.parametrize(("limit", "kind"), [(5, "nothing to learn"), (6, "cut answer")])
def test_an_answer_behind_the_limit_leaves_nothing_to_learn(
    base: Path, limit: int, kind: str
) -> None:
    # user a b end assistant | c: the answer begins behind token 5
    assert found(base, row("a b", "c d e"), max_length=limit).kinds == {kind: 1}


def test_a_row_without_weight_has_nothing_to_learn(base: Path) -> None:
    result = found(base, row("a", "b", weight=0), row("a", "b", weight=1), max_length=20)
    assert [(f.row, f.kind) for f in result] == [(0, "nothing to learn")]


def test_an_earlier_answer_that_fits_still_counts(base: Path) -> None:
    result = found(base, row("a", "b", "c", "d e f g h"), max_length=11)
    assert result.kinds == {"cut answer": 1}


def test_a_row_the_template_refuses_is_a_finding(base: Path) -> None:
    bad = {"messages": [{"role": "bad", "content": "x"}, {"role": "assistant", "content": "y"}]}
    (finding,) = found(base, bad, max_length=20)
    assert "the chat template refuses the row: no such role" in finding.evidence


def test_a_folder_without_a_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no tokenizer that can be read"):
        tokens.find(Dataset.of([row("a", "b")]), tmp_path, max_length=9)
