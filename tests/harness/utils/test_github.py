"""Comments on pull requests by `gh`, and annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tunegate import ConfigError
from tunegate.utils.github import MAX_LETTERS, annotation, post_comment

Gh = Callable[..., Any]
TEXT = "<!-- tunegate -->\n### Verdict"


def test_an_annotation_is_one_line_that_nothing_in_it_can_end() -> None:
    line = annotation("error", "50 %\r\nof::it, a:b", file="a,b:c.jsonl", line=3, title="x: 1\n")
    assert line == ("::error file=a%2Cb%3Ac.jsonl,line=3,title=x%3A 1%0A::50 %25%0D%0Aof::it, a:b")
    assert annotation("notice", "n", file="", line=None, title="t") == "::notice title=t::n"


def test_a_first_comment_is_created(fake_gh: Gh) -> None:
    fake_gh()
    assert post_comment(TEXT) == "https://github.com/o/r/pull/7#issuecomment-1"
    (asked, _), (made, body) = fake_gh()
    assert asked[:3] == ["api", "--paginate", "repos/o/r/issues/7/comments"]
    assert asked[-1] == '.[] | select(.body | startswith("<!-- tunegate -->")) | .id'
    assert made[:4] == ["api", "--method", "POST", "repos/o/r/issues/7/comments"]
    assert body == TEXT


def test_the_next_one_takes_its_place(fake_gh: Gh) -> None:
    fake_gh(known="41\n57")
    post_comment(TEXT)
    assert fake_gh()[1][0][:4] == ["api", "--method", "PATCH", "repos/o/r/issues/comments/41"]


def test_without_an_event_the_branch_says_which(fake_gh: Gh) -> None:
    fake_gh(number=None)
    post_comment(TEXT)
    assert [call[0][0] for call in fake_gh()] == ["pr", "api", "api"]
    assert fake_gh()[2][0][3] == "repos/o/r/issues/8/comments"


def test_no_pull_request_and_no_gh_are_one_line_each(
    fake_gh: Gh, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gh(number=None, branch="main")
    with pytest.raises(
        ConfigError, match=r"^--post: gh pr says: no pull requests found for branch"
    ):
        post_comment(TEXT)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=r"^--post needs GitHub's program gh, which is not here"):
        post_comment(TEXT)


def test_what_is_too_long_for_github_ends_before_a_folded_part(fake_gh: Gh) -> None:
    fake_gh()
    post_comment(f"{TEXT}\n<details>a</details>\n<details>{'b' * MAX_LETTERS}</details>")
    assert fake_gh()[1][1] == f"{TEXT}\n<details>a</details>\n\nMore was cut off."


def test_what_is_too_long_and_has_no_folded_part_ends_at_a_line(fake_gh: Gh) -> None:
    fake_gh()
    post_comment(f"{TEXT}\n" + "a line\n" * 20_000)
    sent = fake_gh()[1][1]
    assert len(sent) < MAX_LETTERS + 100
    assert sent.endswith("\na line\n\nMore was cut off.")
