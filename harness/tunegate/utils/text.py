"""Texts: words, reasoning apart, and in messages on one line, cut to a width, quoted."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import takewhile
from operator import eq
from pathlib import Path

# Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
UNSPACED += "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
FIRST_UNSPACED = "\u0e00"
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_LATIN_WORD = re.compile(r"\w+")
_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
UNSPACED_WORD_LETTERS = 3  # letters of such a script that are counted as one more word
# What opens a word in prose: `!done`, `.5` and `:=` begin with signs of their own.
_OPENING_MARKS = "¿¡…\"'“”‘’«»「『"
_CLOSING_MARKS = ".,;:!?¿¡…\"'“”‘’«»。，、；：！？「」『』"
_FENCE = re.compile(r"^```[^\n`]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_REASONING = re.compile(r"\A\s*(?:<(think|thinking)>)?((?:(?!<think).)*?)</think(?:ing)?>", re.S)
_UNCLOSED_REASONING = re.compile(r"\A\s*<think(?:ing)?>", re.S)


@cache  # at the first use: pytest starts without it
def word_pattern() -> re.Pattern[str]:
    """Return the pattern of a word; a letter of a script without spaces counts as one."""
    # Vowels and accents that are characters of their own, in Hindi and others; joiners of letters.
    signs = "".join(c for c in map(chr, range(0x300, 0x1E00)) if unicodedata.category(c)[0] == "M")
    return re.compile(rf"[{UNSPACED}]|(?:[^\W{UNSPACED}]+|[{signs}\u200c\u200d]+)+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, in scripts without spaces its letters, without punctuation."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return (_LATIN_WORD if is_latin(text) else word_pattern()).findall(text)


def is_latin(text: str) -> bool:
    """Tell whether a text has the letters of Western Europe alone (Latin-1): most have."""
    return len(text.encode("latin-1", "ignore")) == len(text)


def count_words(text: str) -> int:
    """Return about how many words a text has, in scripts without spaces too."""
    unspaced = 0 if text.isascii() else len(_UNSPACED_LETTER.findall(text))
    return len(text.split()) + unspaced // UNSPACED_WORD_LETTERS


def without_edge_punctuation(text: str) -> str:
    """Return words without punctuation around them: 1.5 stays, `so?` does not, `?!` alone does."""
    words = [
        word if word.isalnum() else word.lstrip(_OPENING_MARKS).rstrip(_CLOSING_MARKS)
        for word in text.split()
    ]
    return " ".join(filter(None, words)) or text


def without_accents(text: str) -> str:
    """Return a text without the accents of its Latin letters."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", decomposed))


def fenced_block(text: str) -> str:
    """Return the content of a text's ``` block if it has exactly one, else the whole text."""
    blocks = _FENCE.findall(text)
    return str(blocks[0]) if len(blocks) == 1 else text


def split_reasoning(text: str) -> tuple[str, str]:
    """Return the reasoning at the start of a reply, without its `<think>` tags, and the answer.

    The first tag may stand in the prompt instead. After one never closed, there is no answer.
    """
    if "<think" not in text and "</think" not in text:
        return "", text
    if match := _REASONING.match(text):
        return match[2].strip(), text[match.end() :]
    if match := _UNCLOSED_REASONING.match(text):
        return text[match.end() :].strip(), ""
    return "", text


def one_line(text: str) -> str:
    """Return the printable words of a text on one line: controls could move a cursor."""
    if not all(map(str.isprintable, words := text.split())):
        words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words)


def cut(text: str, width: int, mark: str = "...") -> str:
    """Return a text cut to `width` characters, of which the last are `mark` if it was longer."""
    return text if len(text) <= width else text[: width - len(mark)] + mark


def shorten(text: str, width: int) -> str:
    """Return a text with each run of white space as one space, cut to `width` characters."""
    return cut(" ".join(text.split()), width)


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: 1 finding, 1,200 findings, 2 entries."""
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else plural}"


def all_of(n: int, noun: str) -> str:
    """Return all of a number of things as a subject: the test, all 59 tests."""
    return f"the {noun}" if n == 1 else f"all {counted(n, noun)}"


def quote(text: str) -> str:
    """Return the first 40 characters of a text in quotes, all but ASCII escaped."""
    return ascii(text if len(text) <= 40 else text[:40] + "...")


def toml_string(text: str) -> str:
    """Return a text as a string of TOML."""
    # A JSON string is one, but for DEL; lone surrogates are in neither.
    plain = text.encode("utf-8", "backslashreplace").decode()
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def did_you_mean(wrong: str, valid: list[str]) -> str:
    """Return `, did you mean 'x'?` for the valid word nearest to a wrong one, or nothing."""
    import difflib

    matches = difflib.get_close_matches(wrong, valid, n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""


@contextmanager
def error_names(path: Path) -> Iterator[None]:
    """Name a file in the OSError of reading it, also where the system names none: a broken disk."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def os_error_text(error: BaseException) -> str:
    """Return an error as one line, one of the operating system as the file, and what is wrong."""
    reason = getattr(error, "strerror", None) or str(error)
    file = getattr(error, "filename", None)
    return f"{file}: {reason}" if file else reason


def toml_error_text(error: ValueError) -> str:
    """Return why a TOML file cannot be read, in the words of who writes it."""
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return f"line {line:,} is not UTF-8: save the file as UTF-8"
    text = str(error).replace("Invalid value", "no value: a text stands in quotes")
    text = text.replace("Cannot overwrite a value", "the key has a value already: keep one")
    twice = re.sub(r"Cannot declare \((.+?),?\) twice", r"[\1] stands twice: keep one", text)
    return twice if twice == text else twice.replace("', '", ".").replace("'", "")


def common_length(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many elements two sequences begin with alike: letters, words, tokens."""
    return sum(1 for _ in takewhile(bool, map(eq, first, second)))
