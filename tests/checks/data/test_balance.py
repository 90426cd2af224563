"""A class with too small a share is named with its count; even classes are silent."""

import pytest

from tunegate import Dataset
from tunegate_checks.data import balance


def dataset(counts: dict[str, int], languages: str = "") -> Dataset:
    rows = []
    for label, n in counts.items():
        for i in range(n):
            messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": label}]
            language = {"language": languages.split()[i % 2]} if languages else {}
            rows.append({"messages": messages, **language})
    return Dataset.of(rows, "train")


def test_even_classes_are_silent() -> None:
    result = balance.find(dataset({"a": 50, "b": 50, "c": 40}))
    assert not result


def test_a_rare_class_is_named_with_count_share_and_what_is_wanted() -> None:
    (finding,) = balance.find(dataset({"a": 597, "x": 3, "b": 600}), rarest=0.05)
    assert finding.kind == "rare class"
    assert finding.row == 597
    assert finding.evidence == "class 'x': 3 of 1,200 examples, 0.25 %; at least 20 wanted"


def test_a_slip_of_another_class_is_told_as_one() -> None:
    (finding,) = balance.find(dataset({"shipping": 600, "Shiping": 3, "billing": 600}))
    assert finding.evidence.startswith("class 'Shiping' (a slip of 'shipping'?): 3 of 1,203")


@pytest.mark.parametrize(("n", "rare"), [(9, True), (10, False)])
def test_the_default_is_a_tenth_of_an_even_share(n: int, rare: bool) -> None:
    # Two classes and 200 examples: an even share is 100, and a tenth of it 10.
    assert bool(balance.find(dataset({"a": 200 - n, "b": n}))) is rare


def test_one_class_alone_is_a_finding() -> None:
    assert balance.find(dataset({"a": 50})).kinds == {"one class": 1}


def test_no_examples_no_findings() -> None:
    assert not balance.find(Dataset([]))
    assert not balance.makeup(Dataset([])).hints


def hints(data: Dataset) -> dict[str, str]:
    result = balance.makeup(data)
    assert not result, "the make-up is advice"
    return {f.kind: f.evidence for f in result.hints}


def test_even_languages_and_short_labels_are_silent() -> None:
    assert hints(dataset({"a": 50, "b": 50}, "en pt")) == {}
    assert hints(dataset({"a": 50, "b": 50}, "en en")) == {}


def test_a_rare_language_is_a_hint() -> None:
    rows = [
        {**e.fields, "language": "pt" if i < 3 else "en"} for i, e in enumerate(dataset({"a": 60}))
    ]
    assert "'pt': 3 of 60 examples, 5 %" in hints(Dataset.of(rows))["language"]


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot answer this.",
        "As an AI language model, I have no opinion.",
        "Sinto muito, não posso ajudar.",
        "Desculpe, mas isso não é possível.",
        "Não consigo responder a isso.",
        "Infelizmente não tenho essa informação.",
    ],
)
def test_refusals_are_counted(reply: str) -> None:
    assert "1 of 21 replies, 4.8 %" in hints(dataset({"billing": 20, reply: 1}))["refusals"]


@pytest.mark.parametrize(
    "reply", ["No parcel has arrived.", "Não há cobrança.", "The asset is here."]
)
def test_plain_answers_are_no_refusals(reply: str) -> None:
    assert "refusals" not in hints(dataset({"billing": 20, reply: 1}))


def test_replies_of_very_different_lengths_are_a_hint() -> None:
    assert "reply length" in hints(dataset({"x" * 50: 90, "y" * 5000: 10}))
    assert "reply length" not in hints(dataset({"x" * 50: 90, "y" * 120: 10}))


@pytest.mark.parametrize(("n", "told"), [(19, False), (20, True)])
def test_lengths_are_compared_from_twenty_replies_on(n: int, told: bool) -> None:
    assert ("reply length" in hints(dataset({"x" * 50: n - 4, "y" * 5000: 4}))) is told


@pytest.mark.parametrize(
    ("usual", "longest", "told"),
    [(50, 250, False), (50, 251, True), (2, 100, False), (2, 101, True)],
)
def test_a_reply_is_long_above_five_times_the_median_or_100_letters(
    usual: int, longest: int, told: bool
) -> None:
    found = hints(dataset({"x" * usual: 80, "y" * longest: 20}))
    assert ("reply length" in found) is told
    if told:
        half = f"half have at most {usual} characters, but 5 % more than {longest}"
        assert found["reply length"].startswith(f"{half} (the longest {longest}):")


def in_languages(counts: dict[tuple[str, str], int]) -> Dataset:
    """Return so many rows of each class and language."""
    rows = [
        {**example.fields, "language": language}
        for (label, language), n in counts.items()
        for example in dataset({label: n})
    ]
    return Dataset.of(rows, "train")


@pytest.mark.parametrize(("n", "told"), [(9, True), (10, False)])
def test_a_language_of_less_than_a_tenth_is_rare(n: int, told: bool) -> None:
    rows = in_languages({("a", "en"): 100 - n, ("a", "pt"): n})
    assert (f"{n} of 100 examples" in hints(rows).get("language", "")) is told
