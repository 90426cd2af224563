"""The share of validation, and splits that are of another kind than the training set."""

import math
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tunegate import Dataset
from tunegate.data.dataset import Reading
from tunegate.data.splitting import similar_groups
from tunegate_checks.data import diversity, labels, splits

WORDS = [
    "parcel",
    "invoice",
    "refund",
    "login",
    "late",
    "broken",
    "where",
    "when",
    "thanks",
    "please",
    "order",
    "money",
]


def dataset(
    n: int, split: str = "train", seed: int = 0, words: int = 8, extra: str = ""
) -> Dataset:
    rng = random.Random(f"{split}{seed}")
    rows = []
    for i in range(n):
        text = " ".join([extra, *rng.choices(WORDS, k=rng.randint(words - 4, words + 4))])
        turns = [("user", text), ("assistant", "ab"[i % 2])]
        rows.append({"messages": [{"role": r, "content": c} for r, c in turns]})
    return Dataset.of(rows, split)


@pytest.mark.parametrize("n", [15, 17, 20])
def test_a_share_within_bounds_is_silent(n: int) -> None:
    assert not splits.share(dataset(100 - n), dataset(n, "validation"))


@pytest.mark.parametrize(("train", "validation"), [(6, 1), (5, 1), (851, 150), (799, 200), (17, 3)])
def test_less_than_one_example_off_is_not_off(train: int, validation: int) -> None:
    assert not splits.share(dataset(train), dataset(validation, "validation"))


@pytest.mark.parametrize(
    ("n", "move"),
    [(14, "move 1 from train to validation"), (30, "move 10 to train"), (0, "move 15 from train")],
)
def test_a_share_out_of_bounds_says_what_to_move(n: int, move: str) -> None:
    (finding,) = splits.share(dataset(100 - n), dataset(n, "validation"))
    assert move in finding.evidence
    assert f"validation has {n} of 100 examples, {n} %; 15 to 20 % is valid" in finding.evidence


def test_splits_of_one_kind_are_silent() -> None:
    for seed in range(3):
        result = splits.drift(dataset(400), dataset(120, "test", seed))
        assert not result
        assert not result.hints


def relabelled(data: Dataset, share: float) -> Dataset:
    rows = []
    for i, example in enumerate(data):
        label = "a" if i < share * len(data) else "b"
        rows.append({"messages": [example.messages[0], {"role": "assistant", "content": label}]})
    return Dataset.of(rows, data.split)


def test_other_labels_are_a_finding_and_slightly_other_ones_a_hint() -> None:
    train, test = dataset(600), dataset(300, "test")
    assert not splits.drift(train, relabelled(test, 0.55))
    slightly = splits.drift(train, relabelled(test, 0.68))
    assert not slightly
    assert [f.kind for f in slightly.hints] == ["drift"]
    (finding,) = splits.drift(train, relabelled(test, 0.9))
    assert finding.evidence.startswith("labels differ from train's: PSI 0.")
    assert "'a': 50 % of train, 90 % here" in finding.evidence or "'b'" in finding.evidence


@pytest.mark.parametrize(("share", "found"), [(0.735, 0), (0.7425, 1)])
def test_labels_are_a_finding_from_a_quarter_of_psi_on(share: float, found: int) -> None:
    result = splits.drift(dataset(600), relabelled(dataset(300, "test"), share))
    (said,) = [*result, *result.hints]
    assert ("PSI 0.26" if found else "PSI 0.24") in said.evidence
    assert len(result) == found


def labelled(split: str, **counts: int) -> Dataset:
    letters = "".join(label * n for label, n in counts.items())
    prompts = [e.messages[0] for e in dataset(len(letters), split)]
    replies = [{"role": "assistant", "content": label} for label in letters]
    return Dataset.of(
        [{"messages": list(pair)} for pair in zip(prompts, replies, strict=True)], split
    )


def test_the_class_whose_share_changed_most_is_named() -> None:
    train, other = labelled("train", a=360, b=180, c=60), labelled("test", a=165, b=30, c=105)
    (finding,) = splits.drift(train, other)
    assert finding.evidence.endswith("most of all 'c': 10 % of train, 35 % here")
    again = labelled("test", a=30, b=165, c=105)
    assert "most of all 'a': 60 % of train, 10 % here" in splits.drift(train, again)[0].evidence


def test_a_limit_that_is_reached_is_not_exceeded() -> None:
    train, other = labelled("train", a=300, b=300), labelled("test", a=225, b=75)
    index = splits.psi(Counter(a=300, b=300), Counter(a=225, b=75))
    assert len(splits.drift(train, other, psi_limit=index).hints) == 1
    assert not splits.drift(train, other, psi_limit=index)
    assert splits.drift(train, other, psi_limit=index * 0.999)


