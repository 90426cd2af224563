"""The public names, all of them: what users import keeps its name and the order of its parameters.

In a check the dataset that is judged comes last among the datasets; in a score the model that
another one is compared with is `over`.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import tunegate
from tunegate.pytest_plugin import fixtures

ROOT = Path(__file__).parents[1]

TUNEGATE = """
Ask ConfigError Dataset Example Finding Findings JudgePanel LabelRule Limits Prediction Predictions
Score TokenizationSpec Unmeasurable check proportion __version__
"""
INTERFACES = """
Answer Budget Model ModelUnknown Plan PricedModel Problem Request Trained Trainer TrainingFailed
"""
SIMILARITY = "connected_groups cross_pairs deduplicate nearest pairs ratio"

TESTING = "datasets faults rows"

FIXTURES = """
ask_model baseline compared_models data_is_generated dataset general_set incumbent inference_prompt
judge_panel label_rule limits loss_curves prediction predictions program_check project_root
readiness row_schema shadow task test tokenization train trained_on validation
"""

# The parameters of each function; those behind a star are given by keyword.
DATA = {
    "balance.find": "dataset * rarest",
    "balance.makeup": "dataset * least",
    "consistency.across": "train other",
    "consistency.inference": "dataset prompt",
    "consistency.labels": "train other",
    "consistency.output_format": "dataset * task",
    "consistency.system_prompt": "dataset",
    "diversity.find": "dataset * task distinct opening",
    "duplicates.find": "dataset",
    "duplicates.near": "dataset * similarity",
    "format.find": "dataset * fewest largest allow",
    "labels.contradictions": "dataset * similarity",
    "labels.errors": "dataset * folds seed",
    "leakage.find": "train test * similarity",
    "pii.find": "dataset * ignore allow names surrogates",
    "preferences.find": "dataset * similarity",
    "review.find": "dataset * folder generated share errors",
    "schema.find": "dataset schema",
    "secrets.find": "dataset * allow",
    "size.enough_test_rows": "test * smallest",
    "size.find": "train * task per_class",
    "size.resolution": "test limit * worse",
    "splits.drift": "train other * psi_limit auc_limit",
    "splits.share": "train validation * low high",
    "tokens.find": "dataset tokenization",
}
MODEL = {
    "answer_quality.cut_off": "predictions * most",
    "answer_quality.refusals": "predictions over * most",
    "bertscore.bertscore": "model * layers rescale batch device",
    "classification.accuracy": "predictions * label every",
    "classification.confusion": "predictions * label",
    "classification.f1": "predictions average * label",
    "classification.frame": "predictions * label",
    "classification.macro_f1": "predictions * label",
    "classification.per_class": "predictions measure * label",
    "classification.precision": "predictions average * label",
    "classification.recall": "predictions average * label",
    "codecheck.parses": "predictions language command",
    "codecheck.passes": "predictions command * timeout suffix",
    "compare.models": "predictions over *metrics",
    "compare.not_inferior": "predictions over metric * margin alpha",
    "compare.superior": "predictions over metric * alpha",
    "contract.kept": "predictions schema * label",
    "improvement.change": "predictions over * label",
    "improvement.of": "predictions * over label enough name",
    "jsonmatch.by_field": "predictions",
    "jsonmatch.fields": "",
    "jsonmatch.valid": "predictions",
    "memorization.extraction": "trained_on ask * probes",
    "memorization.personal_data": "test predictions * ignore allow names",
    "memorization.verbatim": "trained_on test predictions",
    "metric.mean": "name value * signature misses detail",
    "overfitting.find": "curves * most strip",
    "overlap.bleu": "**options",
    "overlap.chrf": "**options",
    "overlap.exact_match": "predictions",
    "overlap.rouge": "kind",
    "relations.relation": "* calls holds",
    "repeats.majority": "predictions * label",
    "repeats.pass_at_k": "predictions * label",
    "repeats.pass_hat_k": "predictions * label",
    "repeats.spread": "predictions *metrics",
    "robustness.flips": "predictions test ask * label calls perturbations",
    "slices.accuracy": "predictions by * label",
    "slices.worst": "predictions * label least",
    "speed.cost_per_1000": "predictions",
    "speed.latency": "predictions quantile",
    "speed.ratio": "predictions over what * name",
    "speed.tokens": "predictions",
    "toolcalls.accuracy": "predictions",
}
JUDGE = {
    "grading.score": "predictions judge rubric",
    "human.win_rate": "predictions over * folder",
    "pairwise.win_rate": "predictions over judge rubric",
}


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("tunegate", TUNEGATE),
        ("tunegate.interfaces", INTERFACES),
        ("tunegate.similarity", SIMILARITY),
        ("tunegate.testing", TESTING),
    ],
)
def test_each_name_is_there_and_no_other(module: str, names: str) -> None:
    loaded = import_module(module)
    assert sorted(loaded.__all__) == sorted(names.split())
    assert [name for name in names.split() if not hasattr(loaded, name)] == []


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'tunegate' has no attribute 'Datasets'"):
        tunegate.Datasets  # noqa: B018


def test_the_fixtures() -> None:
    names = fixtures.own_fixtures()
    assert sorted(names) == sorted(FIXTURES.split())
    functions = {name: inspect.unwrap(getattr(fixtures, name)) for name in names}
    assert [name for name, function in functions.items() if not function.__doc__] == []


PARAMETERS = [
    *((f"tunegate_checks.data.{name}", parameters) for name, parameters in DATA.items()),
    *((f"tunegate_checks.model.{name}", parameters) for name, parameters in MODEL.items()),
    *((f"tunegate_checks.judge.{name}", parameters) for name, parameters in JUDGE.items()),
]


@pytest.mark.parametrize(("path", "parameters"), PARAMETERS)
def test_its_parameters(path: str, parameters: str) -> None:
    module, _, name = path.rpartition(".")
    shown: list[str] = []
    for parameter in inspect.signature(getattr(import_module(module), name)).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        shown.append(stars.get(parameter.kind, "") + parameter.name)
    assert " ".join(shown) == parameters


@pytest.mark.parametrize(
    ("page", "mention", "table"),
    [
        ("checks.md", r"^\| `(\w+\.\w+)` \|", DATA),
        ("scores.md", r"`(?!tunegate|data|findings|score\b)(\w+\.\w+)[(`]", MODEL),
    ],
)
def test_the_docs_name_them_all(page: str, mention: str, table: dict[str, str]) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    assert {*re.findall(mention, text, re.M)} == {*table}


def rendered(page: str) -> list[str]:
    """Return the names whose docstrings a page of the reference shows."""
    return re.findall(r"^::: (\S+)$", (ROOT / "docs/reference" / page).read_text("utf-8"), re.M)


def test_the_reference_shows_all_of_the_public_api() -> None:
    own = [f"tunegate.{name}" for name in TUNEGATE.split() if name != "__version__"]
    similar = [f"tunegate.similarity.{name}" for name in SIMILARITY.split()]
    testing = [f"tunegate.testing.{name}" for name in TESTING.split()]
    assert sorted(rendered("tunegate.md")) == sorted(own + similar + testing)
    interfaces = [f"tunegate.interfaces.{name}" for name in INTERFACES.split()]
    assert sorted(rendered("interfaces.md")) == sorted(interfaces)
    data = [f"tunegate_checks.data.{name}" for name in DATA]
    assert sorted(rendered("data-checks.md")) == sorted(data)
    scores = [f"tunegate_checks.model.{name}" for name in MODEL]
    judge = [f"tunegate_checks.judge.{name}" for name in JUDGE]
    assert sorted(rendered("scores.md")) == sorted(scores + judge)
    text = (ROOT / "docs/reference/fixtures.md").read_text("utf-8")
    assert sorted(re.findall(r"^ +- (\w+)$", text, re.M)) == sorted(FIXTURES.split())
