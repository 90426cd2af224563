"""What is printed, block by block: no line longer than 80, and colour adds nothing but colour."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Finding, Findings, Score
from tunegate.reporting.terminal import (
    behind_label,
    colourise,
    explain_failure,
    failure_tables,
    findings_table,
    session_summary,
)
from tunegate.results.outcome import collect_outcomes
from tunegate.results.score import clopper_pearson, proportion

FOUND = [
    Finding(None, None, "balance", "the rarest class has 3 of 400 examples"),
    Finding(4, 5, "cpf", "529.***.***-25 in the user's message"),
    Finding(1233, 1234, "email", "a***@example.com, said twice: once in the question, and again in"
            " the assistant's reply below the signature of the agent"),
]  # fmt: skip


NEEDLESS = "the base model alone is right 96.0% of the time, and the limit is 95.0%: no fine-tuning"
GAIN = Score(-0.02, name="improvement", n=480, low=-0.05, high=-0.01, hints=[NEEDLESS])
F1 = Score(0.871, name="macro F1", n=500, low=0.84, high=0.89, signature="f1|macro")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def block(text: str) -> str:
    return dedent(text).strip("\n")


def test_a_table() -> None:
    assert findings_table(FOUND).splitlines() == [
        "   line  kind     evidence",
        "      -  balance  the rarest class has 3 of 400 examples",
        "      5  cpf      529.***.***-25 in the user's message",
        "  1,234  email    a***@example.com, said twice: once in the question, and again",
        "                  in the assistant's reply below the signature of the agent",
    ]


def test_a_long_table_says_what_is_left_out() -> None:
    many = [Finding(i, i + 1, "cpf", "x" * i) for i in range(1500)]
    lines = findings_table(many).splitlines()
    assert len(lines) == 14
    assert lines[-1] == "         1,488 more; -v shows more, -vv all"
    assert len(findings_table(many[:20], rows=50).splitlines()) == 21
    assert "more;" not in findings_table(many, rows=0)


def test_one_cause_in_many_rows_is_shown_by_three_examples() -> None:
    many = [Finding(i, i + 1, "label", f"'{i}' for 'a' ({i} rows): spell it") for i in range(700)]
    lines = findings_table(many).splitlines()
    assert len(lines) == 5
    assert lines[-1] == "         697 more like these; -v shows more, -vv all"
    two = findings_table([*many, *(Finding(i, i + 1, "cpf", "no") for i in range(20))]).splitlines()
    assert (len(two), two[-1].strip()) == (8, "714 more like these; -v shows more, -vv all")
    assert len(findings_table(many, rows=50).splitlines()) == 52
    assert len(findings_table(many[:12]).splitlines()) == 13


def test_evidence_is_cut_at_two_lines_unless_all_is_asked_for() -> None:
    wordy = [Finding(0, 1, "kind", "word " * 100)]
    lines = findings_table(wordy).splitlines()
    assert len(lines) == 3
    assert lines[-1].endswith("word ...")
    assert "..." not in findings_table(wordy, rows=0)


def test_beside_an_id_evidence_is_not_cut_shorter_than_without() -> None:
    wordy = [Finding(0, 1, "near contradiction", "word " * 19)]
    plain, with_id = findings_table(wordy), findings_table(wordy, ids=True)
    assert "..." not in plain + with_id
    assert plain.count("word") == with_id.count("word") == 19


lines_of_text = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=200)


@given(st.lists(st.tuples(st.text("abc-", min_size=1, max_size=30), lines_of_text), max_size=20))
def test_no_line_is_longer_than_80(items: list[tuple[str, str]]) -> None:
    found = [Finding(i, i + 1, kind, evidence) for i, (kind, evidence) in enumerate(items)]
    for rows in (12, 0):
        assert all(len(line) <= 80 for line in findings_table(found, rows).split("\n"))


@given(st.lists(st.tuples(st.text("ab c,1", max_size=12), lines_of_text), max_size=20))
def test_colour_adds_nothing_but_colour(items: list[tuple[str, str]]) -> None:
    table = findings_table([Finding(i, i + 1, k, e) for i, (k, e) in enumerate(items)])
    assert plain(colourise(table)) == table


def test_colours() -> None:
    many = [Finding(0, 1, "expected a, got b", "7  words  here"), *FOUND] * 5
    head, first, *_, more = colourise(findings_table(many)).split("\n")
    assert head == "\x1b[1m   line  kind               evidence\x1b[0m"
    assert first == "\x1b[36m      1\x1b[0m\x1b[33m  expected a, got b  \x1b[0m7 words here"
    assert more == "\x1b[2m         8 more like these; -v shows more, -vv all\x1b[0m"
    assert colourise(f"{findings_table(FOUND)}\nto do: add rows").endswith("\nto do: add rows")
    assert colourise(findings_table([Finding(None, None, "few", "5")])).count("\x1b[36m") == 1


@pytest.mark.parametrize("ids", [False, True])
def test_a_long_label_leaves_width_for_the_evidence(ids: bool) -> None:
    label = "balance_not_updated_after_cheque_or_cash_deposit"
    found = [Finding(0, 1, label, "got 'card_payment_fee_charged' for: I took cash out")]
    assert max(map(len, findings_table(found, ids=ids).splitlines())) <= 80
    assert label in findings_table(found, 0)


def test_other_text_is_left_alone() -> None:
    matrix = "confusion\n   a  b\na  1  2"
    assert colourise(matrix) == matrix


@pytest.mark.parametrize(
    ("split", "path", "said"),
    [
        ("train", "/home/me/project/data/train.jsonl", "pii: 3 in train, data/train.jsonl"),
        ("train", "/elsewhere/train.jsonl", "pii: 3 in train, /elsewhere/train.jsonl"),
        ("test", "", "pii: 3 in test"),
        ("", "", "pii: 3 in the data"),
    ],
)
def test_titles(split: str, path: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: Path("/home/me/project"))
    found = Findings("pii", FOUND, split=split, path=path, n=5000)
    ((heading, _),) = failure_tables([found.outcome(False)], 0)
    assert heading == said


@pytest.mark.parametrize(
    ("score", "sign", "limit", "said"),
    [
        (proportion("accuracy", 447, 500), ">=", 0.95, """
            accuracy 89.4% >= 95%
            447 of 500, 95 % interval 86.4% to 91.8%; 28 more must be right
        """),
        (proportion("accuracy", 94, 100, errors=1, signature="exact"), ">=", 0.97, """
            accuracy 94.0% >= 97%
            94 of 100, 95 % interval 87.5% to 97.2%; 3 more must be right
            1 answer could not be had; it counts as wrong here
            the limit lies inside the interval: n = 100 cannot tell them apart
            signature exact
        """),
        (proportion("refusals", 12, 500, higher_is_better=False), "<=", 0.01, """
            refusals 2.4% <= 1%
            12 of 500, 95 % interval 1.4% to 4.1%; 7 too many
        """),
        (proportion("accuracy", 9496, 10_000), ">=", 0.95, """
            accuracy 94.96% >= 95%
            9,496 of 10,000, 95 % interval 94.5% to 95.4%; 4 more must be right
            the limit lies inside the interval: n = 10,000 cannot tell them apart
        """),
        (F1, ">=", 0.9, """
            macro F1 0.8710 >= 0.9
            n = 500, 95 % interval 0.8400 to 0.8900
            signature f1|macro
        """),
        (Score(0.5, name="ratio"), ">", 0.5, "ratio 0.5000 > 0.5"),
        (GAIN, ">", 0, """
            improvement -0.0200 > 0
            n = 480, 95 % interval -0.0500 to -0.0100
            hint: the base model alone is right 96.0% of the time, and the
            limit is 95.0%: no fine-tuning
        """),
        (proportion("accuracy", 97, 100).by("lower"), ">=", 0.95, """
            accuracy lower bound 92.4% >= 95%
            97 of 100, 95 % interval 91.5% to 99.0%; 2 more must be right
            95 % sure, one-sided, of the 97.0% measured
        """),
        (proportion("accuracy", 40, 40).by("lower"), ">=", 0.95, """
            accuracy lower bound 92.8% >= 95%
            40 of 40, 95 % interval 91.2% to 100.0%
            95 % sure, one-sided, of the 100.0% measured
            n = 40 is too few to show 95%: it takes 59, and none of them wrong
        """),
        (Score(0.9, name="F1", n=50, lower=0.8, signature="f1").by("lower"), ">=", 0.95, """
            F1 lower bound 0.8000 >= 0.95
            n = 50
            95 % sure, one-sided, of the 0.9000 measured
            signature f1
        """),
    ],
    ids="accuracy errors refusals digits f1 bare hint bound few f1-bound".split(),  # noqa: SIM905
)  # fmt: skip
def test_a_comparison(score: Score, sign: str, limit: float, said: str) -> None:
    lines = explain_failure(score, sign, limit)
    assert "\n".join(lines or ()) == block(said)
    assert all(len(line) <= 76 for line in lines or ())  # behind pytest's "E     "


@given(st.integers(1, 400), st.data(), st.floats(0, 1))
def test_the_advice_is_never_one_short(n: int, data: st.DataObject, limit: float) -> None:
    hits = data.draw(st.integers(0, n))
    lines = explain_failure(proportion("accuracy", hits, n), ">=", limit)
    if lines is None:
        assert hits / n >= limit
        return
    found = re.search(r"; ([\d,]+) more must be right", lines[1])
    assert found
    more = int(found[1].replace(",", ""))
    assert (hits + more) / n >= limit > (hits + more - 1) / n


@given(st.integers(59, 400), st.data(), st.floats(0.5, 0.95))
def test_the_advice_on_a_bound_is_never_one_short(
    n: int, data: st.DataObject, limit: float
) -> None:
    hits = data.draw(st.integers(0, n))
    lines = explain_failure(proportion("accuracy", hits, n).by("lower"), ">=", limit)
    if lines is not None:
        found = re.search(r"; ([\d,]+) more must be right", lines[1])
        assert found
        more = int(found[1].replace(",", ""))
        assert clopper_pearson(hits + more, n) >= limit > clopper_pearson(hits + more - 1, n)


def test_a_comparison_that_held_is_not_explained() -> None:
    score = proportion("accuracy", 9, 10)
    assert explain_failure(score, ">=", 0.9) is None
    assert explain_failure(score, "==", 0.1) is None


def test_the_summary() -> None:
    accuracy = {"name": "accuracy", "split": "", "value": 0.998, "low": 0.989, "high": 0.9996,
                "hits": 499, "n": 500, "sign": ">=", "limit": 0.95}  # fmt: skip
    f1 = {**accuracy, "name": "macro F1", "value": 0.9, "low": None, "hits": None, "limit": 0.875}
    hint = {"name": "size", "split": "test", "hints": ["a hint " * 14]}
    parts = dict(session_summary({"a": [accuracy, f1], "b": [hint], "c": [hint]}))
    assert parts["scores"] == [
        "score      value  95 % interval     limit    n",
        "accuracy   99.8%  98.9% - 99.9%    >= 95%  500",
        "macro F1  0.9000                 >= 0.875  500",
    ]
    assert parts["hints"] == [
        "size of test: a hint a hint a hint a hint a hint a hint a hint a hint a hint a",
        "  hint a hint a hint a hint a hint",
    ]


def test_the_summary_shows_scores_and_hints_of_failed_tests_too() -> None:
    with collect_outcomes() as ledger:
        assert proportion("recall", 19, 20) >= 0.9
        assert not proportion("accuracy", 9, 20) >= 0.95
        hint = Finding.dataset_hint("task", "is it another?")
        ledger.append(Findings("consistency", [hint], split="train", n=9).outcome(False))
    failed = {"test": [outcome.to_dict() for outcome in ledger]}
    parts = dict(session_summary({}, failed=failed))
    assert [line.split("  ")[0] for line in parts["scores"][1:3]] == ["recall", "accuracy, failed"]
    assert parts["hints"] == ["consistency of train: is it another?"]


def test_hints_name_their_line_and_verbose_shows_more_of_them() -> None:
    hints = [Finding(i, i + 1, "label", f"advice {i}", hint=True) for i in range(5)]
    outcome = Findings("labels", hints, split="train", n=9).outcome(False)
    notes = {"test": [outcome.to_dict()]}
    assert dict(session_summary(notes))["hints"] == [
        "labels of train: line 1: advice 0",
        "labels of train: line 2: advice 1",
        "labels of train: line 3: advice 2",
        "labels of train: 2 more like this; -v shows more",
    ]
    assert (
        dict(session_summary(notes, verbose=True))["hints"][-1]
        == "labels of train: line 5: advice 4"
    )


def test_the_same_hint_on_several_splits_is_said_once() -> None:
    notes = [
        {"name": "review", "split": split, "hints": ["read none"]} for split in ("train", "test")
    ]
    assert dict(session_summary({"a": notes}))["hints"] == ["review of train, test: read none"]


def test_what_n_cannot_show_stands_below_the_scores() -> None:
    with collect_outcomes() as ledger:
        assert not proportion("recall", 30, 60) >= 0.95  # that it failed says enough
        assert proportion("accuracy", 58, 60) >= 0.95
        assert proportion("accuracy", 500, 500) >= 0.95
        assert proportion("accuracy", 60, 60).by("lower") >= 0.95
        assert Score(0.01, name="improvement", n=60, lower=-0.02) > 0
        assert proportion("near rate", 1, 60) <= 0.05
    parts = dict(session_summary({"test": [judgement.to_dict() for judgement in ledger]}))
    assert parts["scores"][7:] == [
        "accuracy: n = 60 does not show >= 95%, but >= 89.9% (95 % sure)",
        "improvement: n = 60 does not show > 0, but > -0.0200 (95 % sure)",
    ]


def test_a_number_and_its_per_cent_stay_on_one_line() -> None:
    hints = [f"{'x' * n} (95 %, one-sided), 5 %" for n in range(60, 75)]
    lines = dict(session_summary({"a": [{"name": "c", "split": "", "hints": hints}]}, True))[
        "hints"
    ]
    assert not any(line.strip().startswith("%") for line in lines)
    assert max(map(len, lines)) <= 80
    assert all(hint in " ".join(" ".join(lines).split()) for hint in hints)


def test_nothing_to_say_prints_nothing() -> None:
    assert list(session_summary({"a": [{"name": "pii", "split": "train", "hints": []}]})) == []


@given(st.lists(st.text("ab \n", max_size=60)).map(" ".join), st.integers(40, 200))
def test_a_decision_keeps_the_width_and_all_of_its_words(text: str, width: int) -> None:
    shown = behind_label(text, width)
    assert shown.split() == text.split()
    first, *rest = shown.split("\n")
    longest = max(map(len, text.split()), default=0)
    assert all(len(line) <= max(width, 12 + longest) for line in [" " * 10 + first, *rest])
    assert all(line.startswith(" " * 10) for line in rest)


def test_of_several_splits_a_hint_is_told_once() -> None:
    """Unless -v asks for the numbers of each."""
    notes = [
        {"name": "near", "split": split, "hints": [f"{n} of 9 texts are long", "other"]}
        for n, split in enumerate(("train", "test"))
    ]
    shown = dict(session_summary({"a": notes}))["hints"]
    assert shown == [
        "near of train: 0 of 9 texts are long",
        "near of train, test: other",
        "1 hint like these of other splits; -v shows more",
    ]
    shown = dict(session_summary({"a": notes}, verbose=True))["hints"]
    assert "near of test: 1 of 9 texts are long" in shown
    assert len(shown) == 3