def test_the_psi_of_chance_is_a_quantile_of_chi_squared() -> None:
    ours, theirs = Counter(a=50, b=30, c=20), Counter(a=20, b=5)
    assert splits.psi_by_chance(ours, theirs) == pytest.approx(
        (1 / 100 + 1 / 25) * 9.2103, rel=1e-4
    )
    assert splits.psi_by_chance(Counter(a=9), Counter(a=1)) == pytest.approx(
        (1 / 9 + 1) * 6.6349, 1e-4
    )


def test_other_lengths_are_a_finding() -> None:
    (finding,) = splits.drift(dataset(400), dataset(120, "test", words=14))
    assert finding.evidence.startswith("prompt lengths differ from train's")


def test_small_splits_of_one_kind_do_not_drift_by_chance() -> None:
    for seed in range(20):
        assert not splits.drift(dataset(100), dataset(15, "test", seed))


def test_other_words_are_a_hint_or_a_finding_where_a_limit_is_given() -> None:
    train = dataset(300, extra="morning")
    test = dataset(100, "test", extra="evening")
    result = splits.drift(train, test)
    assert not result
    assert "AUC 1.00" in result.hints[0].evidence
    assert splits.drift(train, test, auc_limit=0.8).kinds == {"drift": 1}
    assert not splits.drift(train, dataset(100, "test", extra="morning"), auc_limit=0.6)


def test_splits_that_share_words_are_told_apart_by_their_ranks() -> None:
    """Of one word each: 0.825 of the pairs are in order, ties for half; by a yes or no, 0.75."""
    ours = ["early"] * 60 + ["noon"] * 30 + ["late"] * 10
    theirs = ["early"] * 10 + ["noon"] * 30 + ["late"] * 60
    assert splits.classifier_auc(ours, theirs) == pytest.approx(0.825, abs=0.03)


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (60, 60, ""),
        (61, 25, ", on 25 of 25 rows, and 60 of train's"),
        (25, 61, ", on 60 of 61 rows, and 25 of train's"),
    ],
)
def test_a_sample_is_said_to_be_one(
    ours: int, theirs: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "MAX_SAMPLE", 60)
    sides = dataset(ours, extra="morning"), dataset(theirs, "test", extra="evening")
    (finding,) = splits.drift(*sides, auc_limit=0.6)
    assert re.search(rf"\([\d.]+ to 1\.00{told}\); at most 0\.6 is allowed$", finding.evidence)


def test_drift_says_the_same_each_time() -> None:
    train, test = dataset(300, extra="morning"), dataset(100, "test", words=9)
    assert splits.drift(train, test, auc_limit=0.1) == splits.drift(train, test, auc_limit=0.1)


def test_empty_splits_have_no_drift() -> None:
    assert not splits.drift(Dataset([]), dataset(5))
    assert not splits.drift(dataset(5), Dataset([]))


def test_psi_is_the_textbook_sum() -> None:
    p, q = Counter(a=5000, b=5000), Counter(a=2500, b=7500)
    textbook = 0.25 * math.log(0.75 / 0.5) - 0.25 * math.log(0.25 / 0.5)
    assert splits.psi(p, q) == pytest.approx(textbook, rel=1e-3)
    assert splits.psi(p, p) == 0
    assert math.isfinite(splits.psi(Counter(a=10), Counter(b=10)))


LETTERS = "我想退款订单查询物流到哪里了请帮忙谢谢取消修改地址电话发票收据账单密码登录"
KINDS: dict[str, Callable[[random.Random, int], Any]] = {
    "pictures": lambda rng, n: [{"type": "image_url", "image_url": {"url": f"{n}.png"}}],
    "a word of its own": lambda rng, n: f"SKU{rng.randrange(10**9)}",
    "Chinese": lambda rng, n: "".join(rng.choices(LETTERS, k=9)),
    "Thai": lambda rng, n: "".join(rng.choices("กขคงจฉชซฌญ", k=14)),
    "emoji": lambda rng, n: "".join(rng.choices("😀😡🎉💔🔥", k=5)),
    "code": lambda rng, n: f"x[{n:03}] = {{'a': {rng.randrange(10**5, 10**6)}}};",
    "blank": lambda rng, n: " ",
}


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_of_every_kind_are_compared_or_let_be(kind: str) -> None:
    rng, make = random.Random(0), KINDS[kind]
    rows = [
        {"messages": [{"role": "user", "content": make(rng, n)},
                      {"role": "assistant", "content": rng.choice("ab")}]}
        for n in range(140)
    ]  # fmt: skip
    train, test = Dataset.of(rows[:100], "train"), Dataset.of(rows[100:], "test")
    assert not splits.drift(train, test, auc_limit=0.8)
    assert not labels.errors(train)
    assert not diversity.find(train, task="classification")


def test_chinese_splits_that_differ_are_told_apart() -> None:
    rng = random.Random(0)
    one, other = (
        ["".join(rng.choices(half, k=9)) for _ in range(60)]
        for half in (LETTERS[:20], LETTERS[20:])
    )
    assert splits.classifier_auc(one, other) > 0.95


