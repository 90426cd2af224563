"""Find all personal data and keys in a text that is printed, or written into a committed file."""

import ipaddress
from collections.abc import Collection, Iterator

from tunegate.utils.masking import Private

from . import api_keys
from .engine import mask_value, personal_spans
from .rule import only_digits, read_patterns

PATTERNS = read_patterns(__file__)

_MIN_PIECE_DIGITS, _MIN_PIECE = 5, 8


def find_private(
    text: str, quotes: bool = False, ignore: Collection[str] = (), allow: Collection[str] = ()
) -> Iterator[Private]:
    """Yield personal data, keys and possible keys in a text; they can overlap.

    The entry point `tunegate.private`: what `tunegate` prints is masked by it, and reasons are
    checked with it before they are written. With `quotes` the text quotes data and is cut to a
    width: numbers of eight digits are private without any label, CPF and CNPJ by their check
    digits, and so are pieces of values. `ignore` are kinds that are let through, `allow` values
    that are public, and `@domain` for every address there.
    """
    let_through = {only_digits(value) for value in allow}
    for span in personal_spans(text, "", ignore, allow, bare=quotes):
        value = text[span.start : span.end]
        if quotes or not _is_of_a_message(span.kind, value):
            yield Private(span.kind, span.start, span.end, mask_value(span.kind, value))
    has_long_word = PATTERNS["long_word"].search(text) is not None
    known = api_keys.key_spans(text) if has_long_word else []
    possible = api_keys.possible_key_spans(text) if has_long_word else []
    for span in [*known, *possible, *api_keys.sent_key_spans(text)]:
        shown = api_keys.mask_key(text[span.start : span.end])
        yield Private(span.kind, span.start, span.end, shown)
    for match in PATTERNS["cut_piece"].finditer(text) if "…" in text or "..." in text else ():
        piece = match["v"] or match["w"]
        if _is_private_piece(piece) if quotes else "@" in piece[1:]:  # `@name...` is code
            yield Private("cut off", *match.span("v" if match["v"] else "w"))
    if not quotes:
        return
    ignored = [s for s in personal_spans(text, "", (), allow) if s.kind in ignore] if ignore else []
    for match in PATTERNS["long_number"].finditer(text):
        is_ignored = any(s.start < match.end() and match.start() < s.end for s in ignored)
        is_public = only_digits(match[0]) in let_through
        if not (is_ignored or is_public or PATTERNS["date_or_decimal"].fullmatch(match[0])):
            yield Private("phone", *match.span(), mask_value("phone", match[0]))
    for match in PATTERNS["random_word"].finditer(text) if has_long_word else ():
        if api_keys.looks_random(match[0]):
            yield Private("possible_secret", *match.span())


def _is_of_a_message(kind: str, value: str) -> bool:
    """Whether messages name a value: a reviewer, a server of a private network, the id of a run."""
    if kind == "ip":
        return ipaddress.ip_address(value).is_private
    # One id in some two thousand has the form of a Portuguese card, its check digit too.
    return kind == "name" or (kind == "pt_cc" and PATTERNS["run_id"].fullmatch(value) is not None)


def _is_private_piece(piece: str) -> bool:
    """Whether a piece of a word or number looks like one of an address, a number or a key."""
    digits = sum(c.isdigit() for c in piece)
    if "@" in piece or digits >= _MIN_PIECE_DIGITS:
        return True
    letters = [c for c in piece if c.isalpha()]
    is_mixed = bool(digits) or (any(map(str.islower, letters)) and piece[1:] != piece[1:].lower())
    return len(piece) >= _MIN_PIECE and bool(letters) and is_mixed
