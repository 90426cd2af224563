"""The fixtures of the suites: data, limits, predictions; none may be defined anew outside."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from ..data import SPLITS
from ..data.dataset import Dataset
from ..data.row_schema import RowSchema, load_row_schema
from ..errors import ConfigError
from ..interfaces.model import ModelUnknown
from ..results.session_results import asked_in_words
from ..tokenization.spec import TokenizationSpec, tokenization_of
from ..utils.files import sha256_json
from ..utils.text import os_error_text

if TYPE_CHECKING:
    from ..config.schema import Config, Limits, Readiness, Shadow
    from ..interfaces.programs import Program
    from ..models.predict import Ask, JudgePanel
    from ..results.labels import LabelRule
    from ..results.prediction import Prediction, Predictions
    from ..session.context import SessionContext

RULE_MARKER = "decided_by(rule=...): a rule that may decide the test before every row is asked"
# What options and configuration say, in the stash of pytest's config.
SESSION: pytest.StashKey[SessionContext] = pytest.StashKey()
TASK_MARKER = "task(*names): run a test of a suite only where the project has one of these tasks"


class SessionMistake(pytest.fail.Exception):  # type: ignore[name-defined, misc]
    """A mistake in configuration or options that a fixture meets; it is told under one test."""

    __module__ = "builtins"  # so that the summary of pytest has room for what is wrong


class ModelSilent(SessionMistake):
    """A model that answers nothing: its server is down, knows no such model, or refuses the key."""

    __module__ = "builtins"


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say at the head of the session where not all test rows are asked, or not once."""
    asked = asked_in_words(config.stash[SESSION].asked)
    return [f"asked: {asked}"] if asked else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `dataset` once per split, for `prediction` once per example.

    The fixture `dataset` must be tunegate's and not the project's. The splits are those of the
    marker `split`, else the configured ones. Raises pytest.UsageError for an unknown one.
    """
    session = metafunc.config.stash[SESSION]
    if _is_own("dataset", metafunc._arg2fixturedefs):
        marked = [str(name) for m in metafunc.definition.iter_markers("split") for name in m.args]
        if unknown := [name for name in marked if name not in SPLITS]:
            raise pytest.UsageError(f"unknown split {unknown[0]!r}; valid: {', '.join(SPLITS)}")
        # pytest skips a test without parameters. Without data it runs on "train", and the fixture
        # fails with the message that says which file is missing.
        splits = list(dict.fromkeys(marked)) or list(session.splits.paths) or ["train"]
        metafunc.parametrize("dataset", splits, indirect=True, scope="function")
    if _is_own("program_check", metafunc._arg2fixturedefs):
        metafunc.parametrize("program_check", list(session.config.checks), indirect=True)
    if "prediction" in metafunc.fixturenames:
        test = session.splits.get("test")
        test = test.drawn(session.limit) if session.limit else test
        metafunc.parametrize("prediction", range(len(test)), ids=example_ids(test), indirect=True)


def _is_own(name: str, definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]]) -> bool:
    """Tell whether a test asks for a fixture of this name, and it is tunegate's."""
    return name in definitions and definitions[name][-1].func.__module__ == __name__


def example_ids(test: Dataset) -> list[str]:
    """Return a test id for each example, of its text alone; `-2`, `-3` ... for repeated ones."""
    counts: Counter[str] = Counter()
    ids = []
    for example in test:
        name = sha256_json([example.system, example.text])[:8]
        counts[name] += 1
        ids.append(name if counts[name] == 1 else f"{name}-{counts[name]}")
    return ids


def ask_role(config: pytest.Config, role: str, test: Dataset) -> Predictions:
    """Return the predictions of a role; a candidate that answers nothing ends the session."""
    try:
        return config.stash[SESSION].models.predictions(role, test)
    except ModelUnknown as error:
        if role == "candidate" and (session := config.pluginmanager.get_plugin("session")):
            session.shouldfail = "the candidate answers nothing"
        raise ModelSilent(str(error), pytrace=False) from None


@pytest.fixture
def dataset(request: pytest.FixtureRequest) -> Dataset:
    """Each split in turn: a test with this fixture runs once per split."""
    return request.config.stash[SESSION].splits.get(request.param)


