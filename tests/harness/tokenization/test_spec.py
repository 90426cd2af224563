"""What tokens are counted with comes from the trainer, or from [tokens]."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.config.schema import Config
from tunegate.tokenization.spec import TokenizationSpec, tokenization_from_settings, tokenization_of
from tunegate_openai.settings import LONGEST
from tunegate_openai.trainer import OpenAITrainer


class QLoRA:
    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        if not (root / str(config["base"])).is_dir():
            raise ValueError(f"base = {config['base']!r}: there is no folder")
        return {"max_length": 1024, "epochs": 3, "on_overflow": "raise", **config}

    def tokenization(self, config: Mapping[str, Any]) -> TokenizationSpec:
        return tokenization_from_settings(config)


class Old:
    """As users' trainers were before there was `tokenization`."""

    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        return {"max_length": 77, "epochs": 4, **config}


class Own:
    """Counts by a folder of the project, whatever its settings are called."""

    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        return {"size": 5, **config}

    def tokenization(self, config: Mapping[str, Any]) -> TokenizationSpec:
        return TokenizationSpec("base", config["size"], rejected=True)


def recipe(root: Path, chosen: str | None = None, **table: Any) -> TokenizationSpec:
    trainers: Any = {"openai": OpenAITrainer, "qlora": QLoRA, "old": Old}
    return tokenization_of(Config.model_validate(table), root, trainers, chosen)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    return tmp_path


def test_it_is_the_trainers_with_its_defaults(root: Path) -> None:
    found = recipe(root, train={"qlora": {"base": "base", "epochs": 5}})
    assert found == TokenizationSpec(str(root / "base"), max_length=1024, epochs=5)


def test_openai_trains_by_the_name_of_the_model(root: Path) -> None:
    found = recipe(root, train={"openai": {"base": "gpt-4o-mini", "epochs": "auto"}})
    assert found == TokenizationSpec("openai:gpt-4o-mini", max_length=LONGEST, epochs=3)
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
    assert found == TokenizationSpec("openai:gpt-4o")


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ({}, "no [train.qlora], [train.openai] or [tokens] in the configuration"),
        ({"qlora": {"base": "path/to"}}, "train.qlora: base = 'path/to': there is no folder"),
        ({"toy": {"size": 1}}, "train.toy names no base and max_length; [tokens] may"),
    ],
)
def test_what_is_missing_is_said(root: Path, train: dict[str, Any], says: str) -> None:
    assert recipe(root, train=train) == TokenizationSpec("", missing=says)


def test_a_trainer_says_how_its_tokens_are_counted(root: Path) -> None:
    trainers: Any = {"own": Own}
    config = Config.model_validate({"train": {"own": {}}})
    assert tokenization_of(config, root, trainers) == TokenizationSpec(
        str(root / "base"), 5, rejected=True
    )
    dpo = {"base": "gpt-4o", "method": "dpo", "epochs": 9}
    assert recipe(root, train={"openai": dpo}) == TokenizationSpec(
        "openai:gpt-4o", LONGEST, 9, rejected=True
    )


def test_one_that_does_not_is_read_by_its_settings(root: Path) -> None:
    table = {"base": "base", "objective": "dpo"}
    assert recipe(root, train={"old": table}) == TokenizationSpec(
        str(root / "base"), 77, 4, rejected=True
    )
    says = "train.old names no base and max_length; [tokens] may"
    assert recipe(root, train={"old": {}}) == TokenizationSpec("", missing=says)


def test_the_qlora_trainer_counts_by_its_base(root: Path) -> None:
    from tunegate_qlora.trainer import QLoRATrainer as Ours

    trainers: Any = {"qlora": Ours}
    table = {"base": "base", "on_overflow": "drop", "max_length": 64, "objective": "dpo"}
    config = Config.model_validate({"train": {"qlora": table}})
    found = tokenization_of(config, root, trainers)
    assert found == TokenizationSpec(str(root / "base"), 64, 3, "drop", rejected=True)
