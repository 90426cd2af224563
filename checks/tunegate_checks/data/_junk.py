"""Find what a broken export or a template leaves in the texts of a row.

Code is left alone: blocks in ``` and words in backticks are not read, and a row that is about
templates, HTML or tokens may hold them. What may be meant all the same is a hint, by its kind.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from html.entities import html5
from typing import Any

from tunegate.data.canonical import content_text
from tunegate.data.dataset import Example
from tunegate.tokenization.encode import is_trained_on

from ..text.display import quote_line

Fault = tuple[str, str]  # kind and evidence

# Hints: a reply that may be one, entities in what the model only reads, a token that prose names,
# what letters and anonymised texts hold in brackets.
JUNK_HINTS = frozenset({"null", "entity read", "token named", "likely placeholder"})

_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`", re.DOTALL)
# What most texts have nothing of, so that they are read no further.
_SUSPECT_LETTER = re.compile("[\ufffdÃÂâðÎÏÐÑ×ØÙï]|[à-í][^\\s\\w.,;:!?()'\"/-]")
_SUSPECT = re.compile(rf"[&{{<\[]|{_SUSPECT_LETTER.pattern}")

# What pandas, JavaScript and spreadsheets write for a value that is not there; and what may be a
# word of the task.
_MISSING = {"nan", "NaN", "NAN", "<NA>", "NaT", "[object Object]", "#N/A", "#REF!", "#VALUE!"}
_NULL = {"None", "null", "NULL", "undefined"}
_MISSING_LINE = re.compile(r"^[^:\n]{1,40}: ?(nan|NaN|<NA>|NaT)\s*$", re.MULTILINE)
_CODE_WORDS = "python|javascript|pandas|sql|json|code|function|program"
_ABOUT_CODE = re.compile(rf"`|\w\(|==|=>|\b(?:{_CODE_WORDS})\b", re.IGNORECASE)

_PLACEHOLDER = re.compile(r"(?<![\w\\}{^_$])\{\{\s*[^\W\d][\w.\- ]{0,40}\}\}")
# {order_id}, [NAME], [Your name], <NOME>, with a word that forms ask for; no index, link or path.
_WORD = (
    "(?<![^\\W_])(?i:(?:sur|user|first|last)?name|(?:sobre)?nome|order|pedido|company|empresa|date"
    "|customer|clientes?|address|endereço|phone|telefone|e-?mail|n[uú]mero|number|city|cidade|price"
    "|preço|products?|produto|amount|valor|account|conta|insert|inserir|your?|seu|sua)(?![^\\W_])"
)
_FIELD = re.compile(
    rf"(?<![\w\\\]}}{{^_$/\"'=@.])(?:\{{(?:[a-z]+(?:_[a-z]+)+|(?={_WORD})[A-Za-z]+)\}}(?!\}})"
    rf"|\[(?=[A-ZÀ-Þ]|your|insert|seu|sua)(?=[^\]\n]{{0,40}}{_WORD})"
    rf"[^\W\d_][^\W\d]+(?:[ '-][^\W\d]+)*\](?![(\[:\w])"
    rf"|<(?=[A-ZÀ-Þ _-]{{0,40}}{_WORD})[A-ZÀ-Þ][A-ZÀ-Þ _-]{{2,40}}>)"
)
_WORDS = re.compile(r"\{(?=.*[a-z]{3})[a-z]{2,}(?:_[a-z]{2,})+\}")  # {order_id}; not {x_i}, {x_max}
_ABOUT_TEMPLATES = re.compile(
    r"\{%|\b(?:jinja2?|handlebars|mustache|liquid|twig|django|vue|angular|ansible|helm|dbt|latex"
    r"|f-strings?|templat\w*|placeholders?|modelos? de (?:mensagem|e-?mail)|marcador\w*)\b",
    re.IGNORECASE,
)

# UTF-8 read as Windows-1252: the lead byte of letters of two bytes (European scripts, Arabic,
# Hebrew) or three (Chinese, Japanese, Korean, Thai, Hindi), and what follows.
# A quote may follow a word in capitals that ends in this letter: "MANHÃ”".
_FOLLOWS = "\x80-\x9f\xa1-\xaa\xac-\xba\xbc-\xbf€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ"
_QUOTES = "\xa0«»‘’“”–—…"
_MOJIBAKE = re.compile(
    rf"[ÃÂ][{_FOLLOWS}]|(?<![A-ZÀ-Þ])[ÃÂ][{_QUOTES}]|â(?:€[^\s\w]|€[\x80-\xbfœž]|„¢|‚¬)|ðŸ"
    rf"|(?:[ÎÏÐÑ×ØÙ][{_FOLLOWS}{_QUOTES}]){{2}}|(?:[à-í][{_FOLLOWS}{_QUOTES}]{{2}}){{2}}"
    r"|ï(?:¿½|»¿)"
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
    for i, (message, text) in enumerate(zip(example.messages, texts, strict=True)):
        path = f"messages[{i}].content"
        if len(text) < 20:
            yield from _missing_faults(path, text.strip(), texts[:i])
        if (found := _MISSING_LINE.search(text)) and not any(map(_ABOUT_CODE.search, texts)):
            yield "missing value", f"{path} holds {quote_line(found[0])}: no value was there"
        if message["role"] == "assistant":
            yield from _thought_faults(path, message, text)
        if not _SUSPECT.search(text):
            continue
        prose = _CODE.sub(" ", text) if "`" in text or "~" in text else text
        if _SUSPECT_LETTER.search(prose):
            yield from _encoding_faults(path, prose, texts)
        if message["role"] not in ("tool", "function"):  # what a tool returns is data: pages, code
            yield from _markup_faults(path, prose, texts, texts[:i], is_trained_on(message))


def _missing_faults(path: str, word: str, before: Sequence[str]) -> Iterator[Fault]:
    """Yield a fault for a text that is nothing but the mark of a value that is missing."""
    if word not in _MISSING and word not in _NULL:
        return
    # What the question offers, or asks a programmer, may be the answer.
    offered = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    if not any(offered.search(text) or _ABOUT_CODE.search(text) for text in before):
        kind = "missing value" if word in _MISSING else "null"
        yield kind, f"{path} is {quote_line(word)}, as an export writes a value that is missing"


def _markup_faults(
    path: str, prose: str, texts: Sequence[str], before: Sequence[str], is_learnt: bool
) -> Iterator[Fault]:
    """Yield a fault for a placeholder, an HTML entity and a control token in a text."""
    found, field = _PLACEHOLDER.search(prose), _FIELD.search(prose)
    if (found or field) and not any(map(_ABOUT_TEMPLATES.search, texts)):
        advice = "no value was filled in; fill it in, or leave the row out"
        if found:
            yield "placeholder", f"{path} holds {quote_line(found[0])}: {advice}"
        elif field and not (
            any(field[0] in text for text in before) or any(map(_ABOUT_CODE.search, texts))
        ):
            is_sure = is_learnt and _WORDS.fullmatch(field[0])
            kind = "placeholder" if is_sure else "likely placeholder"
            yield kind, f"{path} holds {quote_line(field[0])}: {advice}"
    if "&" in prose:
        found_all = (m[0] for m in _ENTITY.finditer(prose))
        entity = next((e for e in found_all if e[1] == "#" or e[1:] in html5), "")
        if entity and not any(map(_ABOUT_MARKUP.search, texts)):
            kind = "entity" if is_learnt else "entity read"
            advice = "HTML in place of a character (html.unescape)"
            yield kind, f"{path} holds {quote_line(entity)}, {advice}"
    if ("<" in prose or "[" in prose) and (found := _CONTROL_TOKEN.search(prose)):
        kind = "token named" if any(map(_ABOUT_TOKENS.search, texts)) else "control token"
        advice = "the chat template writes it; a text that holds it ends or opens a turn"
        yield kind, f"{path} holds {quote_line(found[0])}: {advice}"


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


def _encoding_faults(path: str, prose: str, texts: Sequence[str]) -> Iterator[Fault]:
    """Yield a fault for letters that a wrong encoding has destroyed or doubled."""
    is_lost, found = "\ufffd" in prose, _MOJIBAKE.search(prose)
    if not (is_lost or found) or any(map(_ABOUT_ENCODING.search, texts)):
        return
    if is_lost:
        place = prose.index("\ufffd")
        around = prose[max(0, place - 10) : place + 10]
        yield "lost letter", f"{path} holds U+FFFD, a letter that was lost: {quote_line(around)}"
    if found:
        advice = "UTF-8 that was read as Windows-1252; read the source as UTF-8"
        around = prose[max(0, found.start() - 10) : found.end() + 10]
        yield "mojibake", f"{path} holds {quote_line(around)}: {advice}"
