"""tunegate's personal-data rules beside Presidio: documents a second, recall, precision.

    python benchmarks/personal_data.py [LABELLED.json] [--questions FILE.csv]
        [--model en_core_web_sm]

Without a file the Brazilian sentences of tunegate's own tests are read (where Presidio knows the
kinds: none of the Brazilian ones). LABELLED.json is of presidio-research's form: `full_text` and
`spans`. Presidio runs where presidio-analyzer is installed, with the spaCy model named, or with
no model (pattern recognisers only) where it cannot be loaded: the table says which. Speed is
measured on tickets (four sentences each), questions (column `text` of a CSV file, such as
banking77's) and code (30 lines each of Python's own library): one process, CPU time, the tools in
turn, of each text the best of eight times; imports and models are loaded before.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
import re
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunegate_checks.detect.engine import personal_spans

BRAZILIAN = Path(__file__).parents[1] / "tests/checks/data/brazilian_sentences.jsonl"
_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
KINDS = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "US_SSN": "us_ssn",
    "IBAN_CODE": "iban", "IP_ADDRESS": "ip", "MAC_ADDRESS": "mac", "CRYPTO": "wallet",
    "PERSON": "name", "US_PASSPORT": "passport", "US_DRIVER_LICENSE": "driver_license",
    "US_BANK_NUMBER": "bank_account",
}  # fmt: skip
Found = tuple[str, int, int]  # kind, start, end
Finder = Callable[[str], list[Found]]
Sentences = list[tuple[str, list[Found]]]


def labelled(path: Path) -> Sentences:
    """Read a labelled set: JSONL with `text`, its spans marked or beside it; presidio's JSON."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
        return [
            (r["text"], [(s["kind"], s["start"], s["end"]) for s in r["spans"]])
            if "spans" in r
            else _unmarked(r["text"])
            for r in rows
        ]
    return [(row["full_text"], list(_spans(row["spans"]))) for row in json.loads(text)]


def _unmarked(marked: str) -> tuple[str, list[Found]]:
    """Return a text without its marks, and the span of each: `CPF ⟦cpf:529.982.247-25⟧`."""
    text, found, position = "", list[Found](), 0
    for match in re.finditer(r"⟦(\w+?):(.*?)⟧", marked, re.DOTALL):
        text += marked[position : match.start()]
        found.append((match[1], len(text), len(text) + len(match[2])))
        text, position = text + match[2], match.end()
    return text + marked[position:], found


def _spans(rows: list[dict[str, Any]]) -> Iterator[Found]:
    for row in rows:
        if row["entity_type"] in KINDS:
            yield KINDS[row["entity_type"]], row["start_position"], row["end_position"]


def tunegate(text: str) -> list[Found]:
    """Find with tunegate's rules: all of them, whatever is compared."""
    return [(s.kind, s.start, s.end) for s in personal_spans(text)]


def presidio(model: str) -> list[tuple[str, Finder]]:
    """Return Presidio as it comes, and asked only for the kinds compared; [] where it is absent."""
    if not _is_here("presidio_analyzer"):
        return []
    blank = not _is_here(model)
    name = f"presidio {version('presidio-analyzer')}, {'no model' if blank else model}"
    engine = _engine("" if blank else model)
    analyzer = import_module("presidio_analyzer").AnalyzerEngine(nlp_engine=engine)

    def finder(entities: list[str] | None) -> Finder:
        def find(text: str) -> list[Found]:
            results = analyzer.analyze(text=text, language="en", entities=entities)
            return [(KINDS.get(r.entity_type, r.entity_type), r.start, r.end) for r in results]

        return find

    return [(f"{name}, as it comes", finder(None)), (f"{name}, these kinds", finder(list(KINDS)))]


def _is_here(module: str) -> bool:
    return find_spec(module) is not None


