"""A row as the trainer sees it: its tokens as readable text, and which of them are learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.dataset import Example
from tunegate.encode import IGNORED, Row, Unfit
from tunegate.template import Template

from . import fit, pairs
from .config import Settings

LONGEST = 4  # bytes of a character in UTF-8, and so the most tokens that one can be spread over
CUT, INSIDE = "\ufffd", "…"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its text, whether the loss falls on it, whether it is a control token."""

    text: str
    learnt: bool
    special: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A row's tokens, how many it had before `on_overflow`, and why it is refused, if it is."""

    tokens: list[Token]
    length: int
    limit: int
    refused: str = ""
    over: int = 0  # how many too many: of a pair, those of its longer side

    @property
    def learnt(self) -> int:
        """How many tokens the loss falls on."""
        return sum(token.learnt for token in self.tokens)

    @property
    def ends(self) -> tuple[int, int]:
        """How many learnt stretches there are, and how many of them end with a control token."""
        after = [*self.tokens[1:], Token("", False, False)]
        last = [a for a, b in zip(self.tokens, after, strict=True) if a.learnt and not b.learnt]
        return len(last), sum(token.special for token in last)


def see(example: Example, template: Template, settings: Settings, folder: Path) -> list[Seen]:
    """Encode a row, and fit it, with the functions that the trainer does it with.

    `dpo` sees two sides, the preferred reply's first. A row that the trainer refuses is shown
    whole, with the reason. Raises Unrendered where the template makes no text of it.
    """
    limit = fit.limit(settings, folder)
    try:
        item = pairs.encoder(settings)(example, template)
    except Unfit as error:
        ids = template.ids(template.render(example.messages))
        bare = Row(example.line, ids, [IGNORED] * len(ids))
        return [Seen(tokens(bare, template), len(ids), limit, str(error), len(ids) - limit)]
    refused, kept, whole = "", [item], pairs.rows([item])
    try:
        kept = fit.fit([item], limit, settings.on_overflow) or kept
    except Unfit as error:
        refused = str(error)
    if pairs.equal([item]):
        refused = f"line {example.line}: the two replies are equal: nothing can be learnt from them"
    over = len(item.ids) - limit
    return [
        Seen(tokens(row, template), len(was.ids), limit, refused, over)
        for row, was in zip(pairs.rows(kept), whole, strict=True)
    ]


def tokens(row: Row, template: Template) -> list[Token]:
    """Return a row's tokens; joined, their texts are the rendered text."""
    special = set(template.tokenizer.all_special_ids) | template.stops
    learnt = [label != IGNORED for label in row.labels]
    texts = _texts(row.ids, template)
    return [
        Token(text, own, token in special)
        for text, own, token in zip(texts, learnt, row.ids, strict=True)
    ]


def _texts(ids: Sequence[int], template: Template) -> Iterator[str]:
    """Yield each token's text; of a character in several tokens the first has it, "…" the rest."""
    start = 0
    while start < len(ids):
        width = _width(ids[start : start + LONGEST], template)
        yield _text(ids[start : start + width], template)
        yield from [INSIDE] * (width - 1)
        start += width


def _width(ids: Sequence[int], template: Template) -> int:
    """Return how many tokens it takes until no character is cut; 1 where it is cut for good."""
    whole = (n for n in range(1, len(ids) + 1) if CUT not in _text(ids[:n], template))
    return next(whole, 1)


def _text(ids: Sequence[int], template: Template) -> str:
    tokenizer = template.tokenizer
    text: str = tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
    # SentencePiece writes a space as "▁", and decoding takes the first one off.
    led = str(tokenizer.convert_ids_to_tokens(ids[0])).startswith("▁")
    return f" {text}" if led and not text.startswith(" ") else text
