"""Find personal data in a text: prefilter, pattern, check digits, labels around; and mask it."""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from html import unescape
from importlib import import_module

from tunegate.errors import ConfigError
from tunegate.utils.optional_deps import require
from tunegate.utils.text import is_latin

from .context import REACH_BEFORE, Context, parts_of
from .prefilter import Clues, Prefilter
from .rule import Rule, Span
from .rules import RULES

KINDS = tuple(dict.fromkeys(rule.kind for rule in RULES))
_PREFILTER = Prefilter(RULES)
_module = cache(import_module)
# Kinds so long that, with two characters known, millions of values remain possible.
_LAST_TWO = frozenset(
    ("cpf", "cnpj", "card", "iban", "phone", "cns", "us_ssn", "eu_vat", "pis", "cnh", "voter_id")
)

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
# Letters that a pattern which ignores case takes for i, s and k, but no check of digits can read.
_CASE_TWINS = "\u0130\u0131\u017f\u212a"
_SPACES = "\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
_PLAIN = dict.fromkeys(_DASHES, "-") | dict.fromkeys(_SPACES, " ")
# The look ahead is much faster than the classes behind it.
_ODD = re.compile(rf"(?=[\xa0\u0130-\U0010ffff])(?:[{_DASHES}{_SPACES}{_CASE_TWINS}]|\d)")


def plain(text: str) -> str:
    """Return a text of the same length with ASCII dashes and spaces; other digits as letters."""
    is_plain = is_latin(text) and "\xa0" not in text
    return text if is_plain else _ODD.sub(lambda odd: _PLAIN.get(odd[0], "ª"), text)


# Escapes of JSON (of JSON in JSON too) and of URLs, and entities of HTML.
_ESCAPE = re.compile(
    r"(?<!\\)\\+(?:u(?P<json>[\da-fA-F]{4})|(?P<control>[bfnrt])|(?P<sign>[\"/]))"
    r"|(?P<url>%[2-7][\da-fA-F]|%[C-Fc-f][\da-fA-F](?:%[89ABab][\da-fA-F]){1,3})|&#?\w{2,8};"
)


def decoded(text: str) -> tuple[str, Sequence[int]]:
    """Return a text without escapes, and the place in the text of each character and of the end."""
    if not ("\\" in text or "%" in text or "&" in text):
        return text, range(len(text) + 1)
    parts, places, position = list[str](), list[int](), 0
    for match in _ESCAPE.finditer(text):
        character = match["sign"] or unescape(match[0])
        if match["json"]:
            character = chr(int(match["json"], 16))
        elif match["url"]:
            character = bytes.fromhex(match[0].replace("%", "")).decode(errors="ignore")
        character = "\n" if match["control"] else character
        if len(character) == 1:
            parts += text[position : match.start()], character
            places += range(position, match.start() + 1)
            position = match.end()
    return "".join([*parts, text[position:]]), [*places, *range(position, len(text) + 1)]


_UNSURE = 1000  # a phone by its shape alone: a number with a label beside it goes before
# Of random numbers, one in a hundred passes.
_TWO_CHECK_DIGITS = frozenset(("cpf", "cnpj"))


def personal_spans(
    text: str, context_text: str = "", ignore: Collection[str] = (), allow: Collection[str] = (),
    *, bare: bool = False, names: str = "",
) -> list[Span]:  # fmt: skip
    """Return the personal data in a text, in order, none overlapping.

    Of overlapping candidates the one that needs no label is chosen, else the one with the nearest
    label, then the one of the earlier rule, then the longest.

    `context_text` stands just before the text (the end of the message before, the name of a field):
    its labels count, and it is not searched itself. `ignore` are kinds that are not asked for,
    `allow` public values, and `@domain` for every address there; case is ignored. With `bare` a CPF
    or CNPJ needs no label. `names` is the model that finds names, as `recogniser` takes it.
    """
    text, places = decoded(text)
    text, context_text = plain(text), plain(context_text)
    parts = list(parts_of(text))
    ends = [part.end for part in parts]
    candidates = list[_Candidate]()
    for distance, index, length, start, end, kind in _candidates(text, context_text, bare):
        i = bisect_right(ends, start)
        if i < len(parts) and end > parts[i].start:
            if parts[i].is_of_other:
                continue
            distance += REACH_BEFORE  # its heading goes first
        candidates.append((distance, index, length, start, end, kind))
    for part in parts:
        cell = text[part.start : part.end]
        candidates += _candidates(cell, f"{part.heading}: ", bare, part.start)
    if names:
        found = recogniser(names)(text)
        candidates += [(_UNSURE, len(RULES), a - b, a, b, "name") for a, b in found]
    public = {plain(value).lower() for value in allow}
    domains = tuple(value for value in public if value.startswith("@"))
    chosen: list[Span] = []
    taken = bytearray(len(text))
    for _, _, _, start, end, kind in sorted(candidates):
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\1" * (end - start)
            value = text[start:end].lower()
            if kind not in ignore and value not in public and not value.endswith(domains):
                chosen.append(Span(kind, places[start], places[end]))
    return sorted(chosen, key=lambda s: s.start)