@pytest.fixture(scope="session")
def train(pytestconfig: pytest.Config) -> Dataset:
    """The training split."""
    return pytestconfig.stash[SESSION].splits.get("train")


@pytest.fixture(scope="session")
def validation(pytestconfig: pytest.Config) -> Dataset:
    """The validation split."""
    return pytestconfig.stash[SESSION].splits.get("validation")


@pytest.fixture(scope="session")
def test(pytestconfig: pytest.Config) -> Dataset:
    """The test split."""
    return pytestconfig.stash[SESSION].splits.get("test")


@pytest.fixture(scope="session")
def limits(pytestconfig: pytest.Config) -> Limits:
    """The limits in force, each with its mode; your own are `limits.own.name`."""
    return pytestconfig.stash[SESSION].config.limits


@pytest.fixture(scope="session")
def readiness(pytestconfig: pytest.Config) -> Readiness:
    """The table `[readiness]`: what the suite of that name is told."""
    return pytestconfig.stash[SESSION].config.readiness


@pytest.fixture(scope="session")
def shadow(pytestconfig: pytest.Config) -> Shadow:
    """The table `[shadow]`: which requests the suite of that name replays, and its limits."""
    return pytestconfig.stash[SESSION].config.shadow


@pytest.fixture(scope="session")
def task(pytestconfig: pytest.Config) -> str:
    """The kind of task, such as "classification" or "text"."""
    return pytestconfig.stash[SESSION].config.task


@pytest.fixture(scope="session")
def label_rule(pytestconfig: pytest.Config) -> LabelRule:
    """How a label is read from an answer: the rule that `label` names in the configuration."""
    return pytestconfig.stash[SESSION].config.label_rule


@pytest.fixture(scope="session")
def inference_prompt(pytestconfig: pytest.Config) -> str | None:
    """The system prompt used at inference, from the file `data.system`; None where it is unset."""
    session = pytestconfig.stash[SESSION]
    from ..config.data_files import read_system_prompt

    return read_system_prompt(session.config, session.root)


@pytest.fixture(scope="session")
def tokenization(pytestconfig: pytest.Config) -> TokenizationSpec:
    """How the trainer of --train-with tokenizes: tokenizer, longest row, epochs."""
    session = pytestconfig.stash[SESSION]
    chosen = pytestconfig.getoption("train_with")
    return tokenization_of(session.config, session.root, session.plugins.trainers, chosen)


@pytest.fixture(scope="session")
def data_is_generated(pytestconfig: pytest.Config) -> bool:
    """Whether a model wrote the rows: `data.generated` in the configuration."""
    return pytestconfig.stash[SESSION].config.data.generated


@pytest.fixture
def program_check(request: pytest.FixtureRequest) -> Program:
    """Each program of `[checks]` in turn."""
    session = request.config.stash[SESSION]
    return session.config.checks[request.param].program(request.param, session.root)


@pytest.fixture(scope="session")
def row_schema(pytestconfig: pytest.Config) -> RowSchema:
    """The pandera schema of rows and answers: `data.schema` in the configuration."""
    session = pytestconfig.stash[SESSION]
    if not (spec := session.config.data.row_schema):
        pytest.skip("data.schema is not set")
    examples = chain.from_iterable(map(session.splits.get, session.splits.paths))
    return load_row_schema(spec, session.root, examples)


@pytest.fixture(scope="session")
def project_root(pytestconfig: pytest.Config) -> Path:
    """The folder of the project's configuration."""
    return pytestconfig.stash[SESSION].root


def take_rules(request: pytest.FixtureRequest, session: SessionContext) -> None:
    """Give the models the rules of the tests, made of the fixtures that each names.

    A pass takes all rows where a test with predictions has no rule, and for the next incumbent.
    """
    items = [i for i in request.session.items if "predictions" in getattr(i, "fixturenames", ())]
    marks = [mark for item in items for mark in item.iter_markers("decided_by")]
    rules = []
    for rule in {mark.kwargs["rule"]: 0 for mark in marks}:
        names = inspect.signature(rule).parameters.keys() - {"certain"}
        values = {name: request.getfixturevalue(name) for name in names}
        rules.append(rule(**values, certain=session.ask == "certain"))
    needy = [item.name for item in items if not item.get_closest_marker("decided_by")]
    why = "the next incumbent needs them" if request.config.getoption("promote") else ""
    why = f"{needy[0]} needs them; {len(needy):,} tests have no rule" if needy else why
    session.models.rules = rules, not why
    if why and session.config.ask:
        with session.uncaptured():
            session.say("ask", f"{session.ask}: a pass takes all rows ({why})")


