"""Shows a row as the trainer sees it: its tokens as text, and which of them it trains on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.data.dataset import Example
from tunegate.tokenization.chat_template import ChatTemplate
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, NotTrainable

from ..config import Settings
from . import training_data

# A character has at most 4 bytes in UTF-8, and so at most as many tokens.
MAX_CHARACTER_TOKENS = 4
REPLACEMENT_CHARACTER, CONTINUATION = "\ufffd", "…"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its text, whether it is trained on, whether it is a control token."""

    text: str
    trained: bool
    special: bool


@dataclass(frozen=True, slots=True)
class TokenView:
    """The tokens of a row after `on_overflow`, and what the trainer does with it.

    `length` is its number of tokens before `on_overflow`, `limit` the number that is allowed, and
    `excess` the difference (of a pair: that of the longer side). `refused` says why the trainer
    refuses the row, "" where it takes it.
    """

    tokens: list[Token]
    length: int
    limit: int
    refused: str = ""
    excess: int = 0

    @property
    def trained(self) -> int:
        """The number of tokens that are trained on."""
        return sum(token.trained for token in self.tokens)

    @property
    def turn_ends(self) -> tuple[int, int]:
        """The number of trained spans, and how many of them end with a control token."""
        after = [*self.tokens[1:], Token("", False, False)]
        last = [a for a, b in zip(self.tokens, after, strict=True) if a.trained and not b.trained]
        return len(last), sum(token.special for token in last)


def view_row(
    example: Example, template: ChatTemplate, settings: Settings, folder: Path
) -> list[TokenView]:
    """Encode a row, and apply `on_overflow`, with the trainer's own functions.

    Returns one view, and for `dpo` two: the preferred side, then the rejected one. A row that the
    trainer refuses is shown whole, with the reason. Raises TemplateError where the template
    refuses the conversation.
    """
    limit = training_data.max_row_tokens(settings, folder)
    try:
        item = training_data.encoder_of(settings)(example, template)
    except NotTrainable as error:
        ids = template.token_ids(template.render(example.messages))
        untrained = EncodedRow(example.line, ids, [IGNORE_INDEX] * len(ids))
        tokens, excess = tokens_of(untrained, template), len(ids) - limit
        return [TokenView(tokens, len(ids), limit, str(error), excess)]
    refused, fitted, conversations = "", [item], training_data.conversations_of([item])
    try:
        fitted = training_data.apply_overflow([item], limit, settings.on_overflow) or fitted
    except NotTrainable as error:
        refused = str(error)
    if training_data.equal_replies_message([item]):
        refused = f"line {example.line}: the two replies are equal: nothing can be learnt from them"
    excess = len(item.ids) - limit
    return [
        TokenView(tokens_of(row, template), len(unfitted.ids), limit, refused, excess)
        for row, unfitted in zip(training_data.conversations_of(fitted), conversations, strict=True)
    ]


def tokens_of(row: EncodedRow, template: ChatTemplate) -> list[Token]:
    """Return the tokens of a row; their texts, joined without "…", are the rendered text.

    The tokens that a character of several tokens is spread over have the character in the first
    one's text and "…" in the others'. Bytes that make no character are shown one by one.
    """
    special = set(template.tokenizer.all_special_ids) | template.stop_ids
    texts: list[str] = []
    while (start := len(texts)) < len(row.ids):
        rest = row.ids[start : start + MAX_CHARACTER_TOKENS]
        lengths = range(1, len(rest) + 1)
        whole = (n for n in lengths if REPLACEMENT_CHARACTER not in _decode(rest[:n], template))
        length = next(whole, 1)
        texts += [_decode(rest[:length], template), *[CONTINUATION] * (length - 1)]
    return [
        Token(text, label != IGNORE_INDEX, token in special)
        for text, label, token in zip(texts, row.labels, row.ids, strict=True)
    ]


def _decode(ids: Sequence[int], template: ChatTemplate) -> str:
    tokenizer = template.tokenizer
    text: str = tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
    # SentencePiece writes a space as "▁", and its decoder removes the first one.
    has_leading_space = str(tokenizer.convert_ids_to_tokens(ids[0])).startswith("▁")
    return f" {text}" if has_leading_space and not text.startswith(" ") else text
