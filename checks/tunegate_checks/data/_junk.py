"""Find what a broken export or a template leaves in a row's texts, other than in its code."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html.entities import html5
from typing import Any

from tunegate.data.canonical import content_text
from tunegate.data.dataset import Example
from tunegate.tokenization.encode import is_trained_on

from ..detect.rule import read_patterns
from ..text.display import quote_line

Fault = tuple[str, str]  # kind and evidence

# Hints: a reply that may be one, entities in what the model only reads, a token that prose names,
# what letters and anonymised texts hold in brackets.
JUNK_HINTS = frozenset({"null", "entity read", "token named", "likely placeholder"})


# What pandas, JavaScript and spreadsheets write for no value; and what may be a word of the task.
_MISSING = {"nan", "NaN", "NAN", "<NA>", "NaT", "[object Object]", "#N/A", "#REF!", "#VALUE!"}
_NULL = {"None", "null", "NULL", "undefined"}
PATTERNS = read_patterns(__file__)


def _are_about(topic: str, texts: Sequence[str]) -> bool:
    return any(map(PATTERNS[f"about_{topic}"].search, texts))


def junk_faults(example: Example) -> Iterator[Fault]:
    """Yield kind and evidence of the junk in the texts of a row."""
    texts = [content_text(message) for message in example.messages]
    for i, (message, text) in enumerate(zip(example.messages, texts, strict=True)):
        path = f"messages[{i}].content"
        if len(text) < 20:
            yield from _missing_faults(path, text.strip(), texts[:i])
        if (found := PATTERNS["missing_line"].search(text)) and not _are_about("code", texts):
            yield "missing value", f"{path} holds {quote_line(found[0])}: no value was there"
        if message["role"] == "assistant":
            yield from _thought_faults(path, message, text)
        if not PATTERNS["suspect"].search(text):
            continue
        prose = PATTERNS["code"].sub(" ", text) if "`" in text or "~" in text else text
        if PATTERNS["suspect_letter"].search(prose):
            yield from _encoding_faults(path, prose, texts)
        if message["role"] not in ("tool", "function"):  # what a tool returns is data: pages, code
            yield from _markup_faults(path, prose, texts, texts[:i], is_trained_on(message))


def _missing_faults(path: str, word: str, before: Sequence[str]) -> Iterator[Fault]:
    """Yield a fault for a text that is nothing but the mark of a value that is missing."""
    if word not in _MISSING and word not in _NULL:
        return
    # What the question offers, or asks a programmer, may be the answer.
    offered = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    if not any(offered.search(text) or PATTERNS["about_code"].search(text) for text in before):
        kind = "missing value" if word in _MISSING else "null"
        yield kind, f"{path} is {quote_line(word)}, as an export writes a value that is missing"


def _markup_faults(
    path: str, prose: str, texts: Sequence[str], before: Sequence[str], is_learnt: bool
) -> Iterator[Fault]:
    """Yield a fault for a placeholder, an HTML entity and a control token in a text."""
    found, field = PATTERNS["placeholder"].search(prose), PATTERNS["field"].search(prose)
    if (found or field) and not _are_about("templates", texts):
        advice = "no value was filled in; fill it in, or leave the row out"
        if found:
            yield "placeholder", f"{path} holds {quote_line(found[0])}: {advice}"
        elif field and not (any(field[0] in text for text in before) or _are_about("code", texts)):
            is_sure = is_learnt and PATTERNS["words"].fullmatch(field[0])
            kind = "placeholder" if is_sure else "likely placeholder"
            yield kind, f"{path} holds {quote_line(field[0])}: {advice}"
    if "&" in prose:
        found_all = (m[0] for m in PATTERNS["entity"].finditer(prose))
        entity = next((e for e in found_all if e[1] == "#" or e[1:] in html5), "")
        if entity and not _are_about("markup", texts):
            kind = "entity" if is_learnt else "entity read"
            advice = "HTML in place of a character (html.unescape)"
            yield kind, f"{path} holds {quote_line(entity)}, {advice}"
    if ("<" in prose or "[" in prose) and (found := PATTERNS["control_token"].search(prose)):
        kind = "token named" if _are_about("tokens", texts) else "control token"
        advice = "the chat template writes it; a text that holds it ends or opens a turn"
        yield kind, f"{path} holds {quote_line(found[0])}: {advice}"


def _thought_faults(path: str, message: Mapping[str, Any], text: str) -> Iterator[Fault]:
    """Yield a fault for thoughts that never end, and for a reply that is nothing else."""
    if not (opened := PATTERNS["thought"].match(text)):
        return
    closing = f"</{opened[1]}>"
    _, is_closed, reply = text.partition(closing)
    if not is_closed:
        yield "unclosed think", f"{path} opens <{opened[1]}> and never closes it: no reply follows"
    elif not reply.strip() and not message.get("tool_calls"):
        yield "empty", f"{path} has nothing behind {closing}; write the reply"


def _encoding_faults(path: str, prose: str, texts: Sequence[str]) -> Iterator[Fault]:
    """Yield a fault for letters that a wrong encoding has destroyed or doubled."""
    is_lost, found = "\ufffd" in prose, PATTERNS["mojibake"].search(prose)
    if not (is_lost or found) or _are_about("encoding", texts):
        return
    if is_lost:
        place = prose.index("\ufffd")
        around = prose[max(0, place - 10) : place + 10]
        yield "lost letter", f"{path} holds U+FFFD, a letter that was lost: {quote_line(around)}"
    if found:
        advice = "UTF-8 that was read as Windows-1252; read the source as UTF-8"
        around = prose[max(0, found.start() - 10) : found.end() + 10]
        yield "mojibake", f"{path} holds {quote_line(around)}: {advice}"