@pytest.fixture(scope="session")
def predictions(request: pytest.FixtureRequest, test: Dataset) -> Predictions:
    """The candidate's predictions over the test set, each asked once and cached."""
    session = request.config.stash[SESSION]
    if session.ask != "all" and not hasattr(request.config, "workerinput"):
        take_rules(request, session)
    predictions = ask_role(request.config, "candidate", test)
    if (stop := session.models.stopped.get("stopped")) and not stop["passed"]:
        request.session.shouldfail = "the candidate fails, and is asked no more"
        raise SessionMistake("\n".join(stop["why"]), pytrace=False)
    return predictions


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test without a rule that took part of the predictions by `getfixturevalue`."""
    yield
    session = item.config.stash[SESSION]
    names = getattr(getattr(item, "_request", None), "fixturenames", ())
    took_part = session.candidate and "predictions" in names and session.models.stopped
    if took_part and not item.get_closest_marker("decided_by"):
        advice = 'add the marker decided_by(rule=...), or set ask = "all"'
        raise SessionMistake(f"{item.name}: not all rows were asked; {advice}", pytrace=False)


@pytest.fixture(scope="session")
def baseline(pytestconfig: pytest.Config, test: Dataset) -> Predictions | None:
    """The predictions of the base that the candidate was trained from, else of `baseline`.

    None where the candidate belongs to no run, and the configuration names no baseline.
    """
    has_baseline = pytestconfig.stash[SESSION].models.has_baseline
    return ask_role(pytestconfig, "baseline", test) if has_baseline else None


@pytest.fixture(scope="session")
def incumbent(pytestconfig: pytest.Config, test: Dataset) -> Predictions | None:
    """The predictions of the model that the alias points at; None before the first promotion."""
    promoted = pytestconfig.stash[SESSION].models.promoted
    return ask_role(pytestconfig, "incumbent", test) if promoted is not None else None


@pytest.fixture(scope="session")
def compared_models(pytestconfig: pytest.Config, test: Dataset) -> dict[str, Predictions] | None:
    """The predictions of the models of `[compare]`, by name; None where it names none."""
    from ..session.open_models import COMPARED

    names = pytestconfig.stash[SESSION].config.compared
    return {n: ask_role(pytestconfig, COMPARED + n, test) for n in names} or None


@pytest.fixture
def prediction(request: pytest.FixtureRequest, predictions: Predictions) -> Prediction:
    """Each prediction in turn, under --each-example; no request is sent again."""
    return predictions[int(request.param)]


@pytest.fixture(scope="session")
def judge_panel(pytestconfig: pytest.Config) -> JudgePanel | None:
    """The judge models of `[judge]`; None where the configuration names none."""
    return pytestconfig.stash[SESSION].models.judges()


@pytest.fixture(scope="session")
def trained_on(pytestconfig: pytest.Config) -> Dataset:
    """The training rows of the candidate's run; the configured split where it has no run."""
    session = pytestconfig.stash[SESSION]
    run = session.candidate and session.candidate.run
    return run.data("train") if run else session.splits.get("train")


@pytest.fixture(scope="session")
def ask_model(pytestconfig: pytest.Config) -> Ask:
    """Return `ask_model(dataset, role)`: it asks the candidate or "baseline" in one batch."""

    def ask(dataset: Dataset, role: str = "candidate") -> Predictions:
        return pytestconfig.stash[SESSION].models.ask(dataset, role)

    return ask


@pytest.fixture(scope="session")
def loss_curves(pytestconfig: pytest.Config) -> list[dict[str, float]]:
    """The losses of the candidate's run, a dict for each logged step; [] where there are none."""
    candidate = pytestconfig.stash[SESSION].candidate
    return candidate.run.curves() if candidate and candidate.run else []


