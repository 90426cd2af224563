"""What `@check` makes of a generator."""

import inspect
from collections.abc import Iterator

import pytest

from tunegate import Dataset, Finding, check


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


@check(rows=True)
def each(train: Dataset, *words: str, but: str = "", **more: str) -> Iterator[Finding]:
    """Prompts with one of some words."""
    for e in train:
        if any(w in e.prompt and w != but for w in [*words, *more.values()]):
            yield Finding(e.row, e.line, "word", e.prompt, hint="hint" in e.prompt)


@check(rows=True)
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
    with pytest.raises(ValueError, match=r"test_decorator\.whole .* finding of no row \('size'\)"):
        whole(data("a"))


def test_wrong_arguments_are_told_in_the_terms_of_the_check() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'train'"):
        each()  # type: ignore[call-arg]
