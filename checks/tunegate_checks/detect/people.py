"""Rules for street addresses, and for names by the title, label or closing that stands before."""

import re
import tomllib
from pathlib import Path

from .rule import DIGIT, Rule

_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞŠŽŁ", "a-zß-öø-ÿšžł"
_WORDS: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_TITLES, _LABELS, _COMPOUNDS = _WORDS["titles"], _WORDS["labels"], _WORDS["compounds"]
_INTRODUCTIONS, _CLOSINGS = _WORDS["introductions"], _WORDS["closings"]
_STREETS, _FRENCH, _ITALIAN = (_WORDS[f"{kind}streets"] for kind in ("", "french_", "italian_"))
_GERMAN, _GERMAN_PLACES = _WORDS["german_streets"], _WORDS["german_places"]
_ENGLISH = _WORDS["english_streets"]
_NO_STREET = re.compile(r"\b(?:sem|com|tem|estava|cheia|foi|con|está|llena|cortada)\b", re.I)


def _phrases(text: str) -> list[str]:
    return sorted((" ".join(p.split()) for p in text.split(",")), key=len, reverse=True)


def _any_of(text: str) -> str:
    """Return a pattern of phrases; `full name` is also `full_name` and `fullName`."""
    return "(?:" + "|".join(re.escape(p).replace(r"\ ", "[ _-]?") for p in _phrases(text)) + ")"


def _first_words(text: str) -> frozenset[str]:
    """Return the word that each phrase begins with, or is as an identifier."""
    firsts = {re.split(r"[^\w]", phrase)[0] for phrase in _phrases(text)}
    return frozenset(firsts | {phrase.replace(" ", "") for phrase in _phrases(text)})


_WORDS_OF_NO_NAME = frozenset(_phrases(_WORDS["no_names"]))


def is_name(value: str) -> bool:
    """Check that a name holds no word for a team, a role or a type of a program."""
    words = [word.lower() for word in re.split(r"[ \-]", value) if word[:1].isupper()]
    return len(value) > 2 and _WORDS_OF_NO_NAME.isdisjoint(words)


def is_street(value: str) -> bool:
    """Tell "rua das Flores, 12" from "rua sem saída, 12 vizinhos"."""
    return not _NO_STREET.search(value)


_GIVEN = (
    rf"(?:[{_UPPER}](?:['’][{_UPPER}])?[{_LOWER}]+(?:[{_UPPER}][{_LOWER}]+)?"
    rf"(?:[\-'’][{_UPPER}{_LOWER}][{_LOWER}]+)*|[{_UPPER}]{{3,}}(?![{_LOWER}\d_]))"
)
_PARTICLE = r"(?:d[aeo]s?|del|della|di|du|de la|e|y|van|von|van de[rn]?|von de[rmn])"
_FURTHER = rf"(?: (?:(?:{_PARTICLE} )?(?:{_GIVEN}|[{_UPPER}]\.)|d['’]{_GIVEN}))"
_NAME = rf"(?P<v>(?-i:{_GIVEN}{_FURTHER}{{0,5}})(?![\w@(]|\.\w))"
_LABELLED = rf"(?<![\w.])%s[\"'*]{{0,3}} ?[:=] ?[\"'*]{{0,3}}\s?{_NAME}"
_LINE_END = r"(?=[ \t,.!]*(?:\n|$))"

_WORD = r"[^\W\d_][\w.'’\-]*"
_NUMBER = r",? (?:n[º°.o]{0,2}\.? ?|km ?|num\.? ?)?\d{1,5}(?:[a-z]\b|-\d{1,4})?"
_NOT_COUNTED = r"(?![\w/]|[.,:]\d| ?(?:%|€|[a-z]{2,}s\b|km|m²|graus|min\b|h\b))"
_FLAT = (
    r"(?:,? ?[\-–]? ?(?:apto?\.?|apartamento|bloco|bl\.|casa|sala|fundos|suite|ste|unit|piso)"
    r" ?[\w\-]{1,5})*"
)
_CAPITAL = rf"(?-i:[{_UPPER}][{_LOWER}'’.]+|[IVX]+\b)"
_SMALL = r"(?:d[aeo]s?|del?|la|el|los|las|e|y|der|di|della?|du|des|l['’]|d['’]|dei)"
_CAPITALS = rf"{_CAPITAL}(?:[ \-](?:{_SMALL} ){{0,2}}{_CAPITAL}){{0,5}}"

