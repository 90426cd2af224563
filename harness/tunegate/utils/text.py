"""Where a project's configuration stands. Standard library only: every pytest start-up is here."""

from __future__ import annotations


def did_you_mean(wrong: str, valid: list[str]) -> str:
    """Return `, did you mean 'x'?` for the valid word nearest to a wrong one, or nothing."""
    import difflib

    matches = difflib.get_close_matches(wrong, valid, n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""
