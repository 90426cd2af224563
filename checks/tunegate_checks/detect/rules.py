"""The rules of detection, one TOML file here for each topic, and the labels of vocabulary.toml.

Labels say what a number is: in lower case without accents, as the words of a text are folded. A
phrase of up to three words comes before its first word: "placa de video" is no number plate.
"""

import re
from collections.abc import Iterator
from typing import Any

from . import validity
from .rule import CONTENTS, DIGIT, DIGITS, NUMBER, PART, Rule, fill_parts, phrases, read_toml

_AROUND = {"": "%s", "digits": DIGITS, "number": NUMBER}


def _any_of(text: str) -> str:
    """Return a pattern of phrases; `full name` is also `full_name` and `fullName`."""
    return "(?:" + "|".join(re.escape(p).replace(r"\ ", "[ _-]?") for p in phrases(text)) + ")"


def _first_words(text: str) -> frozenset[str]:
    """Return the word that each phrase begins with, or is as an identifier."""
    listed = phrases(text.lower())
    firsts = {re.split(r"[^\w]", phrase)[0] for phrase in listed}
    return frozenset(firsts | {phrase.replace(" ", "") for phrase in listed})


def _of_number(kind: str, pattern: str, module: str, labels: str, *signs: str) -> dict[str, Any]:
    """Return the fields of a row of `numbers`; with "-" before its labels the shape needs none."""
    is_alone = labels[0] == "-"
    return {
        "kind": kind, "alone": "digits" if pattern.startswith("\\d") else "number",
        "pattern": pattern, "label_families": () if is_alone else (kind,), "stdnum": module,
        "needs_own_label": not module, "silent_under_other_label": is_alone, "signs": signs,
        "min_digits": 6 if is_alone else 4 if module else 2,
    }  # fmt: skip


def _parts_of(content: dict[str, Any]) -> dict[str, str]:
    """Return the patterns that those of the rules name."""
    words = {name: _any_of(text) for name, text in content.get("words", {}).items()}
    return fill_parts({"digit": DIGIT, **words, **content["parts"]})


def _rules_of(content: dict[str, Any]) -> Iterator[Rule]:
    parts, words = _parts_of(content), content.get("words", {})
    for fields in (*(_of_number(*row) for row in content.get("numbers", ())), *content["rules"]):
        pattern = PART.sub(lambda match: parts[match[1]], fields["pattern"])
        fields["pattern"] = _AROUND[fields.pop("alone", "")] % pattern
        fields["valid"] = getattr(validity, fields.get("valid", ""), bool)
        for key in fields.keys() & {"words", "first_words"}:  # of a list of phrases, by its name
            name = fields[key]
            fields[key] = _first_words(words[name]) if isinstance(name, str) else frozenset(name)
        for key in fields.keys() & {"signs", "label_families"}:
            fields[key] = tuple(fields[key])
        yield Rule(**fields)


PASSWORD_NAME = _parts_of(CONTENTS["online"])["password_name"]
RULES = tuple(rule for content in CONTENTS.values() for rule in _rules_of(content))

# Labels of numbers that are no personal data: a number behind one belongs to it.
OTHER_FAMILY = "other"
# The labels by family, and of the numbers that need one by kind.
_FAMILIES = read_toml(__file__, "vocabulary") | {
    kind: labels.lstrip("-")
    for content in CONTENTS.values()
    for kind, _, _, labels, *_ in content.get("numbers", ())
    if labels != "-"
}
LABELS: dict[str, set[str]] = {}  # the families of each word or phrase
for _family, _phrases in _FAMILIES.items():
    for _phrase in _phrases.split(","):
        LABELS.setdefault(" ".join(_phrase.split()), set()).add(_family)
LENGTHS: dict[str, dict[int, None]] = {}  # of the phrases that begin with a word, longest first
for _words in sorted(map(str.split, LABELS), key=len, reverse=True):
    LENGTHS.setdefault(_words[0], {})[len(_words)] = None
LABEL_WORDS = frozenset(word for phrase in LABELS for word in phrase.split())
