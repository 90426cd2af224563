"""Texts in messages: on one line, cut to a width, quoted, and the valid word nearest to a typo."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return the printable words of a text on one line.

    Control characters become spaces: printed, they could move a terminal's cursor.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def cut(text: str, width: int, mark: str = "...") -> str:
    """Return a text cut to `width` characters, of which the last are `mark` if it was longer."""
    return text if len(text) <= width else text[: width - len(mark)] + mark


def shorten(text: str, width: int) -> str:
    """Return a text with each run of white space as one space, cut to `width` characters."""
    return cut(" ".join(text.split()), width)


def quote(text: str) -> str:
    """Return the first 40 characters of a text in quotes, all but ASCII escaped."""
    return ascii(text if len(text) <= 40 else text[:40] + "...")


def did_you_mean(wrong: str, valid: list[str]) -> str:
    """Return `, did you mean 'x'?` for the valid word nearest to a wrong one, or nothing."""
    import difflib

    matches = difflib.get_close_matches(wrong, valid, n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""


def os_error_text(error: OSError) -> str:
    """Return an error of the operating system as one line: the file, and what is wrong."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason
