"""Sentences of secrets, whole spans, placeholders and code, written before the rules.

Half of them are hard negatives. In a sentence `⟦kind:value⟧` marks a span, and `¤A40¤` stands for
40 random letters and digits (`H`: hexadecimal digits, `D`: digits, `G`: a GUID), so that no scanner
of keys stumbles over the file.
"""

import hashlib
import json
import random
import re
import string
from collections import Counter
from pathlib import Path

import pytest

from tunegate_checks.detect.api_keys import key_spans
from tunegate_checks.detect.engine import personal_spans

SENTENCES = Path(__file__).with_name("unseen_sentences.jsonl")
LANGUAGES = Path(__file__).with_name("language_sentences.jsonl")
FROZEN_LANGUAGES = "1e4b14bd3f48d100003dbab18aafa2a5d1e2046393b25e345d094727d157bb7f"
FROZEN = "47b83f3641b01e5e9b628f5413e4db2da22c9f4eb50fe61b1c3f2b85dc7dd16e"
ALPHABETS = {"A": string.ascii_letters + string.digits, "H": "0123456789abcdef", "D": "123456789"}


def sentence(number: int, marked: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a sentence without its marks, and the kind and value of each span."""
    rng = random.Random(number)

    def body(match: re.Match[str]) -> str:
        groups = (8, 4, 4, 4, 12) if match[1] == "G" else (int(match[2]),)
        alphabet = ALPHABETS["H" if match[1] == "G" else match[1]]
        return "-".join("".join(rng.choices(alphabet, k=n)) for n in groups)

    marked = re.sub(r"¤([AHDG])(\d*)¤", body, marked)
    spans = re.findall(r"⟦(\w+?):(.*?)⟧", marked)
    return re.sub(r"⟦\w+?:(.*?)⟧", r"\1", marked), spans


LINES = SENTENCES.read_text(encoding="utf-8").splitlines()
CASES = [sentence(i, json.loads(line)["text"]) for i, line in enumerate(LINES)]


def found(text: str) -> list[tuple[str, str]]:
    spans = {(s.kind, s.start, s.end) for s in [*personal_spans(text), *key_spans(text)]}
    return [(kind, text[start:end]) for kind, start, end in sorted(spans, key=lambda s: s[1])]


def test_the_sentences_are_the_frozen_ones() -> None:
    assert hashlib.sha256(SENTENCES.read_bytes()).hexdigest() == FROZEN
    assert sum(not spans for _, spans in CASES) >= len(CASES) / 2


def test_what_is_marked_is_found_whole_and_nothing_else() -> None:
    wrong = {text: found(text) for text, spans in CASES if found(text) != spans}
    # The sign at its end may be the password's or the sentence's.
    assert wrong == {"senha do wifi é Gato2024!": [("password", "Gato2024")]}


# --- six languages ---------------------------------------------------------------------------

ROWS = list(map(json.loads, LANGUAGES.read_text(encoding="utf-8").splitlines()))


def test_the_sentences_in_six_languages_are_the_frozen_ones() -> None:
    """Invented values with right check digits, written before the rules."""
    assert hashlib.sha256(LANGUAGES.read_bytes()).hexdigest() == FROZEN_LANGUAGES
    assert Counter(row["lang"] for row in ROWS).most_common() == [
        ("pt", 360), ("fr", 104), ("de", 104), ("it", 104), ("en", 104), ("es", 102)
    ]  # fmt: skip
    assert sum("⟦" not in row["text"] for row in ROWS) >= len(ROWS) / 2


@pytest.mark.parametrize("language", ["pt", "es", "fr", "de", "it", "en"])
def test_recall_and_precision_in_a_language(language: str) -> None:
    right = wanted = got = 0
    for row in ROWS:
        if row["lang"] == language:
            text, spans = sentence(0, row["text"])
            values = [(s.kind, text[s.start : s.end]) for s in personal_spans(text)]
            right += (Counter(spans) & Counter(values)).total()
            wanted, got = wanted + len(spans), got + len(values)
    assert right >= 0.97 * wanted
    assert right >= 0.99 * got
