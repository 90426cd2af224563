"""How texts are compared and shown in one line of evidence."""

from hypothesis import given
from hypothesis import strategies as st

from tunegate_checks.text.display import diff, first_difference, quote_line, quote_repr


def test_a_parting_far_into_a_text_is_shown_around_its_place() -> None:
    said = first_difference("x" * 500 + "A" + "y" * 500, "x" * 500 + "B" + "y" * 500)
    assert said.startswith("from character 501 on '...xxxxxxxxxxxxA")
    assert len(said) < 150
    assert "\n" not in first_difference("a\nb", "a\nc")


def test_of_labels_white_space_and_case_are_seen() -> None:
    assert quote_repr("Billing ") == "'Billing '"
    assert quote_repr("x" * 41) == f"'{'x' * 37}...'"


def test_a_difference_shows_this_text_and_what_the_other_has_instead() -> None:
    assert diff("my card is lost", "my cards is lost") == "“my [card|cards] is lost”"


@given(st.text(max_size=300), st.text(max_size=300))
def test_evidence_is_one_short_line(this: str, other: str) -> None:
    for said in (quote_line(this), diff(this, other), first_difference(this, other)):
        assert len(said.splitlines()) == 1
        assert len(said) < 250