@pytest.fixture(scope="session")
def general_set(pytestconfig: pytest.Config) -> Dataset:
    """The general set, `data.general`, by which forgetting is measured; empty where it is unset."""
    session = pytestconfig.stash[SESSION]
    if session.config.data.general is None:
        return Dataset([], split="general")
    path = session.root / session.config.data.general
    try:
        dataset = Dataset.read(path, "general", reading=session.config.reading)
    except OSError as error:
        raise ConfigError(f"data.general: {os_error_text(error)}") from None
    if bad := [p for p in dataset.problems if not p.hint]:
        raise ConfigError(f"data.general: {path}, line {bad[0].line}: {bad[0].evidence}")
    return dataset


def own_fixtures() -> list[str]:
    """Return the names of tunegate's fixtures."""
    return [name for name, value in globals().items() if isinstance(value, type(test))]


def has_nothing_to_judge(item: pytest.Item) -> bool:
    """Tell whether a test asked for what the project does not have: a judge, a general set."""
    values = getattr(item, "funcargs", {})
    asked_for = (values[name] for name in own_fixtures() if name in values)
    return any(v is None or (isinstance(v, Dataset) and not len(v)) for v in asked_for)


def visible_fixtures(node: pytest.Item) -> dict[str, Sequence[pytest.FixtureDef[Any]]]:
    """Return by name the definitions of tunegate's fixtures that a test sees, its own last.

    pytest has no public interface for this: the one place here that knows how it keeps them.
    """
    manager = node.session._fixturemanager
    names = [*own_fixtures(), "pytestconfig"]
    return {name: manager.getfixturedefs(name, node) or () for name in names}


def refuse_shadowed_fixtures(items: Iterable[pytest.Item], suite: Path, rootdir: Path) -> None:
    """Raise pytest.UsageError where a fixture is defined anew outside of the suite."""
    originals = {__file__, inspect.getfile(pytest.FixtureDef)}
    for item in {item.parent: item for item in items}.values():
        for name, definitions in visible_fixtures(item).items():
            for definition in definitions:
                file = inspect.getfile(inspect.unwrap(definition.func))
                folder = definition.baseid.partition("::")[0]  # "" of plugins and of the root
                place = (rootdir / folder if folder else Path(file)).resolve()
                if file not in originals and not place.is_relative_to(suite):
                    anew = f"is defined anew in {file}, outside of the suite"
                    advice = "rename it there, or define it in the suite's own conftest.py"
                    raise pytest.UsageError(f"the fixture `{name}` of the suites {anew}: {advice}")


def tests_for_other_tasks(items: Iterable[pytest.Item], config: Config) -> list[pytest.Item]:
    """Return the tests of a suite that are marked for other tasks than the project's.

    Tests of the programs of `[checks]` and of `data.schema` are too, where it has none.

    Raises pytest.UsageError for a marker without a task or rule or with an unknown task.
    """
    from ..config.schema import Task

    valid, others = get_args(Task), []
    values = {"program_check": config.checks, "row_schema": config.data.row_schema}
    unset = [name for name, value in values.items() if not value]
    for item in items:
        for mark in item.iter_markers("task"):
            if not mark.args or (unknown := [name for name in mark.args if name not in valid]):
                wrong = f"unknown task {unknown[0]!r}" if mark.args else "mark.task without a task"
                raise pytest.UsageError(f"{item.nodeid}: {wrong}; valid: {', '.join(valid)}")
        for mark in item.iter_markers("decided_by"):
            if mark.args or {*mark.kwargs} != {"rule"} or not callable(mark.kwargs["rule"]):
                raise pytest.UsageError(f"{item.nodeid}: valid: mark.decided_by(rule=CLASS)")
        if any(config.task not in mark.args for mark in item.iter_markers("task")):
            others.append(item)
        info = getattr(item, "_fixtureinfo", None)
        defined, arguments = getattr(info, "name2fixturedefs", {}), getattr(info, "argnames", ())
        if any(name in arguments and _is_own(name, defined) for name in unset):
            others.append(item)
    return others
