"""What people prefer: whose ratings count, in which order they are asked, what comes of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judges import YES_NO, judge_panel

from tunegate import ConfigError, Predictions, Unmeasurable
from tunegate.results.prediction import Prediction
from tunegate_checks.judge import pairwise
from tunegate_checks.judge.calibration import load_human_labels
from tunegate_checks.judge.human import Ratings, win_rate

SYSTEM = {"role": "system", "content": "s"}


def answers(*texts: str, digest: str = "m", test: str = "t", group: str = "") -> Predictions:
    """Return the answers of a model; an empty text stands for none."""
    rows = [
        Prediction(
            i, i + 1, f"question {i}", "", text, "" if text else "timeout",
            given=[SYSTEM, {"role": "user", "content": f"question {i}"}], group=group,
            request=f"request {i}",
        )
        for i, text in enumerate(texts)
    ]  # fmt: skip
    return Predictions(rows, model=digest, test=test, digest=digest)


def rated(folder: Path, mine: Predictions, other: Predictions, **said: str) -> Ratings:
    """Rate the pairs in the order in which they are asked: a, o and t for who is better."""
    ratings = Ratings(folder, mine, other)
    for who, letters in said.items():
        for pair, letter in zip(ratings.asked.values(), letters, strict=False):
            better = {"a": "answer", "o": "other", "t": "tie"}.get(letter)
            if better:
                ratings.save(who, pair, better)
    ratings.read()
    return ratings


MINE = answers(*(f"mine {i}" for i in range(40)))
OTHER = answers(*(f"other {i}" for i in range(40)), digest="b")


def test_what_is_rated_is_a_score(tmp_path: Path) -> None:
    rated(tmp_path, MINE, OTHER, ana="a" * 14 + "t" * 2 + "o" * 4)
    score = win_rate(MINE, OTHER, folder=tmp_path)
    assert (float(score), score.n, score.errors) == (0.75, 20, 0)
    assert score.low < 0.75 < score.high
    assert score.misses is not None
    assert len(score.misses) == 4
    assert "14 won, 2 tied, 4 lost" in score.signature
    assert score >= 0.5
    with pytest.raises(Unmeasurable, match="not rated: tunegate review rate"):
        assert win_rate(OTHER, MINE, folder=tmp_path) >= 0.5


def test_half_of_an_emoji_in_an_answer_can_be_rated(tmp_path: Path) -> None:
    mine, other = answers("fine \ud83d", "b"), answers("c", "d", digest="b")
    rated(tmp_path, mine, other, ana="aa")
    assert win_rate(mine, other, folder=tmp_path).n == 2


def test_a_role_that_no_label_has_is_shown_as_a_tool(tmp_path: Path) -> None:
    odd = [{"role": "ipython", "content": "4"}, {"role": "user", "content": "?"}]
    mine, other = (
        Predictions([replace(p, given=odd) for p in of][:2], digest=of.digest)
        for of in (MINE, OTHER)
    )
    (pair, *_) = rated(tmp_path, mine, other, ana="a").asked.values()
    assert [turn.role for turn in pair.line.messages] == ["tool"]


def test_ratings_are_found_from_a_folder_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated(tmp_path / "reviews", MINE, OTHER, ana="aa")
    (tmp_path / "tunegate.toml").touch()
    (tmp_path / "suites").mkdir()
    monkeypatch.chdir(tmp_path / "suites")
    assert win_rate(MINE, OTHER).n == 2


def test_two_raters_count_as_their_mean_and_agree_by_kappa(tmp_path: Path) -> None:
    ratings = rated(tmp_path, MINE, OTHER, ana="aaoo" * 5, rui="aaot" * 3, eva="a")
    assert sorted({*ratings.values.values()}) == [0.0, 0.25, 1.0]
    facts = [line for line in ratings.facts() if "kappa" in line]
    assert facts[0].startswith("ana and rui: kappa 0.60 (")
    assert facts[0].endswith("12 pairs")
    assert len(facts) == 1  # of one pair there is no kappa


def test_answers_alike_are_ties_and_missing_ones_are_errors(tmp_path: Path) -> None:
    mine = answers("same", "", *(f"m{i}" for i in range(8)))
    other = answers("same", "x", *(f"o{i}" for i in range(7)), "", digest="b")
    ratings = rated(tmp_path, mine, other, ana="a" * 7)
    assert len(ratings.asked) == 7
    score = win_rate(mine, other, folder=tmp_path)
    # Those after the last pair that was rated are not in the sample.
    behind = [p for p in ratings.pairs if p.key in ratings.asked][-1]
    n = ratings.pairs.index(behind) + 1
    seen = ratings.pairs[:n]
    ties = sum(not p.error and p.key not in ratings.asked for p in seen)
    assert score.n == n
    assert float(score) == pytest.approx((7 + ties / 2) / n)
    assert score.best_case == pytest.approx((7 + ties / 2 + score.errors) / n)


def test_a_pair_that_was_skipped_is_left_out(tmp_path: Path) -> None:
    rated(tmp_path, MINE, OTHER, ana="a-o-a")
    score = win_rate(MINE, OTHER, folder=tmp_path)
    assert (score.n, float(score)) == (3, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (answers(*(f"mine {i}" for i in range(40)), digest="new"), OTHER),
        (MINE, answers(*(f"other {i}" for i in range(40)), digest="new")),
        (answers(*(f"mine {i}" for i in range(40)), test="new"), OTHER),
        (answers(*(f"changed {i}" for i in range(40))), OTHER),
        (MINE, answers(*(f"changed {i}" for i in range(40)), digest="b")),
    ],
)
def test_ratings_of_other_answers_do_not_count(
    mine: Predictions, other: Predictions, tmp_path: Path
) -> None:
    rated(tmp_path, MINE, OTHER, ana="a" * 9)
    score = win_rate(mine, other, folder=tmp_path)
    assert math.isnan(score)
    assert score.hints[-1] == "9 ratings of other models, rows or answers do not count"
    after = rated(tmp_path, mine, other, ana="o" * 2)
    assert len(after.values) == 2
    assert rated(tmp_path, MINE, OTHER).values.keys() != after.values.keys()
    assert len(rated(tmp_path, MINE, OTHER).values) == 9


def test_how_many_more_it_takes(tmp_path: Path) -> None:
    (few,) = rated(tmp_path, MINE, OTHER, ana="aaao").facts()
    assert few.startswith("4 of 40 pairs rated; about ")
    assert "more until it is certain (95 %), at this share" in few
    (sure,) = rated(tmp_path, MINE, OTHER, ana="a" * 20).facts()
    assert sure == "20 of 40 pairs rated; it is certain which people prefer (95 %)"
    (even,) = rated(tmp_path / "even", MINE, OTHER, ana="ao" * 5).facts()
    assert even.endswith("; how many more it takes until it is certain cannot be said")
    grouped = answers(*(f"g {i}" for i in range(9)), group="one")
    others = answers(*(f"h {i}" for i in range(9)), group="one", digest="b")
    (never,) = rated(tmp_path, grouped, others, ana="a" * 9).facts()
    assert never == "9 of 9 pairs rated; how many more it takes until it is certain cannot be said"


def test_it_is_seldom_certain_where_neither_is_better() -> None:
    """The bound holds at every look: of 400 series of ratings, 5 % at most end in a claim."""
    import random

    from tunegate_checks.model.stopping import ALPHA, evidence

    def claims(seed: int) -> bool:
        draw, won = random.Random(seed), 0
        for n in range(1, 121):
            won += draw.random() < 0.5
            if max(evidence(won, n - won, n, 0), evidence(n - won, won, n, 0)) >= 2 / ALPHA:
                return True
        return False

    assert sum(map(claims, range(400))) <= 400 * ALPHA


def test_a_harmed_file_is_told(tmp_path: Path) -> None:
    rated(tmp_path, MINE, OTHER, ana="a")
    (path,) = tmp_path.glob("ratings-*.jsonl")
    path.write_text('{"prompt": 1}\n')
    with pytest.raises(ConfigError, match="holds no ratings: restore it, or remove it"):
        win_rate(MINE, OTHER, folder=tmp_path)


def test_a_file_is_private_and_names_no_model(tmp_path: Path) -> None:
    rated(tmp_path, MINE, OTHER, ana="aot")
    (path,) = tmp_path.glob("ratings-*.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["better"] for line in lines] == ["answer", "other", "tie"]
    assert {line["who"] for line in lines} == {"ana"}


def test_a_file_calibrates_a_judge(tmp_path: Path) -> None:
    rated(tmp_path, MINE, OTHER, ana="ao" * 15)
    (path,) = tmp_path.glob("ratings-*.jsonl")
    labels = load_human_labels(path, YES_NO)
    assert len(labels.compared) == 30
    assert labels.graded == []
    assert dict(labels.compared[0].item.setting) == {"system": "s"}
    better = {(x.item.answer, x.other): x.better for x in labels.compared}

    def agreeing(data: dict[str, str]) -> dict[str, str]:
        swapped = {"a": "b", "b": "a"}
        first = better.get((data["a"], data["b"]))
        return {"reason": "r", "better": first or swapped[better[data["b"], data["a"]]]}

    calibration = pairwise.calibrate_pairwise(YES_NO, judge_panel(agreeing, labels=path))
    assert not calibration.reason
    assert "kappa 1.00" in calibration.measured


def test_the_same_request_twice_is_asked_once(tmp_path: Path) -> None:
    twice = Predictions([*MINE, replace(MINE[0], row=40, line=41)], model="m", test="t", digest="m")
    other = Predictions(
        [*OTHER, replace(OTHER[0], row=40, line=41)], model="b", test="t", digest="b"
    )
    ratings = rated(tmp_path, twice, other, ana="a" * 40)
    assert (len(ratings.pairs), len(ratings.asked)) == (41, 40)
    assert win_rate(twice, other, folder=tmp_path).n == 40  # requests; see stats.Units


WORDS = st.text("abc", min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12),
    who=st.text("xyz", min_size=1, max_size=4),
    turned=st.booleans(),
)
def test_the_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[tuple[str, str]],
    who: str,
    turned: bool,
) -> None:
    """Who goes by the texts alone says the same of the same answers, however they are shown."""
    mine = answers(*(first for first, _ in texts))
    other = answers(*(second for _, second in texts), digest="b")
    if turned:
        mine, other = other, mine
    folder = tmp_path_factory.mktemp("ratings")
    ratings = Ratings(folder, mine, other)
    for pair in ratings.asked.values():
        sides = pair.sides(who)
        left, right = (getattr(pair.line, sides[side]) for side in ("left", "right"))
        choice = "tie" if len(left) == len(right) else max(sides, key=lambda s: len(
            getattr(pair.line, sides[s])))  # fmt: skip
        ratings.save(who, pair, sides.get(choice, choice))
    ratings.read()
    first, second = (1, 0) if turned else (0, 1)
    for pair in ratings.asked.values():
        a, b = texts[pair.mine.row][first], texts[pair.mine.row][second]
        assert ratings.values[pair.key] == (
            1 if len(a) > len(b) else 0.5 if len(a) == len(b) else 0
        )


def test_either_side_is_as_likely() -> None:
    pairs = Ratings(Path("none"), MINE, OTHER).asked.values()
    left = [pair.sides(who)["left"] == "answer" for pair in pairs for who in map(str, range(50))]
    assert 0.45 < sum(left) / len(left) < 0.55