def test_what_tells_users_apart_is_no_drift_where_users_are_kept_together() -> None:
    rng = random.Random(0)
    rows = []
    for user in range(40):
        words = [f"user{user:02}word{k}" for k in range(4)]
        texts = [" ".join(rng.sample(words, 3)) for _ in range(6)]
        rows += [{"messages": [{"role": "user", "content": t}], "user": user} for t in texts]
    reading = Reading(group_by=("user",))
    train, test = (Dataset.of(side, reading=reading) for side in (rows[:180], rows[180:]))
    assert not splits.drift(train, test, auc_limit=0.8)
    few = splits.drift(train, Dataset.of(rows[216:], reading=reading), auc_limit=0.8)
    assert any("a split has 4 groups, and 5 are needed" in f.evidence for f in few.hints)


def test_what_tells_conversations_apart_is_no_drift_where_their_turns_are_kept_together() -> None:
    rng, rows = random.Random(0), []
    for talk in range(24):
        told: list[dict[str, str]] = []
        for turn in range(6):
            said = " ".join(f"talk{talk}word{rng.randrange(30)}" for _ in range(4))
            told += [{"role": "user", "content": said}, {"role": "assistant", "content": f"{turn}"}]
            rows.append({"messages": [*told]})
    train, test = Dataset.of(rows[:108]), Dataset.of(rows[108:])
    assert not splits.drift(train, test, auc_limit=0.8)
    alone = [{"messages": row["messages"][-2:]} for row in rows]  # nothing says what belongs
    (found,) = splits.drift(Dataset.of(alone[:108]), Dataset.of(alone[108:]), auc_limit=0.8)
    assert "groups" not in found.evidence
    for row in rows:
        row["messages"][0]["content"] += " here" if row in rows[108:] else " there"
    apart = splits.drift(Dataset.of(rows[:108]), Dataset.of(rows[108:]), auc_limit=0.5)
    assert "6 groups are held to 18 of train's" in apart[0].evidence


def test_counting_terms_once_changes_no_fold() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    rng = random.Random(4)
    words = [f"w{n}" for n in range(60)]
    truth = [int(k % 3 > 0) for k in range(90)]  # the smaller side weighs as much as the other
    texts = [" ".join(rng.choices(words[12 * side :], k=6)) for side in truth]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2),
        LogisticRegression(class_weight="balanced", solver="liblinear"),
    )
    ordered = sorted(range(90), key=truth.__getitem__)
    decisions = cross_val_predict(
        model, [texts[k] for k in ordered], [truth[k] for k in ordered],
        method="decision_function", cv=StratifiedKFold(5, shuffle=True, random_state=0),
    )  # fmt: skip
    plain = roc_auc_score([truth[k] for k in ordered], decisions)
    sides = ([texts[k] for k in ordered[:30]], [texts[k] for k in ordered[30:]])
    assert splits.classifier_auc(*sides) == pytest.approx(plain, abs=1e-9)


SYLLABLES = [a + b for a in "bdfglmnprst" for b in ("al", "en", "ir", "ot", "ul")]


def asked_of_documents(documents: int, letters: str) -> list[dict[str, Any]]:
    """Four questions on each document, whose words are its own."""
    rng, rows = random.Random(1), []
    for _ in range(documents):
        words = ["".join(rng.choices(SYLLABLES, k=2)) for _ in range(9)]
        text = " ".join(rng.choices(words, k=14))
        for asked in rng.sample(["who came", "what is left", "how much is", "when was"], 4):
            told = f"Receipt: {text}\n\n{asked} {rng.choice(words)} {letters}?"
            rows.append({"messages": [{"role": "user", "content": told}]})
    return rows


def test_what_tells_documents_apart_is_no_drift_where_their_questions_are_kept_together() -> None:
    rows = asked_of_documents(60, "then")
    parts = similar_groups(Dataset.of(rows), 0.85)
    assert len(parts) == 60
    train, test = (
        Dataset.of([rows[i] for part in side for i in part]) for side in (parts[:44], parts[44:])
    )
    assert not splits.drift(train, test, auc_limit=0.65)
    other = Dataset.of(asked_of_documents(76, "as she said to him in the evening")[64 * 4 :])
    found = splits.drift(train, other, auc_limit=0.65)
    assert "12 groups are held to 44 of train's" in found[-1].evidence


@pytest.mark.parametrize(("n", "hints"), [(20, 1), (19, 0)])
def test_a_classifier_needs_twenty_rows_of_each_split(n: int, hints: int) -> None:
    train, test = dataset(40, extra="morning"), dataset(n, "test", extra="evening")
    assert len(splits.drift(train, test).hints) == hints


def test_the_standard_error_of_an_auc_is_that_of_hanley_and_mcneil() -> None:
    assert splits.auc_standard_error(0.8, 10, 20) == pytest.approx(0.0935711, abs=1e-7)
    assert splits.auc_standard_error(0.5, 30, 30) == pytest.approx(math.sqrt(61 / 12 / 900))
