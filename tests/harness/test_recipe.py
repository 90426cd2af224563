"""What tokens are counted with comes from the trainer, or from [tokens]."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.config import Config
from tunegate.recipe import OPENAI_LONGEST, Recipe, of_project


class QLoRA:
    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        if not (root / str(config["base"])).is_dir():
            raise ValueError(f"base = {config['base']!r}: there is no folder")
        return {"max_length": 1024, "epochs": 3, "on_overflow": "raise", **config}


def recipe(root: Path, chosen: str | None = None, **table: Any) -> Recipe:
    trainers: Any = {"qlora": QLoRA}
    return of_project(Config.model_validate(table), root, trainers, chosen)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    return tmp_path


def test_it_is_the_trainers_with_its_defaults(root: Path) -> None:
    found = recipe(root, train={"qlora": {"base": "base", "epochs": 5}})
    assert found == Recipe(str(root / "base"), max_length=1024, epochs=5)


def test_openai_trains_by_the_name_of_the_model(root: Path) -> None:
    found = recipe(root, train={"openai": {"base": "gpt-4o-mini", "epochs": "auto"}})
    assert found == Recipe("openai:gpt-4o-mini", max_length=OPENAI_LONGEST, epochs=3)
    priced = {"base": "gpt-4o-mini", "price_per_million": 3.0}
    assert recipe(root, train={"openai": priced}).price_per_million == 3.0


@pytest.mark.parametrize("said", [{"method": "dpo"}, {"objective": "dpo"}, {}])
def test_dpo_reads_rejected_replies_too(root: Path, said: dict[str, Any]) -> None:
    table = {"base": "base", "max_length": 9, **said}
    assert recipe(root, train={"toy": table}).rejected is bool(said)


def test_the_trainer_that_was_named_goes_before_the_first(root: Path) -> None:
    both = {"qlora": {"base": "base"}, "openai": {"base": "gpt-4o"}}
    assert recipe(root, train=both).tokenizer == str(root / "base")
    assert recipe(root, "openai", train=both).tokenizer == "openai:gpt-4o"


def test_what_tokens_says_goes_before_the_trainer(root: Path) -> None:
    said = {"price_per_million": 3.0, "max_length": 200}
    found = recipe(root, train={"qlora": {"base": "base"}}, tokens=said)
    assert (found.max_length, found.price_per_million, found.epochs) == (200, 3.0, 3)


def test_tokens_alone_will_do(root: Path) -> None:
    found = recipe(root, tokens={"tokenizer": "openai:gpt-4o"})
    assert found == Recipe("openai:gpt-4o")


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ({}, "no [train.qlora], [train.openai] or [tokens] in the configuration"),
        ({"qlora": {"base": "path/to"}}, "train.qlora: base = 'path/to': there is no folder"),
        ({"toy": {"size": 1}}, "train.toy names no base and max_length; [tokens] may"),
    ],
)
def test_what_is_missing_is_said(root: Path, train: dict[str, Any], says: str) -> None:
    assert recipe(root, train=train) == Recipe("", missing=says)
