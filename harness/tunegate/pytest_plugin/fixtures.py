"""The fixtures of the suites: data, limits, and the predictions of candidate and baseline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ..config.data_files import read_system_prompt
from ..errors import ConfigError
from ..interfaces.model import ModelUnknown
from ..tokenization.spec import TokenizationSpec, tokenization_of
from .lookup import session_context

if TYPE_CHECKING:
    from ..config.schema import Limits
    from ..data.dataset import Dataset
    from ..models.judge_panel import JudgePanel
    from ..models.predict import Ask
    from ..results.labels import LabelRule
    from ..results.prediction import Prediction, Predictions


class _ParamRequest(Protocol):
    param: Any
    config: pytest.Config


def _split_or_fail(config: pytest.Config, name: str) -> Dataset:
    try:
        return session_context(config).splits.get(name)
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def dataset(request: _ParamRequest) -> Dataset:
    """Each split in turn: a test that asks for it runs once per split."""
    return _split_or_fail(request.config, request.param)


@pytest.fixture(scope="session")
def train(pytestconfig: pytest.Config) -> Dataset:
    """The training split."""
    return _split_or_fail(pytestconfig, "train")


@pytest.fixture(scope="session")
def validation(pytestconfig: pytest.Config) -> Dataset:
    """The validation split."""
    return _split_or_fail(pytestconfig, "validation")


@pytest.fixture(scope="session")
def test(pytestconfig: pytest.Config) -> Dataset:
    """The test split."""
    return _split_or_fail(pytestconfig, "test")


@pytest.fixture(scope="session")
def limits(pytestconfig: pytest.Config) -> Limits:
    """The limits in force; limits of your own are in `limits.own["name"]`."""
    return session_context(pytestconfig).config.limits


@pytest.fixture(scope="session")
def task(pytestconfig: pytest.Config) -> str:
    """What the model is to learn: style, qa, classification or code."""
    return session_context(pytestconfig).config.task


@pytest.fixture(scope="session")
def label(pytestconfig: pytest.Config) -> LabelRule:
    """How a label is read from an answer: the rule that `label` names in the configuration."""
    from ..results.labels import label_rule

    return label_rule(session_context(pytestconfig).config.label)


@pytest.fixture(scope="session")
def inference_prompt(pytestconfig: pytest.Config) -> str | None:
    """The system prompt that is used at inference, from the file `data.system`; None without."""
    session = session_context(pytestconfig)
    try:
        return read_system_prompt(session.config, session.root)
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def recipe(pytestconfig: pytest.Config) -> TokenizationSpec:
    """What is going to be trained: tokenizer, longest row, epochs; that of --train-with."""
    session = session_context(pytestconfig)
    chosen = pytestconfig.getoption("train_with")
    return tokenization_of(session.config, session.root, session.plugins.trainers, chosen)


@pytest.fixture(scope="session")
def project_root(pytestconfig: pytest.Config) -> Path:
    """The folder of the configuration."""
    return session_context(pytestconfig).root


@pytest.fixture(scope="session")
def predictions(pytestconfig: pytest.Config, test: Dataset) -> Iterator[Predictions]:
    """The candidate's predictions over the test set, each asked once and cached."""
    yield from _predictions_or_fail(pytestconfig, "candidate", test)


@pytest.fixture(scope="session")
def baseline(pytestconfig: pytest.Config, test: Dataset) -> Iterator[Predictions]:
    """The predictions of the base model the candidate was trained from."""
    yield from _predictions_or_fail(pytestconfig, "baseline", test)


@pytest.fixture(scope="session")
def incumbent(pytestconfig: pytest.Config, test: Dataset) -> Iterator[Predictions | None]:
    """The predictions of the model that the alias points at; None before the first promotion."""
    from ..storage.registry import RegistryBroken

    try:
        promoted = session_context(pytestconfig).models.has_incumbent()
    except RegistryBroken as error:
        pytest.fail(str(error), pytrace=False)
    if promoted:
        yield from _predictions_or_fail(pytestconfig, "incumbent", test)
    else:
        yield None


@pytest.fixture
def prediction(request: _ParamRequest, predictions: Predictions) -> Prediction:
    """Each prediction in turn, under --each-example: nothing is asked again."""
    row: int = request.param
    return predictions[row]


@pytest.fixture(scope="session")
def judge(pytestconfig: pytest.Config) -> JudgePanel | None:
    """The judges of `[judge]`; None where the configuration names none."""
    from ..session.open_judges import open_judges

    session = session_context(pytestconfig)
    try:
        return open_judges(
            session.config.judge, session.root, session.plugins.openers,
            session.budget, session.state, session.progress,
        )  # fmt: skip
    except (ModelUnknown, ConfigError) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def trained_on(pytestconfig: pytest.Config) -> Dataset:
    """The training rows of the candidate's run; the configured split where it has no run."""
    session = session_context(pytestconfig)
    run = session.candidate.run if session.candidate else None
    if run is None:
        return _split_or_fail(pytestconfig, "train")
    return run.data("train")


@pytest.fixture(scope="session")
def ask(pytestconfig: pytest.Config) -> Ask:
    """Put rows of your own to the candidate (or "baseline"): `ask(dataset)`, in one batch."""

    def ask_model(dataset: Dataset, role: str = "candidate") -> Predictions:
        try:
            return session_context(pytestconfig).models.ask(dataset, role)
        except (ModelUnknown, ConfigError) as error:
            pytest.fail(str(error), pytrace=False)

    return ask_model


@pytest.fixture(scope="session")
def curves(pytestconfig: pytest.Config) -> list[dict[str, float]]:
    """The loss curves of the candidate's run, a dict for each reading; [] where there are none."""
    candidate = session_context(pytestconfig).candidate
    return candidate.run.curves if candidate and candidate.run else []


@pytest.fixture(scope="session")
def general(pytestconfig: pytest.Config) -> Dataset:
    """The general set, `data.general`: what a model should not unlearn. Empty where none is set."""
    from ..data.dataset import Dataset

    session = session_context(pytestconfig)
    if session.config.data.general is None:
        return Dataset([], split="general")
    path = session.root / session.config.data.general
    try:
        dataset = Dataset.read(path, "general")
    except OSError as error:
        pytest.fail(f"data.general: {error}", pytrace=False)
    if bad := [p for p in dataset.problems if not p.hint]:
        pytest.fail(f"data.general: {path}, line {bad[0].line}: {bad[0].evidence}", pytrace=False)
    return dataset


def _predictions_or_fail(config: pytest.Config, role: str, test: Dataset) -> Iterator[Predictions]:
    try:
        yield session_context(config).models.predictions(role, test)
    except (ModelUnknown, ConfigError) as error:
        pytest.fail(str(error), pytrace=False)