def _engine(model: str) -> Any:
    """Presidio's spaCy engine; without a model it splits words, and names no person or place."""
    nlp = import_module("presidio_analyzer.nlp_engine")
    models = [{"lang_code": "en", "model_name": model}]
    if model:
        config = {"nlp_engine_name": "spacy", "models": models}
        return nlp.NlpEngineProvider(nlp_configuration=config).create_engine()
    engine = nlp.SpacyNlpEngine()
    engine.nlp = {"en": import_module("spacy").blank("en")}
    return engine


def texts_of(sentences: Sentences, questions: Path | None) -> dict[str, list[str]]:
    """Return the texts on which speed is measured, by their nature."""
    plain = [text for text, _ in sentences]
    texts = {"tickets": [" ".join(plain[i : i + 4]) for i in range(0, len(plain), 4)]}
    if questions:
        with open(questions, newline="", encoding="utf-8") as file:
            texts["questions"] = [row["text"] for row in csv.DictReader(file)]
    lines = [
        path.read_text(encoding="utf-8").splitlines() for path in sorted(_LIBRARY.glob("*.py"))[::4]
    ]
    code = ["\n".join(file[i : i + 30]) for file in lines for i in range(0, len(file), 30)]
    texts["code"] = code[::9]
    return {nature: found[:60] for nature, found in texts.items()}


def rates(tools: list[tuple[str, Finder]], texts: list[str]) -> list[float]:
    """Return the documents a second of each tool."""
    least = [[math.inf] * len(texts) for _ in tools]
    for _ in range(8):
        for (_, find), times in zip(tools, least, strict=True):
            times[:] = [min(t, _seconds(find, text)) for t, text in zip(times, texts, strict=True)]
    return [len(texts) / sum(times) for times in least]


def _seconds(find: Finder, text: str) -> float:
    began = time.process_time()
    find(text)
    return time.process_time() - began


def quality(find: Finder, sentences: Sentences) -> dict[str, tuple[int, float, float]]:
    """Return n, recall and precision of each kind that the labels name."""
    right, wanted, got = Counter[str](), Counter[str](), Counter[str]()
    for text, labels in sentences:
        found = find(text)
        wanted.update(k for k, *_ in labels)
        got.update(k for k, *_ in found)
        right.update(label[0] for label in labels if any(_same(label, f) for f in found))
    return {k: (n, right[k] / n, right[k] / max(1, got[k])) for k, n in sorted(wanted.items())}


def _same(a: Found, b: Found) -> bool:
    common = min(a[2], b[2]) - max(a[1], b[1])
    return a[0] == b[0] and common >= 0.8 * max(a[2] - a[1], b[2] - b[1])


def main() -> None:
    """Print one table a tool."""
    # Presidio's e-mail rule asks the net for a list of suffixes, and does well without it.
    logging.getLogger("tldextract").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("labelled", type=Path, nargs="?", default=BRAZILIAN)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--model", default="en_core_web_sm")
    options = parser.parse_args()
    sentences = labelled(options.labelled)
    tools = [("tunegate, all kinds", tunegate), *presidio(options.model)]
    for nature, texts in texts_of(sentences, options.questions).items():
        print(f"\n{nature}: {len(texts):,} texts, {sum(map(len, texts)):,} characters")
        measured = rates(tools, texts)
        for (name, _), found in zip(tools, measured, strict=True):
            beside = f"tunegate is {measured[0] / found:.1f} times as fast"
            print(f"  {name}: {found:,.0f} documents/s ({beside})")
    print(f"\n{options.labelled.name}: {len(sentences):,} texts")
    for name, find in tools:
        print(f"\n{name}")
        for kind, (n, recall, precision) in quality(find, sentences).items():
            print(f"  {kind:16} n={n:<5} recall {recall:.3f}  precision {precision:.3f}")
    if len(tools) == 1:
        print("\npresidio-analyzer is not installed here: nothing is said of it.")


if __name__ == "__main__":
    main()
