"""The configuration: a mistake is told in a line that names it, and what is valid."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunegate.config.project import find_root
from tunegate.config.schema import Limits, load
from tunegate.errors import ConfigError
from tunegate.results.score import Limit


def configured(root: Path, text: str, name: str = "tunegate.toml") -> Path:
    (root / name).write_text(text, "utf-8")
    return root


def test_nothing_said_is_the_defaults(tmp_path: Path) -> None:
    config = load(configured(tmp_path, ""))
    assert (config.task, config.suites.data, config.limits.accuracy) == (
        "classification",
        "suites/data",
        0.95,
    )


def test_pyproject_says_the_same(tmp_path: Path) -> None:
    text = "[limits]\naccuracy = 0.9\nown = { rouge = 0.3 }\n"
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    pyproject = text.replace("[limits]", "[tool.tunegate.limits]")
    assert load(configured(one, text)) == load(configured(other, pyproject, "pyproject.toml"))
    assert load(one).limits.own["rouge"] == 0.3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limit = 1", "unknown key 'limit', did you mean 'limits'?; valid here: task, "),
        ("[limits]\nacuracy = 0.9", "unknown key 'limits.acuracy', did you mean 'accuracy'?"),
        ("[data]\nzzz = 'x'", "unknown key 'data.zzz'; valid here: train, validation, test"),
        ("[limits]\naccuracy = 1.5", "limits.accuracy = 1.5: "),
        ("[limits]\naccuracy = 'high'", "limits.accuracy = 'high': "),
        ("[limits]\naccuracy = -0.1", "limits.accuracy = -0.1: Input should be greater than or "),
        ("[limits]\naccuracy = '0.9'", "limits.accuracy = '0.9': Input should be a valid number"),
        ("[limits]\naccuracy = true", "limits.accuracy = True: Input should be a valid number"),
        ("[limits]\npsi = nan", "limits.psi = nan: Input should be a finite number"),
        ("[limits]\npsi = -1", "limits.psi = -1: Input should be greater than or equal to 0"),
        ("[limits]\nlargest_mb = -inf", "limits.largest_mb = -inf: Input should be a finite num"),
        ("[limits]\nlatency_p50 = inf", "limits.latency_p50 = inf: Input should be a finite "),
        ("[limits]\nsmallest_test = -3", "limits.smallest_test = -3: Input should be greater "),
        ("[limits]\nfewest_examples = -5", "limits.fewest_examples = -5: Input should be grea"),
        ("[limits]\nfewest_examples = true", "limits.fewest_examples = True: Input should be a v"),
        ("[limits]\nown = { x = nan }", "limits.own.x = nan: Input should be a finite number"),
        ("[limits]\nown = { x = 'a' }", "limits.own.x = 'a': Input should be a valid number"),
        ("[limits]\nown = { x = true }", "limits.own.x = True: Input should be a valid number"),
        ("[limits]\nvalidation_low = 0.3", "validation_low = 0.3 is above validation_high = 0.2"),
        ("[compare]\nb = 'x'", "compare.b = 'x': Input should be a table"),
        ("[compare.b]", 'compare.b.model is missing: write model = "openai:gpt-4o-mini"'),
        ("[compare.b]\nmodle = 'x'", "compare.b.model is missing: write model = "),
        ("[checks.b]", 'checks.b.command is missing: write command = ["node", "house.mjs"]'),
        ("[checks.b]\ncommand = 'x'", "checks.b.command = 'x': Input should be a list in [ ]"),
        ("[limits]\npii_ignore = 'cpf'", "limits.pii_ignore = 'cpf': Input should be a list in "),
        ("[limits]\nfields = 0.9", "limits.fields = 0.9: Input should be a table"),
        ("[limits]\n[limits]", "[limits] stands twice: keep one (at line 2, column 8)"),
        ("[limits.own]\n[limits.own]", "[limits.own] stands twice: keep one (at line 2"),
        ("task = 'qa'\ntask = 'qa'", "the key has a value already: keep one (at "),
        ("task = code", "no value: a text stands in quotes (at line 1, column 8)"),
        ("[limits.compare.b]\ncost_ratio = 1", "limits.compare.b: no model [compare.b]"),
        (
            "[compare.gpt]\nmodel = 'x'\n[limits.compare.gtp]\ncost_ratio = 1",
            "limits.compare.gtp: no model [compare.gtp], did you mean 'gpt'?",
        ),
        ("[compare.b]\nmodel = 'x'\n[limits.compare.b]\ncost_ratio = 0", "limits.compare.b.cost_"),
        ("[compare.b]\nmodel = 'x'\n[limits.compare.b]\nratio = 1", "unknown key 'limits.compare"),
        ("baseline = 'x'\n[compare.baseline]\nmodel = 'y'", "baseline and [compare.baseline] are"),
        ("[tokens]\nprice_per_million = inf", "tokens.price_per_million = inf: Input should be "),
        ("task = 'poetry'", "task = 'poetry': Input should be 'classification', 'multilabel', "),
        ("suites = 3", "suites = 3: "),
        ("[limits\n", "at line 1"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(configured(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path / 'tunegate.toml'}: ")
    assert said in str(raised.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(configured(tmp_path, "taks = 1\n[limits]\naccuracy = 2\n"))
    assert len(str(raised.value).splitlines()) == 2


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").write_bytes(b"# x\ntask = '\xff'")
    with pytest.raises(ConfigError, match="line 2 is not UTF-8: save the file as UTF-8"):
        load(tmp_path)


def test_two_configurations(tmp_path: Path) -> None:
    configured(configured(tmp_path, ""), "[tool.tunegate]\n", "pyproject.toml")
    with pytest.raises(ConfigError, match="keep one"):
        find_root(tmp_path)


@pytest.mark.parametrize("table", ["[tool.tunegated]", "[tool.ruff]", "# [tool.tunegate]"])
def test_other_peoples_pyproject(tmp_path: Path, table: str) -> None:
    (tmp_path / ".git").mkdir()
    configured(tmp_path, f"{table}\n", "pyproject.toml")
    assert find_root(tmp_path) is None


def test_it_is_looked_for_no_higher_than_the_repository(tmp_path: Path) -> None:
    configured(tmp_path, "")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_root(inner) == tmp_path
    (tmp_path / "a" / ".git").mkdir()
    assert find_root(inner) is None


def test_mistakes_end_a_session_in_one_line(tmp_path: Path, project) -> None:  # type: ignore[no-untyped-def]
    project.add("tunegate.toml", "[limits]\nacuracy = 1\n")
    result = project.pytest("suites/data")
    assert result.code == 4
    assert "did you mean 'accuracy'?" in result.line("ERROR:")
    assert "Traceback" not in result.out


def test_the_models_that_are_compared(tmp_path: Path) -> None:
    """The old key `baseline` is one of them; each has its limits, which carry the mode."""
    text = "[compare.gpt]\nmodel = 'openai:x'\n[limits]\nmode = 'lower'\n"
    text += "[limits.compare.gpt]\ncost_ratio = 1\n"
    config = load(configured(tmp_path, f"baseline = 'file:a'\n{text}"))
    assert config.compared == {"baseline": "file:a", "gpt": "openai:x"}
    limits = config.limits.compare
    assert (limits["baseline"].difference, limits["gpt"].difference) == (None, None)
    ratio = limits["gpt"].cost_ratio
    assert (ratio, isinstance(ratio, Limit) and ratio.mode) == (1.0, "lower")


def test_limits_carry_the_mode(tmp_path: Path) -> None:
    text = '[limits]\nmode = "lower"\nlatency_p50 = 2\nown = { politeness = 0.9 }\n'
    limits = load(configured(tmp_path, text)).limits
    carried = (limits.accuracy, limits.latency_p50, limits.own.politeness)
    assert [limit.mode for limit in carried] == ["lower"] * 3  # type: ignore[union-attr]
    assert Limits().accuracy.mode == "point"  # type: ignore[attr-defined]
    assert json.loads(json.dumps(limits.model_dump()))["own"] == {"politeness": 0.9}
    assert pickle.loads(pickle.dumps(limits)).own.politeness.mode == "lower"


@pytest.mark.parametrize("ask", [lambda own: own["politness"], lambda own: own.politness])
def test_a_limit_of_ones_own_that_is_not_set_is_one_line(ask: Callable[[Any], object]) -> None:
    own = Limits(own={"politeness": 0.9}).own  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as raised:
        ask(own)
    line = "set limits.own.politness in tunegate.toml, did you mean 'politeness'?"
    assert str(raised.value) == line
    assert own.get("politness") is None
    assert not hasattr(own, "politness")
    assert copy.deepcopy(own) == {"politeness": 0.9}


def test_every_limit_is_held_by_a_suite() -> None:
    files = (Path(__file__).parents[3] / "suites").rglob("*.py")
    text = "".join(path.read_text("utf-8") for path in files)
    held = {name for name in Limits.model_fields if re.search(rf"limits\.{name}\b", text)}
    unused = Limits.model_fields.keys() - held
    # Every limit carries `mode`.
    assert unused == {"own", "mode"}
