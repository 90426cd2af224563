"""What `@check` makes of a generator."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tunegate import Dataset, Finding, check
from tunegate.results.outcome import collect_outcomes


def data(*prompts: str, split: str = "train") -> Dataset:
    def row(prompt: str) -> dict[str, object]:
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "a"}]
        return {"messages": messages}

    return Dataset.of([row(p) for p in prompts], split)


@check
def find(train: Dataset, *, word: str = "bad") -> Iterator[Finding]:
    """Prompts with a word."""
    for e in train:
        if word in e.prompt:
            yield Finding(e.row, e.line, "word", e.prompt)


@check
def two(train: Dataset, test: Dataset) -> Iterator[Finding]:
    yield Finding(None, None, "both", f"{len(train)} and {len(test)}")


@check(name="ours")
def called(train: Dataset) -> Iterator[Finding]:
    yield Finding(0, 1, "row", "a row")


@check(per_row=True)
def each(train: Dataset, *words: str, but: str = "", **more: str) -> Iterator[Finding]:
    """Prompts with one of some words."""
    for e in train:
        if any(w in e.prompt and w != but for w in [*words, *more.values()]):
            yield Finding(e.row, e.line, "word", e.prompt, hint="hint" in e.prompt)


@check(per_row=True)
def whole(train: Dataset) -> Iterator[Finding]:
    yield Finding(None, None, "size", str(len(train)))


def test_findings_carry_the_name_and_the_last_dataset() -> None:
    assert (find(data("bad")).name, find(data("bad")).split) == ("test_decorator", "train")
    found = two(data("a"), data("a", "b", split="test"))
    assert (found.name, found.split, found.n) == ("test_decorator.two", "test", 2)


def test_findings_carry_the_name_that_the_check_was_given() -> None:
    made = [called(data("a")), find(data("bad"))]
    assert [(f.name, f.named) for f in made] == [("ours", True), ("test_decorator", False)]


def test_a_row_check_has_a_name_too() -> None:
    marked = check(name="rows", rows=True)(inspect.unwrap(each))
    assert repr(marked(data("x"), "x")) == "<rows: 1 word in 1 of 1 examples of train>"


@pytest.mark.parametrize("name", ["", " "])
def test_a_blank_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name that is not blank is needed"):
        check(name=name)


def test_a_check_keeps_its_name_docstring_and_arguments() -> None:
    assert (each.__name__, each.__doc__) == ("each", "Prompts with one of some words.")
    assert list(find(data("bad", "worse"), word="worse")) == [Finding(1, 2, "word", "worse")]


def test_a_row_check_takes_arguments_of_every_kind() -> None:
    rows = data("x", "y", "z hint", "x")
    assert each(rows, "x", "z", but="x").rows == []
    assert [f.row for f in each(rows, "x", "z", but="x").hints] == [2]
    assert each(rows, "x").rows == [0, 3]
    assert each(train=rows, also="y").rows == [1]
    assert each(rows).split == "train"


def test_a_row_check_may_not_speak_of_the_whole_file() -> None:
    with pytest.raises(ValueError, match="yields 'size', of no row"):
        whole(data("a"))


def test_the_old_spelling_of_per_row_is_read() -> None:
    old = check(name="rows", rows=True)(inspect.unwrap(whole))
    with pytest.raises(ValueError, match="yields 'size', of no row"):
        old(data("a"))


HERE = r"\(.*test_decorator\.py:\d+\)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("bad", "a value of type str"), (None, "None"), ([], "a value of type list")],
)
@pytest.mark.parametrize("per_row", [False, True])
def test_what_is_no_finding_is_one_line(value: object, shown: str, per_row: bool) -> None:
    def wrong(train: Dataset) -> Iterator[Any]:
        yield value if train else None

    with pytest.raises(TypeError) as caught:
        check(name="wrong", per_row=per_row)(wrong)(data("a"))
    told = str(caught.value)
    assert re.fullmatch(rf"check wrong {HERE} yields {shown}; it must yield findings: .*", told)
    assert "example.finding(kind, evidence)" in told


def test_a_check_that_yields_nothing_at_all_is_one_line() -> None:
    def wrong(train: Dataset) -> Any:
        train[0].finding("made", "and not yielded")

    with pytest.raises(TypeError, match=rf"check wrong {HERE} yields None; it must yield"):
        check(name="wrong")(wrong)(data("a"))


def test_a_name_is_a_keyword() -> None:
    with pytest.raises(
        TypeError, match=r"@check\('pii'\): a name is a keyword, @check\(name='pii'"
    ):
        check("pii")  # type: ignore[call-overload]


def test_the_keyword_of_every_check_is_not_a_users() -> None:
    def find(train: Dataset, *, advisory: bool) -> Iterator[Finding]:
        yield train[0].finding("word", str(advisory))

    with pytest.raises(TypeError, match="takes `advisory`: every check has that keyword"):
        check(find)


def test_advisory_is_not_passed_on() -> None:
    with collect_outcomes() as outcomes:
        found = [find(data("bad"), advisory=value) for value in (True, False)]
    assert [len(f) for f in found] == [1, 1]
    assert [outcome.passed for outcome in outcomes] == [True, False]


@check(name="outer")
def outer(train: Dataset) -> Iterator[Finding]:
    """Yield what another check finds, but for the first."""
    assert find(train).rate <= 1
    yield from find(train)[1:]


def test_a_check_is_recorded_once_and_for_the_checks_that_it_asks() -> None:
    with collect_outcomes() as outcomes:
        assert len(outer(data("bad", "bad", "fine"))) == 1
        with pytest.raises(ZeroDivisionError):
            broken(data("a"))
        assert not find(data("fine"))
    assert [(outcome.name, outcome.data["found"]) for outcome in outcomes] == [
        ("outer", 1),
        ("test_decorator", 0),
    ]


@check(name="broken")
def broken(train: Dataset) -> Iterator[Finding]:
    find(train)
    yield train[1 // 0].finding("never", "")


def test_wrong_arguments_are_told_in_the_terms_of_the_check() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'train'"):
        each()  # type: ignore[call-arg]
