"""Find what a broken export or a template leaves in the texts of a row.

Code is left alone: blocks in ``` and words in backticks are not read, and a row that is about
templates, HTML or tokens may hold them. What may be meant all the same is a hint, by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.entities import html5
from typing import Any

from tunegate.data.canonical import content_text
from tunegate.data.dataset import Example
from tunegate.tokenization.encode import is_trained_on

from ..text.display import quote_line
from ._tool_calls import Fault

# Hints: a reply that may be one, entities in what the model only reads, a token that prose names.
JUNK_HINTS = frozenset({"null", "entity read", "token named"})

_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`", re.DOTALL)
_SUSPECT = re.compile(r"[\ufffdÃÂâðÐÑï&]|\{\{|<[|｜/sbeup<]|\[/?INST")

# What pandas, JavaScript and spreadsheets write for a value that is not there; and what may be a
# word of the task.
_MISSING = {"nan", "NaN", "NAN", "<NA>", "NaT", "[object Object]", "#N/A", "#REF!", "#VALUE!"}
_NULL = {"None", "null", "NULL", "undefined"}
_ABOUT_CODE = re.compile(
    r"`|\w\(|==|=>|\b(?:python|javascript|pandas|sql|json|code|function|program)\b", re.I
)

_PLACEHOLDER = re.compile(r"(?<![\w\\}{^_$])\{\{\s*[^\W\d][\w.\- ]{0,40}\}\}")
_ABOUT_TEMPLATES = re.compile(
    r"\{%|\b(?:jinja2?|handlebars|mustache|liquid|twig|django|vue|angular|ansible|helm|dbt|latex"
    r"|f-strings?|templat\w*|placeholders?|modelos? de (?:mensagem|e-?mail)|marcador\w*)\b",
    re.IGNORECASE,
)

# UTF-8 read as Windows-1252: the lead byte of two letters of European scripts, and what follows.
# A quote may follow a word in capitals that ends in this letter: "MANHÃ”".
_FOLLOWS = "\x80-\x9f\xa1-\xaa\xac-\xba\xbc-\xbf€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ"
_QUOTES = "\xa0«»‘’“”–—…"
_MOJIBAKE = re.compile(
    rf"[ÃÂ][{_FOLLOWS}]|(?<![A-ZÀ-Þ])[ÃÂ][{_QUOTES}]|â(?:€[^\s\w]|€[\x80-\xbfœž]|„¢|‚¬)|ðŸ"
    rf"|(?:[ÐÑ][{_FOLLOWS}{_QUOTES}]){{2}}|ï(?:¿½|»¿)"
)
_ABOUT_ENCODING = re.compile(r"mojibake|U\+FFFD|replacement character|utf-?8|encoding", re.I)

_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{2,7}|#[xX][0-9a-fA-F]{2,6});")
_ABOUT_MARKUP = re.compile(r"</?[a-z][^<>]*>|<!|\b(?:html|xml|entit\w+|escap\w+|markup)\b", re.I)

# The tokens of chat templates: ChatML and Llama 3, DeepSeek, Gemma, Llama 2 and Mistral.
_CONTROL_TOKEN = re.compile(
    r"<\|[a-z][a-z0-9_]{1,30}\|>|<｜[^｜\n]{1,40}｜>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
    r"|</s>\s*\Z|<s>(?=\s*\[INST\])|<(?:bos|eos|pad|unk)>"
)
_ABOUT_TOKENS = re.compile(r"\btokens?\b|chatml|chat template|tokeni[sz]", re.IGNORECASE)

_THOUGHT = re.compile(r"\s*<(think|thinking|thought|reasoning)>")


def junk_faults(example: Example) -> Iterator[Fault]:
    """Yield kind and evidence of the junk in the texts of a row."""
    texts = [content_text(message) for message in example.messages]
    whole = "\n".join(texts) if any(map(_SUSPECT.search, texts)) else ""
    for i, (message, text) in enumerate(zip(example.messages, texts, strict=True)):
        path, is_learnt = f"messages[{i}].content", is_trained_on(message)
        if len(text) < 20 and (word := text.strip()) in _MISSING | _NULL:
            others = "\n".join(texts[:i])
            # What the question offers, or asks a programmer, may be the answer.
            if not (
                re.search(rf"\b{re.escape(word)}\b", others, re.I) or _ABOUT_CODE.search(others)
            ):
                kind = "missing value" if word in _MISSING else "null"
                yield (
                    kind,
                    f"{path} is {quote_line(word)}, as an export writes a value that is missing",
                )
        if message["role"] == "assistant":
            yield from _thought_faults(path, message, text)
        if not _SUSPECT.search(text):
            continue
        prose = _CODE.sub(" ", text)
        yield from _encoding_faults(path, prose, whole)
        if message["role"] in ("tool", "function"):
            continue  # what a tool returns is data: pages, source code
        if (found := _PLACEHOLDER.search(prose)) and not _ABOUT_TEMPLATES.search(whole):
            advice = "no value was filled in; fill it in, or leave the row out"
            yield "placeholder", f"{path} holds {quote_line(found[0])}: {advice}"
        entity = next((m[0] for m in _ENTITY.finditer(prose) if _is_entity(m[0])), None)
        if entity and not _ABOUT_MARKUP.search(whole):
            kind = "entity" if is_learnt else "entity read"
            yield (
                kind,
                f"{path} holds {quote_line(entity)}, HTML in place of a character (html.unescape)",
            )
        if found := _CONTROL_TOKEN.search(prose):
            kind = "token named" if _ABOUT_TOKENS.search(whole) else "control token"
            advice = "the chat template writes it; a text that holds it ends or opens a turn"
            yield kind, f"{path} holds {quote_line(found[0])}: {advice}"


def _is_entity(text: str) -> bool:
    return text[1] == "#" or text[1:] in html5


def _thought_faults(path: str, message: Mapping[str, Any], text: str) -> Iterator[Fault]:
    """Yield a fault for thoughts that never end, and for a reply that is nothing else."""
    if not (opened := _THOUGHT.match(text)):
        return
    closing = f"</{opened[1]}>"
    _, is_closed, reply = text.partition(closing)
    if not is_closed:
        yield "unclosed think", f"{path} opens <{opened[1]}> and never closes it: no reply follows"
    elif not reply.strip() and not message.get("tool_calls"):
        yield "empty", f"{path} has nothing behind {closing}; write the reply"


def _encoding_faults(path: str, prose: str, whole: str) -> Iterator[Fault]:
    """Yield a fault for letters that a wrong encoding has destroyed or doubled."""
    if _ABOUT_ENCODING.search(whole):
        return
    if "\ufffd" in prose:
        place = prose.index("\ufffd")
        around = prose[max(0, place - 10) : place + 10]
        yield "lost letter", f"{path} holds U+FFFD, a letter that was lost: {quote_line(around)}"
    if found := _MOJIBAKE.search(prose):
        advice = "UTF-8 that was read as Windows-1252; read the source as UTF-8"
        around = prose[max(0, found.start() - 10) : found.end() + 10]
        yield "mojibake", f"{path} holds {quote_line(around)}: {advice}"
