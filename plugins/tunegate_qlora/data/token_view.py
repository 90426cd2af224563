"""A row as the trainer sees it: its tokens as readable text, and which of them are learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.data.dataset import Example
from tunegate.tokenization.chat_template import ChatTemplate
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, NotTrainable

from ..config.settings import Settings
from . import overflow, rows

MAX_CHARACTER_TOKENS = (
    4  # bytes of a character in UTF-8, and so the most tokens that one can be spread over
)
REPLACEMENT_CHARACTER, CONTINUATION = "\ufffd", "…"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its text, whether the loss falls on it, whether it is a control token."""

    text: str
    trained: bool
    special: bool


@dataclass(frozen=True, slots=True)
class TokenView:
    """A row's tokens, how many it had before `on_overflow`, and why it is refused, if it is."""

    tokens: list[Token]
    length: int
    limit: int
    refused: str = ""
    excess: int = 0  # how many too many: of a pair, those of its longer side

    @property
    def trained(self) -> int:
        """How many tokens the loss falls on."""
        return sum(token.trained for token in self.tokens)

    @property
    def turn_ends(self) -> tuple[int, int]:
        """How many learnt stretches there are, and how many of them end with a control token."""
        after = [*self.tokens[1:], Token("", False, False)]
        last = [a for a, b in zip(self.tokens, after, strict=True) if a.trained and not b.trained]
        return len(last), sum(token.special for token in last)


def view_row(
    example: Example, template: ChatTemplate, settings: Settings, folder: Path
) -> list[TokenView]:
    """Encode a row, and fit it, with the functions that the trainer does it with.

    `dpo` sees two sides, the preferred reply's first. A row that the trainer refuses is shown
    whole, with the reason. Raises Unrendered where the template makes no text of it.
    """
    limit = overflow.max_row_tokens(settings, folder)
    try:
        item = rows.encoder_of(settings)(example, template)
    except NotTrainable as error:
        ids = template.token_ids(template.render(example.messages))
        untrained = EncodedRow(example.line, ids, [IGNORE_INDEX] * len(ids))
        return [
            TokenView(
                token_views(untrained, template), len(ids), limit, str(error), len(ids) - limit
            )
        ]
    refused, fitted, conversations = "", [item], rows.conversations_of([item])
    try:
        fitted = overflow.apply_overflow([item], limit, settings.on_overflow) or fitted
    except NotTrainable as error:
        refused = str(error)
    if rows.equal_replies_message([item]):
        refused = f"line {example.line}: the two replies are equal: nothing can be learnt from them"
    excess = len(item.ids) - limit
    return [
        TokenView(token_views(row, template), len(unfitted.ids), limit, refused, excess)
        for row, unfitted in zip(rows.conversations_of(fitted), conversations, strict=True)
    ]


def token_views(row: EncodedRow, template: ChatTemplate) -> list[Token]:
    """Return a row's tokens; joined, their texts are the rendered text."""
    special = set(template.tokenizer.all_special_ids) | template.stop_ids
    trained_flags = [label != IGNORE_INDEX for label in row.labels]
    texts = _token_texts(row.ids, template)
    return [
        Token(text, is_trained, token in special)
        for text, is_trained, token in zip(texts, trained_flags, row.ids, strict=True)
    ]


def _token_texts(ids: Sequence[int], template: ChatTemplate) -> Iterator[str]:
    """Yield each token's text; of a character in several tokens the first has it, "…" the rest."""
    start = 0
    while start < len(ids):
        width = _character_width(ids[start : start + MAX_CHARACTER_TOKENS], template)
        yield _decode(ids[start : start + width], template)
        yield from [CONTINUATION] * (width - 1)
        start += width


def _character_width(ids: Sequence[int], template: ChatTemplate) -> int:
    """Return how many tokens it takes until no character is cut; 1 where it is cut for good."""
    whole = (
        n for n in range(1, len(ids) + 1) if REPLACEMENT_CHARACTER not in _decode(ids[:n], template)
    )
    return next(whole, 1)


def _decode(ids: Sequence[int], template: ChatTemplate) -> str:
    tokenizer = template.tokenizer
    text: str = tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
    # SentencePiece writes a space as "▁", and decoding takes the first one off.
    has_leading_space = str(tokenizer.convert_ids_to_tokens(ids[0])).startswith("▁")
    return f" {text}" if has_leading_space and not text.startswith(" ") else text
