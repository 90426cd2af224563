"""Masks private values in whatever is printed, or written for people to read: the one door.

`mask` takes from a text the keys of this process, however a server or a library repeats them, the
personal data and keys that the installed finders see, and control characters. Everything that is
shown passes it: what a check returns, reports of tests as pytest makes them, what commands print.
"""

import base64
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache, lru_cache, partial
from importlib import metadata
from itertools import pairwise
from typing import Any, NamedTuple, TextIO
from urllib.parse import quote

HIDDEN = "***"
Hide = Callable[[str, bool], str]  # a text with its private values masked; True: it quotes rows
KEY_VARIABLE = "TUNEGATE_KEY"  # a secret that machines share, in place of the file `key`
SECRET_WORDS = {"key", "token", "secret", "password"}  # the value of such a setting is hidden
# Entry points of this group are functions of type PrivateFinder. The core knows no check:
# whichever package finds personal data adds its own function here.
ENTRY_POINT_GROUP = "tunegate.private"
# Printed, these move the cursor, name a window or turn text around.
_CONTROLS = re.compile(
    r"\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
_CONTROLS_BUT_COLOUR = re.compile(rf"\x1b\[[\d;]*m|{_CONTROLS.pattern}")
MIN_LENGTH = 8  # characters of a key
WINDOW = 8  # letters and digits of a key by which a piece of it is known
MAX_GAP = 16  # characters between two pieces of one echo
_KEY_WORDS = "key|token|secret|passw|passphrase|pwd|credential|auth|senha|chave|cookie|webhook|dsn"
_KEY_NAME = re.compile(_KEY_WORDS, re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://[^\s:/@]*:([^\s/@]+)@")
_PATH = re.compile(r"[/~.]|[A-Za-z]:\\")
_PLAIN_WORD = re.compile(r"\d+|[A-Z]?[a-z]+|[A-Z]+")  # "production", which others write too


class Private(NamedTuple):
    """A private value of a text, `text[start:end]`, and what is shown in its place."""

    kind: str
    start: int
    end: int
    shown: str = HIDDEN


# Called with a text; whether it quotes data, of which labels may be cut off; kinds that are not
# private in this project; values, and "@domain", that are public.
PrivateFinder = Callable[[str, bool, Collection[str], Collection[str]], Iterable[Private]]

_public: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
_keys: set[str] = set()


@contextmanager
def let_through(ignore: Iterable[str], allow: Iterable[str]) -> Iterator[None]:
    """Leave these kinds and values, `pii_ignore` and `pii_allow`, as they are inside the block."""
    global _public
    before, _public = _public, ((*ignore,), (*allow,))
    try:
        yield
    finally:
        _public = before


def hide_key(key: str) -> None:
    """Mask a key, too, that stands in a variable whose name does not say so."""
    if looks_like_key(key):
        _keys.add(key)


def is_secret(name: str, value: Any) -> bool:
    """Tell whether a setting of this name and value is a key, a token or a password."""
    if value is None or isinstance(value, bool) or name.endswith(("_env", "_header")):
        return False  # those names are of settings that say where a key is
    secret_words = SECRET_WORDS - {"token"} if isinstance(value, int | float) else SECRET_WORDS
    return any(word in name.casefold().replace("tokenizer", "") for word in secret_words)


@cache
def installed_finders() -> list[PrivateFinder]:
    """Load the finders of the entry points, once: each text of a report is searched."""
    return [entry.load() for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)]


def find_private(text: str) -> Iterator[Private]:
    """Yield all personal data and keys that installed finders see, in any order."""
    for finder in installed_finders() if text else ():
        yield from finder(text, False, (), ())


def mask(text: str, *, quotes: bool = False) -> str:
    """Return a text for a terminal: private values masked, and control characters escaped.

    `quotes`: it quotes rows, cut to a width: long numbers are masked too, and values cut off.
    """
    return masker(quotes=quotes)(text)


def masker(*, quotes: bool = False) -> Callable[[str], str]:
    """Return `mask` for many texts: the environment is read once."""
    hide = hider()
    return lambda text: escape_controls(hide(text, quotes))


def blank(text: str) -> str:
    """Return a text of the same length, with each character of a private value as `*`."""
    return hider(same_length=True)(text, False)


def hider(*, same_length: bool = False) -> Hide:
    """Return what masks private values alone, in many texts: the environment is read once."""
    return _hider(tuple(sorted({*keys_of_environment(os.environ), *_keys})), *_public, same_length)


@lru_cache(maxsize=8)
def _hider(
    keys: tuple[str, ...], ignore: Collection[str], allow: Collection[str], same_length: bool
) -> Hide:
    echoes = KeyEchoes(keys)

    def replace(text: str, private: Iterable[Private]) -> str:
        parts, position = [], 0
        for value in sorted(private, key=lambda p: (p.start, -p.end)):
            start, end = max(value.start, position), value.end
            if same_length:
                parts += [text[position:start], "*" * (end - start)]
            elif value.start >= position:
                parts += [text[position:start], value.shown]
            position = max(position, end)
        return "".join([*parts, text[position:]])

    def hide(text: str, quotes: bool) -> str:
        # Texts come again: in a table, in JUnit's report, in a file. Long ones take memory.
        return hide_anew(text, quotes) if len(text) > 1000 else hide_cached(text, quotes)

    def hide_anew(text: str, quotes: bool) -> str:
        # Later finders do not see what earlier ones masked; a number can be a part of a key.
        text = replace(text, [Private("key", *span) for span in echoes.spans(text)])
        for finder in installed_finders() if text else ():
            text = replace(text, finder(text, quotes, ignore, allow))
        return text

    hide_cached = lru_cache(maxsize=4096)(hide_anew)
    return hide


def escape_controls(text: str, *, colours: bool = False) -> str:
    """Return a text with control characters as escapes; line ends, tabs and `colours` stay."""
    pattern = _CONTROLS_BUT_COLOUR if colours else _CONTROLS
    return pattern.sub(lambda m: m[0] if len(m[0]) > 1 else ascii(m[0])[1:-1], text)


def hide_values(value: Any, hide: Hide | None = None, *, keys: bool = False) -> Any:
    """Return a value with private values masked in its texts, however deep; in `keys` if told."""
    hide = hide or hider()
    inner = partial(hide_values, hide=hide, keys=keys)
    if type(value) is str:  # no markup, which is ours
        return hide(value, False)
    if isinstance(value, dict):
        return {hide(key, False) if keys else key: inner(v) for key, v in value.items()}
    return [*map(inner, value)] if isinstance(value, list | tuple) else value


class MaskedStream:
    """A text stream that masks what is printed on it; colours stay."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text, masked, and return its length."""
        coloured = re.split(r"(\x1b\[[\d;]*m)", text)
        coloured[::2] = map(mask, coloured[::2])
        self.stream.write("".join(coloured))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def unmasked(stream: TextIO) -> TextIO:
    """Return the stream below a MaskedStream, for what moves the cursor, as a progress bar does."""
    return stream.stream if isinstance(stream, MaskedStream) else stream


def add_json_option(command: Any) -> None:
    """Add `--json` to the parser of a command, or to a group of its options."""
    command.add_argument("--json", action="store_true", help="JSON alone, for scripts")


def print_json(value: Any, indent: int | None = 1) -> None:
    """Print a value as JSON in ASCII, NaN and infinities as null, private values masked in texts.

    Each text is masked by itself: in the whole, a value could be masked with the quotes around it.
    """
    plain = json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
    text = json.dumps(hide_values(plain), indent=indent).replace("\x7f", "\\u007f")
    print(text, file=unmasked(sys.stdout))


def print_result(as_json: bool, value: Any, lines: Iterable[str]) -> None:
    """Print the result of a command: its lines for people, or the value as JSON for scripts."""
    print_json(value) if as_json else print(end="".join(f"{line}\n" for line in lines))


@contextmanager
def masked_output() -> Iterator[None]:
    """Mask all that is printed inside the block."""
    out: Any = MaskedStream(unmasked(sys.stdout))
    errors: Any = MaskedStream(unmasked(sys.stderr))
    with redirect_stdout(out), redirect_stderr(errors):
        yield


def print_masked(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Print an exception that nobody caught, masked: a `sys.excepthook`."""
    import traceback

    sys.stderr.write(mask("".join(traceback.format_exception(kind, error, trace))))


def keys_of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the values of variables that look like keys, and the passwords in URLs.

    A value counts by the name of its variable (`..._KEY`, `..._TOKEN`, `PASSWORD`), unless it is a
    path, a number, one plain word, or shorter than MIN_LENGTH.
    """
    for name, value in environment.items():
        if name == KEY_VARIABLE or (_KEY_NAME.search(name) and looks_like_key(value)):
            yield value
        yield from (m for m in _URL_PASSWORD.findall(value) if looks_like_key(m))


def looks_like_key(value: str) -> bool:
    """Whether a text is long enough for a key, and neither a path nor one plain word."""
    is_plain = _PATH.match(value) or _PLAIN_WORD.fullmatch(value)
    return len(value.strip()) >= MIN_LENGTH and not is_plain


class KeyEchoes:
    """Finds keys as they stand, URL-encoded, in base64 or hex, and split into pieces.

    Letters and digits alone are compared, so that line ends and quotes between pieces hide nothing.
    WINDOW of them are enough if they look random: no other text holds these by chance.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        forms = {"".join(filter(str.isalnum, form)) for key in keys for form in _forms(key)} - {""}
        self.whole = sorted({form for form in forms if len(form) >= MIN_LENGTH}, key=len)[::-1]
        pieces = (form[i : i + WINDOW] for form in forms for i in range(len(form) - WINDOW + 1))
        # Words change seldom between kinds of characters.
        self.pieces = frozenset(p for p in pieces if kind_changes(p) >= 3)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return start and end of each echo, in order; pieces close to each other are one."""
        if not self.whole or len(text) < MIN_LENGTH:
            return []
        places = [i for i, c in enumerate(text) if c.isalnum()]
        squashed = "".join([text[i] for i in places])
        starts = range(len(squashed) - WINDOW + 1)
        hits = [(i, i + WINDOW) for i in starts if squashed[i : i + WINDOW] in self.pieces]
        whole = (form for form in self.whole if form in squashed)  # letters and digits alone
        hits += (match.span() for form in whole for match in re.finditer(form, squashed))
        spans: list[tuple[int, int]] = []
        for first, end in sorted(hits):
            start, stop = places[first], places[end - 1] + 1
            while start and text[start - 1].isalnum():
                start -= 1
            while stop < len(text) and text[stop].isalnum():
                stop += 1
            if spans and start <= spans[-1][1] + MAX_GAP:
                spans[-1] = spans[-1][0], max(stop, spans[-1][1])
            else:
                spans.append((start, stop))
        return spans

    def hide(self, text: str) -> str:
        """Return a text with `***` in place of each echo."""
        for start, end in reversed(self.spans(text)):
            text = f"{text[:start]}***{text[end:]}"
        return text


def _forms(key: str) -> Iterator[str]:
    """Yield a key as it stands, URL-encoded, in hex, and in base64 behind any other text."""
    data = key.encode("utf-8", "surrogateescape")
    yield key
    yield quote(key, safe="", errors="surrogateescape")
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):  # base64 writes three bytes as four characters
        encoded = base64.b64encode(b"\0" * before + data).decode()
        for form in (encoded, encoded.translate(str.maketrans("+/", "-_"))):
            # What the characters at both ends say depends on the text around the key.
            yield form[(0, 2, 3)[before] : len(form) // 4 * 4 - 4]


def kind_changes(text: str) -> int:
    """Count where small letters, capitals and digits follow one another in a text."""
    return sum((a.isdigit(), a.isupper()) != (b.isdigit(), b.isupper()) for a, b in pairwise(text))
