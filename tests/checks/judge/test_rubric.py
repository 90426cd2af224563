"""Rubrics: what is valid, and the one message that a mistake gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from judges import SCALE, YES_NO

from tunegate.errors import ConfigError
from tunegate_checks.judge.rubric import Criterion, Rubric, load_rubric

CRITERIA = """\
name = "courtesy"
instructions = "Judge the reply."
[[criteria]]
id = "polite"
question = "Is it polite?"
[[criteria]]
id = "helpful"
question = "Does it help?"
weight = 3
"""
WITH_SCALE = """\
name = "warmth"
instructions = "How warm?"
scale = [1, 5]
pass_from = 4
[anchors]
1 = "icy"
5 = "warm"
"""


def rubric(tmp_path: Path, text: str) -> Rubric:
    path = tmp_path / "rubric.toml"
    path.write_text(text, "utf-8")
    return load_rubric(path)


def test_criteria(tmp_path: Path) -> None:
    read = rubric(tmp_path, CRITERIA)
    assert [c.id for c in read.criteria] == ["polite", "helpful"]
    assert read.mark({"polite": True, "helpful": False}) == 0.25
    assert not read.passes({"polite": False, "helpful": True})
    assert rubric(tmp_path, "pass_from = 0.75\n" + CRITERIA).passes({"polite": 0, "helpful": 1})


def test_scale(tmp_path: Path) -> None:
    read = rubric(tmp_path, WITH_SCALE)
    assert [read.passes({"score": s}) for s in range(1, 6)] == [False, False, False, True, True]


def test_weights_that_floats_cannot_sum() -> None:
    tenths = tuple(Criterion(id=f"c{i}", question="?", weight=0.1) for i in range(10))
    read = Rubric(name="r", instructions="i", criteria=tenths)
    assert read.passes({c.id: True for c in tenths})
    assert not read.passes({c.id: c.id != "c3" for c in tenths})


def test_the_digest_is_of_what_it_says(tmp_path: Path) -> None:
    same = rubric(tmp_path, "# a comment\n" + CRITERIA.replace("weight = 3", "weight = 3.0"))
    assert same.digest == rubric(tmp_path, CRITERIA).digest
    assert rubric(tmp_path, CRITERIA.replace("weight = 3", "")).digest != same.digest


def test_extremes() -> None:
    assert [YES_NO.mark(m) for m in YES_NO.extremes()] == [0, 1]
    assert [SCALE.mark(m) for m in SCALE.extremes()] == [1, 5]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = 'x", "rubric.toml: "),
        (CRITERIA.replace("name =", "nome ="), "name is missing"),
        (CRITERIA.replace("name =", "nam ="), "unknown key 'nam', did you mean 'name'?"),
        (CRITERIA.replace("id =", "idd =", 1), "unknown key 'criteria.0.idd', did you mean 'id'?"),
        (CRITERIA.replace('question = "Does', 'qestion = "Does'), "did you mean 'question'?"),
        (CRITERIA.replace('"helpful"', '"polite"'), "two criteria have the id 'polite'"),
        (CRITERIA.replace('"helpful"', '"is it"'), "criteria.1.id = 'is it': an id is ASCII"),
        (CRITERIA.replace("weight = 3", "weight = 0"), "criteria.1.weight = 0"),
        (CRITERIA.replace("weight = 3", "weight = nan"), "criteria.1.weight = nan"),
        (CRITERIA.replace('"Does it help?"', '" "'), "criteria.1.question = ' ': an empty text"),
        ("pass_from = 2\n" + CRITERIA, "pass_from = 2: a share of the weights"),
        ("scale = [1, 5]\n" + CRITERIA, "both criteria and a scale"),
        ('name = "n"\ninstructions = "i"', "neither criteria nor a scale"),
        (WITH_SCALE.replace("[1, 5]", "[5, 1]"), "scale = [5, 1]: the lowest score, then a higher"),
        (WITH_SCALE.replace("[1, 5]", "[1]"), "scale"),
        (WITH_SCALE.replace("\n5 =", "\n6 ="), "anchors.6: not a score of the scale"),
        (WITH_SCALE.replace("5 = ", "4 = "), "must say at least what 1 and 5 mean"),
        (WITH_SCALE.replace("pass_from = 4", ""), "pass_from: from which score on"),
        (WITH_SCALE.replace("pass_from = 4", "pass_from = 1"), "above 1, at most 5"),
    ],
)
def test_a_mistake_is_told(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        rubric(tmp_path, text)
    assert told in str(error.value)
    assert all(
        line.startswith(str(tmp_path / "rubric.toml")) for line in str(error.value).split("\n")
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"the rubric .*nowhere.toml cannot be read: No such file"
    ):
        load_rubric(tmp_path / "nowhere.toml")