# A value that may be found: distance, index of its rule, minus length, start, end, kind; of those
# that overlap the least is. A plain tuple: a NamedTuple takes as long to make as to find.
_Candidate = tuple[int, int, int, int, int, str]


def _candidates(text: str, context_text: str, bare: bool, begin: int = 0) -> Iterator[_Candidate]:
    """Yield what the rules find in a text behind its context; its places count from `begin`."""
    offset, text = len(context_text), context_text + text
    clues = Clues(text, offset)
    context = Context(text, [(a, b) for _, a, b in clues.numbers if b - a > 1])
    found_alone = _TWO_CHECK_DIGITS if bare else frozenset[str]()
    matches = _PREFILTER.matches(text, clues, lambda: context.families | found_alone)
    for rule_index, start, end in matches:
        rule = RULES[rule_index]
        if start < offset or not holds(rule, text[start:end]):
            continue
        families = () if rule.kind in found_alone else rule.label_families
        distance: int | None = 0
        if families:
            distance = context.distance(start, end, families, rule.needs_own_label)
        elif rule.silent_under_other_label:
            weight = _UNSURE if rule.kind == "phone" else 0
            distance = None if context.is_under_other_label(start) else weight
        if distance is not None:
            span = start - offset + begin, end - offset + begin
            yield distance, rule_index, start - end, *span, rule.kind


def holds(rule: Rule, value: str) -> bool:
    """Tell whether a value that a rule matches has the right check digits."""
    if not rule.valid(value):
        return False
    return not rule.stdnum or bool(_module(f"stdnum.{rule.stdnum}").is_valid(value))


def mask_value(kind: str, value: str) -> str:
    """Return a value of a kind, masked, on one line.

    An e-mail keeps its top-level domain and the first letter of parts of four or more; long
    numbers keep their last two characters and their punctuation; the rest keeps nothing.
    """
    value = " ".join(value.split())
    user, _, domain = value.rpartition("@")
    host, _, top = domain.rpartition(".")
    if kind == "email" and user and host:
        first_letters = (part[0] if len(part) > 3 else "" for part in (user, host))
        return "{}***@{}***.{}".format(*first_letters, top)
    if kind not in _LAST_TWO or sum(c.isalnum() for c in value[:-2]) < 7:
        return "***"
    return re.sub(r"\w", "*", value[:-2]) + value[-2:]


# Names of people are found by a language model, which the configuration names.

Recogniser = Callable[[str], list[tuple[int, int]]]
_PERSON = frozenset(("PER", "PERSON"))


def _spacy(model: str) -> Recogniser:
    spacy = require("spacy", "names")
    try:
        nlp = spacy.load(model)
    except OSError:
        advice = f"python -m spacy download {model}"
        raise ConfigError(f"pii_names: spaCy has no model {model!r}: {advice}") from None
    return lambda text: [(e.start_char, e.end_char) for e in nlp(text).ents if e.label_ in _PERSON]


def _transformers(model: str) -> Recogniser:
    transformers = require("transformers", "qlora")
    try:
        find = transformers.pipeline(
            "token-classification", model, aggregation_strategy="simple", device="cpu", stride=64
        )
        find.tokenizer.model_max_length = min(find.tokenizer.model_max_length, 512)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"pii_names: no model that labels tokens: {model!r}: {reason}") from None
    return lambda text: [
        (int(e["start"]), int(e["end"])) for e in find(text) if e["entity_group"] in _PERSON
    ]


_BACKENDS = {"spacy": _spacy, "transformers": _transformers}  # by a model's name or folder


@cache
def recogniser(spec: str) -> Recogniser:
    """Return what finds names in a text, loaded once; raises ConfigError, MissingDependency."""
    backend, _, model = spec.partition(":")
    if backend not in _BACKENDS or not model:
        valid = "spacy:en_core_web_sm, transformers:FOLDER"
        raise ConfigError(f"pii_names: {spec!r} names no model; valid: {valid}")
    return _BACKENDS[backend](model)
