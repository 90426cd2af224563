"""Compare and quote texts for evidence: by words, or labels and system prompts by characters."""

from tunegate.utils.text import common_length, cut, one_line

MAX_WIDTH = 70  # characters of evidence


def quote_line(text: str, width: int = MAX_WIDTH) -> str:
    """Return a text on one line, quoted, cut to a width in characters."""
    return f"“{_truncate(one_line(text), width)}”"


def diff(text: str, other: str, width: int = MAX_WIDTH) -> str:
    """Return `text` on one line around its difference from `other`: “…my [card|cards] is…”."""
    text_words, other_words = one_line(text).split(), one_line(other).split()
    one, two = ([word.lower() for word in words] for words in (text_words, other_words))
    head = common_length(one, two)
    tail = common_length(one[head:][::-1], two[head:][::-1])
    if head == len(text_words) == len(other_words):
        return quote_line(text, width)
    changed = (" ".join(w[head : len(w) - tail]) for w in (text_words, other_words))
    middle = f"[{'|'.join(_truncate(words, width // 3) for words in changed)}]"
    left, right = " ".join(text_words[:head]), " ".join(text_words[len(text_words) - tail :])
    free_width = width - len(middle)
    left_width = max(free_width // 2, free_width - len(right))
    if len(left) > left_width:
        left = f"…{left[len(left) - max(left_width - 1, 0) :]}"
    if len(right) > max(free_width - len(left), 0):
        right = f"{right[: max(free_width - len(left) - 1, 0)]}…"
    return f"“{' '.join(part for part in (left, middle, right) if part)}”"


def quote_repr(text: str, width: int = 40) -> str:
    """Return a text as a Python literal, which shows every character, cut to a width."""
    return repr(cut(text, width))


def first_difference(actual: str, expected: str) -> str:
    """Return, on one line, the first character at which two texts differ, and both texts there."""
    position = common_length(actual, expected)
    shown = f"{_excerpt(actual, position)} instead of {_excerpt(expected, position)}"
    return f"from character {position + 1} on {shown}"


def _excerpt(text: str, position: int) -> str:
    start, end = max(position - 12, 0), position + 28
    left, right = ("..." if start else ""), ("..." if end < len(text) else "")
    return repr(f"{left}{text[start:end]}{right}") if text else "no text"


def _truncate(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"
