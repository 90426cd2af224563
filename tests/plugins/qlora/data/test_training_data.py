"""What is trained on comes out of a snapshot, whatever kind of file it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.data.dataset import Dataset
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.encode import NotTrainable
from tunegate_qlora.data import training_data
from tunegate_qlora.trainer import QLoRATrainer

COLUMNS = {"system": "rules", "prompt": "text", "reply": "category"}


def as_csv(path: Path) -> None:
    """Write a snapshot's rows as a table, in its place: a snapshot has one name for every form."""
    frame = Dataset.read(path).frame[["system", "prompt", "reply"]]
    frame.rename(columns=COLUMNS).to_csv(path, index=False)


def load(plan: Plan) -> training_data.TrainingData:
    return training_data.load_training_data(training_data.make_job(plan, Path()))


def test_a_table_is_trained_on_as_its_messages_would_be(
    plan: Callable[..., Plan],
) -> None:
    chat = plan()
    rows = load(chat)
    for path in (chat.train, chat.validation):
        assert path is not None
        as_csv(path)
    table = replace(chat, columns=COLUMNS)
    assert QLoRATrainer().preflight(table) == []
    found = load(table)
    assert [r.ids for r in found.train] == [r.ids for r in rows.train]
    assert [r.labels for r in found.validation] == [r.labels for r in rows.validation]
    assert len(found.train) == 24


def test_rows_that_are_too_long_are_neither_trained_on_nor_held_out(
    plan: Callable[..., Plan],
) -> None:
    found = load(plan(max_length=70, on_overflow="drop"))
    assert max(len(row.ids) for row in [*found.train, *found.validation]) <= 70
    assert (len(found.train), len(found.validation), found.dropped_rows) == (9, 4, 17)


def test_where_every_row_is_too_long_nothing_is_trained(plan: Callable[..., Plan]) -> None:
    with pytest.raises(NotTrainable, match="no row of the training set is left"):
        load(plan(max_length=5, on_overflow="drop"))


def test_a_base_that_was_changed_is_not_trained_on(plan: Callable[..., Plan]) -> None:
    with pytest.raises(ValueError, match="has changed since this run was planned: plan it again"):
        load(replace(plan(), base_digest="another"))
