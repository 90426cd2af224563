"""docs/scores.md names every score there is, says the true defaults, and its code runs."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from tunegate.config.schema import Limits

ROOT = Path(__file__).parents[1]
DOCS = ("scores.md", "scores.pt-BR.md")
SCORES = (
    *("answer_quality", "bertscore", "classification", "codecheck", "compare", "improvement"),
    *("jsonmatch", "memorization", "overfitting", "overlap", "repeats", "robustness", "slices"),
    *("speed", "toolcalls", "contract", "relations"),
)
# What serves a score, and is none: metrics to compare by, tables, lists of what is wrong.
HELP = {
    *("classification.averaged", "classification.classes", "classification.table"),
    *("classification.right", "classification.confused"),
    "compare.Comparison",
    *("compare.adjusted_p_values", "jsonmatch.expected", "jsonmatch.misses", "jsonmatch.table"),
    *("overlap.Tokenizer", "slices.fields", "overfitting.Epoch"),
    *("relations.Case", "relations.Relation", "relations.with_user_texts"),
    *("robustness.add_space", "robustness.add_typo", "robustness.drop_accents"),
    "robustness.title_case",
}


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def public() -> set[str]:
    """Return the functions and classes that the modules of scores define."""
    found = set()
    for name in SCORES:
        module = import_module(f"tunegate_checks.model.{name}")
        for key, value in vars(module).items():
            own = getattr(value, "__module__", "") == module.__name__
            if (
                own
                and not key.startswith("_")
                and (inspect.isfunction(value) or inspect.isclass(value))
            ):
                found.add(f"{name}.{key}")
    return found


@pytest.mark.parametrize("name", DOCS)
def test_every_score_stands_in_it(name: str) -> None:
    named = set(re.findall(r"`(\w+\.\w+)", text(name)))
    assert sorted(public() - HELP - named) == []
    assert sorted(HELP - public()) == []


@pytest.mark.parametrize("name", DOCS)
def test_its_defaults_are_true(name: str) -> None:
    said = re.findall(r"`(\w+) = ([\d.]+)`", text(name))
    assert said
    assert {key: float(value) for key, value in said} == {
        key: getattr(Limits(), key) for key, _ in said
    }


def test_both_languages_say_the_same() -> None:
    one, other = (re.findall(r"`([^`\n]+)`", text(name)) for name in DOCS)
    assert sorted(one) == sorted(other)


@pytest.mark.parametrize("name", DOCS)
def test_every_limit_of_the_suite_stands_in_it(name: str) -> None:
    files = (ROOT / "suites" / "model").glob("*.py")
    used = {key for path in files for key in re.findall(r"limits\.(\w+)", path.read_text("utf-8"))}
    elsewhere = {"mode", "similarity", "judge", "judge_wins"}  # docs/judge.md has the judge's
    named = set(re.findall(r"`(\w+)(?: = [\d.]+)?`", text(name)))
    assert sorted(used - elsewhere - named) == []


@pytest.mark.parametrize("name", DOCS)
def test_its_code_runs(name: str) -> None:
    pytest.importorskip("sacrebleu")
    from tunegate import Predictions
    from tunegate.results.prediction import Prediction

    (code,) = re.findall(r"^```python\n(.*?)^```", text(name), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    test = names["test_better_and_no_worse"]
    good = Predictions([Prediction(i, i + 1, "ask", "a reply", "a reply") for i in range(30)])
    bad = Predictions([Prediction(i, i + 1, "ask", "a reply", "no idea") for i in range(30)])
    test(good, bad)  # type: ignore[operator]
    with pytest.raises(AssertionError):
        test(bad, good)  # type: ignore[operator]
