"""The fixtures of the suites: data, limits, and the predictions of candidate and baseline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ..config.data_files import read_system_prompt
from ..errors import ConfigError
from ..interfaces.model import ModelUnknown
from ..tokenization.spec import TokenizationSpec, tokenization_of

if TYPE_CHECKING:
    from ..config.schema import Limits
    from ..data.dataset import Dataset
    from ..models.judge_panel import JudgePanel
    from ..models.predict import Ask
    from ..results.labels import LabelRule
    from ..results.prediction import Prediction, Predictions
    from ..session.context import SessionContext

SESSION_PLUGIN = "tunegate-session"  # the name under which GateSession is registered


class SessionMistake(pytest.fail.Exception):  # type: ignore[name-defined, misc]
    """A mistake in configuration or options that a fixture meets; it is told under one test."""


class ParamRequest(Protocol):
    """The part of pytest's FixtureRequest that is used here, with a `param`."""

    param: Any
    config: pytest.Config


def session_context(config: pytest.Config) -> SessionContext:
    """Return the context of this session: what options and configuration say."""
    hooks = config.pluginmanager.get_plugin(SESSION_PLUGIN)
    context: SessionContext = hooks.context  # type: ignore[union-attr]
    return context


@contextmanager
def fail_in_one_line(*errors: type[Exception]) -> Iterator[None]:
    """Fail the test with the message of such an error, without a traceback."""
    try:
        yield
    except errors as error:
        raise SessionMistake(str(error), pytrace=False) from None


def read_split(config: pytest.Config, name: str) -> Dataset:
    """Return a split of the session; fail the test where its file is missing or unreadable."""
    with fail_in_one_line(ConfigError):
        return session_context(config).splits.get(name)


def ask_role(config: pytest.Config, role: str, test: Dataset) -> Predictions:
    """Return the predictions of the candidate, baseline or incumbent; fail where there are none."""
    with fail_in_one_line(ModelUnknown, ConfigError):
        return session_context(config).models.predictions(role, test)


@pytest.fixture
def dataset(request: ParamRequest) -> Dataset:
    """Each split in turn: a test with this fixture runs once per split."""
    return read_split(request.config, request.param)


@pytest.fixture(scope="session")
def train(pytestconfig: pytest.Config) -> Dataset:
    """The training split."""
    return read_split(pytestconfig, "train")


@pytest.fixture(scope="session")
def validation(pytestconfig: pytest.Config) -> Dataset:
    """The validation split."""
    return read_split(pytestconfig, "validation")


@pytest.fixture(scope="session")
def test(pytestconfig: pytest.Config) -> Dataset:
    """The test split."""
    return read_split(pytestconfig, "test")


@pytest.fixture(scope="session")
def limits(pytestconfig: pytest.Config) -> Limits:
    """The limits in force, each with its mode; your own are `limits.own.name`."""
    return session_context(pytestconfig).config.limits


@pytest.fixture(scope="session")
def task(pytestconfig: pytest.Config) -> str:
    """The kind of task: style, qa, classification or code."""
    return session_context(pytestconfig).config.task


@pytest.fixture(scope="session")
def label_rule(pytestconfig: pytest.Config) -> LabelRule:
    """How a label is read from an answer: the rule that `label` names in the configuration."""
    from ..results import labels

    return labels.label_rule(session_context(pytestconfig).config.label)


@pytest.fixture(scope="session")
def inference_prompt(pytestconfig: pytest.Config) -> str | None:
    """The system prompt used at inference, from the file `data.system`; None where it is unset."""
    session = session_context(pytestconfig)
    with fail_in_one_line(ConfigError):
        return read_system_prompt(session.config, session.root)


@pytest.fixture(scope="session")
def tokenization(pytestconfig: pytest.Config) -> TokenizationSpec:
    """How the trainer of --train-with tokenizes: tokenizer, longest row, epochs."""
    session = session_context(pytestconfig)
    chosen = pytestconfig.getoption("train_with")
    return tokenization_of(session.config, session.root, session.plugins.trainers, chosen)


@pytest.fixture(scope="session")
def data_is_generated(pytestconfig: pytest.Config) -> bool:
    """Whether a model wrote the rows: `data.generated` in the configuration."""
    return session_context(pytestconfig).config.data.generated


@pytest.fixture(scope="session")
def project_root(pytestconfig: pytest.Config) -> Path:
    """The folder of the project's configuration."""
    return session_context(pytestconfig).root


@pytest.fixture(scope="session")
def predictions(pytestconfig: pytest.Config, test: Dataset) -> Predictions:
    """The candidate's predictions over the test set, each asked once and cached."""
    return ask_role(pytestconfig, "candidate", test)


@pytest.fixture(scope="session")
def baseline(pytestconfig: pytest.Config, test: Dataset) -> Predictions:
    """The predictions of the base model the candidate was trained from."""
    return ask_role(pytestconfig, "baseline", test)


@pytest.fixture(scope="session")
def incumbent(pytestconfig: pytest.Config, test: Dataset) -> Predictions | None:
    """The predictions of the model that the alias points at; None before the first promotion."""
    from ..storage.registry import RegistryBroken

    with fail_in_one_line(RegistryBroken):
        if session_context(pytestconfig).models.promoted is None:
            return None
    return ask_role(pytestconfig, "incumbent", test)


@pytest.fixture
def prediction(request: ParamRequest, predictions: Predictions) -> Prediction:
    """Each prediction in turn, under --each-example; no request is sent again."""
    row: int = request.param
    return predictions[row]


@pytest.fixture(scope="session")
def judge_panel(pytestconfig: pytest.Config) -> JudgePanel | None:
    """The judge models of `[judge]`; None where the configuration names none."""
    with fail_in_one_line(ModelUnknown, ConfigError):
        return session_context(pytestconfig).models.judges()


@pytest.fixture(scope="session")
def trained_on(pytestconfig: pytest.Config) -> Dataset:
    """The training rows of the candidate's run; the configured split where it has no run."""
    session = session_context(pytestconfig)
    run = session.candidate.run if session.candidate else None
    if run is None:
        return read_split(pytestconfig, "train")
    return run.data("train")


@pytest.fixture(scope="session")
def ask_model(pytestconfig: pytest.Config) -> Ask:
    """Return `ask_model(dataset, role)`: it asks the candidate or "baseline" in one batch."""

    def ask(dataset: Dataset, role: str = "candidate") -> Predictions:
        with fail_in_one_line(ModelUnknown, ConfigError):
            return session_context(pytestconfig).models.ask(dataset, role)

    return ask


@pytest.fixture(scope="session")
def loss_curves(pytestconfig: pytest.Config) -> list[dict[str, float]]:
    """The losses of the candidate's run, a dict for each logged step; [] where there are none."""
    candidate = session_context(pytestconfig).candidate
    return candidate.run.curves if candidate and candidate.run else []


@pytest.fixture(scope="session")
def general_set(pytestconfig: pytest.Config) -> Dataset:
    """The general set, `data.general`, by which forgetting is measured; empty where it is unset."""
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