RULES = (
    # Rua das Acácias, 12; Calle de Alcalá 45; moro na rua das flores, nº 3
    Rule("address", rf"(?<!\w){_any_of(_STREETS)} (?:{_SMALL} ){{0,2}}"
        rf"(?:{_CAPITALS}{_NUMBER}|\d{{1,2}} de {_CAPITAL}{_NUMBER}"
        rf"|{_WORD}(?: {_WORD}){{0,4}}, ?(?:n[º°.o]{{0,2}}\.? ?)?\d{{1,5}}){_NOT_COUNTED}{_FLAT}",
        is_street, min_digits=1, first_words=_first_words(_STREETS)),
    # moro na rua das palmeiras 45
    Rule("address",
        rf"(?<!\w){_any_of(_STREETS)} (?:{_SMALL} ){{1,2}}{_WORD}(?: {_WORD}){{0,2}} \d{{1,5}}"
        rf"{_NOT_COUNTED}{_FLAT}", is_street, ("address",), min_digits=1,
        first_words=_first_words(_STREETS)),
    # 12 bis rue de Rivoli
    Rule("address",
        rf"{DIGIT}(?<![\w.,])\d{{1,4}}(?: ?(?:bis|ter))?,? {_any_of(_FRENCH)} (?:{_SMALL} ?){{0,2}}"
        rf"{_CAPITALS}", min_digits=1, words=_first_words(_FRENCH)),
    # Hauptstraße 5, Berliner Str. 7, Lindenweg 3a; Am Markt 1 beside "Adresse"
    Rule("address",
        rf"(?<!\w)(?-i:[{_UPPER}][{_LOWER}\-]{{2,}})(?:(?<=[a-z]{{4}})[ \-])?{_any_of(_GERMAN)}"
        rf" \d{{1,4}} ?[a-z]?\b{_NOT_COUNTED}",
        signs=tuple(f"{street} " for street in _phrases(_GERMAN))),
    Rule("address",
        rf"(?<!\w){_any_of(_GERMAN_PLACES)} {_CAPITAL} \d{{1,4}} ?[a-z]?\b{_NOT_COUNTED}",
        label_families=("address",), min_digits=1, first_words=_first_words(_GERMAN_PLACES)),
    # Via Roma 12, Piazza del Popolo, 3
    Rule("address",
        rf"(?<!\w){_any_of(_ITALIAN)} (?:{_SMALL} ?){{0,2}}{_CAPITALS},? (?:n\.? ?)?\d{{1,4}}"
        rf"(?:/?[a-z]\b)?{_NOT_COUNTED}", min_digits=1, first_words=_first_words(_ITALIAN)),
    # 12 Main St, 221B Baker Street, 350 West 42nd Street, Apt 4
    Rule("address", rf"{DIGIT}(?<![\w.,/\-])\d{{1,5}}[A-Z]? "
        r"(?-i:(?:(?:[NSEW]\.?|North|South|East|West) )?"
        rf"(?:{_CAPITAL}|\d{{1,3}}(?:st|nd|rd|th))(?: {_CAPITAL}){{0,2}} {_any_of(_ENGLISH)}\b\.?)"
        r"(?!\w)(?:,? (?:apt|suite|ste|unit)\.? ?\w{1,5})?", min_digits=1,
        words=_first_words(_ENGLISH.lower())),
    # Not in a street: Rua Dr. Arnaldo
    Rule("name", rf"(?<![\w.])(?<!rua )(?<!av )(?<!av\. )(?<!avenida )(?<!praça )"
        rf"(?:{_any_of(_TITLES)}\.? ){{1,2}}{_NAME}", is_name, first_words=_first_words(_TITLES)),
    # Not in the name of another: David M. Blei
    Rule("name", rf"(?:^|[\n,;:!?(]\s?|\b(?:et|à|de|que|pour|avec|par|chez) )(?-i:M\. ){_NAME}",
        is_name, signs=("m. ",)),
    Rule("name", _LABELLED % _any_of(_LABELS), is_name, first_words=_first_words(_LABELS)),
    Rule("name", _LABELLED % _any_of(_COMPOUNDS), is_name,
        first_words=_first_words(_COMPOUNDS)),
    Rule("name", rf"(?<![\w.])name: (?P<v>(?-i:{_GIVEN}{_FURTHER}{{1,4}})){_LINE_END}", is_name,
        first_words=frozenset(("name",))),
    Rule("name", rf"(?<!\w){_any_of(_INTRODUCTIONS)}:? (?:[oa] )?{_NAME}", is_name,
        first_words=_first_words(_INTRODUCTIONS)),
    Rule("name", rf"(?<!\w){_any_of(_CLOSINGS)}[ \t]*[,.!]?\s{{1,4}}"
        rf"(?!{_any_of(_CLOSINGS)}){_NAME}{_LINE_END}", is_name,
        first_words=_first_words(_CLOSINGS)),
)  # fmt: skip
