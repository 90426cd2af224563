"""Show a row token by token, and which of them the trainer learns.

$ tunegate data tokens data/train.jsonl --row 3
"""

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from tunegate import ConfigError, Example
from tunegate.config.data_files import read_file
from tunegate.config.project import find_root
from tunegate.config.schema import Config, load, parse_settings
from tunegate.tokenization.chat_template import ChatTemplate, load_template, template_options
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow, NotTrainable
from tunegate.utils.masking import add_json_option, blank, print_json

from ..config import Settings
from ..data import training_data
from ..model import folders
from ..runtime.libraries import quiet_libraries
from ..trainer import QLoRATrainer
from .common import require_packages

LEGEND = "+ learnt, │ between tokens, · a space, ↵ a line's end, … the same character"
MARGIN_WIDTH = 8  # the number of a line's first token, and its mark
# A character has at most 4 bytes in UTF-8, and so at most as many tokens.
MAX_CHARACTER_TOKENS = 4
REPLACEMENT_CHARACTER, CONTINUATION = "\ufffd", "…"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a data file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--row", type=int, default=0, metavar="N", help="the first is 0 (default)")
    which.add_argument("--line", type=int, metavar="N", help="where it begins in the file, from 1")
    parser.add_argument("--base", metavar="BASE", help="default: that of [train.qlora]")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the row, and return 1 where the trainer would refuse it."""
    require_packages()
    root = find_root(Path.cwd()) or Path.cwd()
    settings, columns = settings_and_columns(root, args.base)
    example = read_example(args.file, columns, args.row, args.line)
    with quiet_libraries():
        folder = folders.locate_base(settings.base, Path.cwd(), root)
        template = load_template(folder, template_options(settings.model_dump(), root))
        views = view_row(example, template, settings, folder)
    views = [replace(view, tokens=masked_tokens(view.tokens)) for view in views]
    if args.json:
        about = {"line": example.line, "row": example.row, "messages": len(example.messages)}
        print_json({**about, "views": [asdict(view) for view in views]})
    names = ("", "") if len(views) == 1 else ("preferred reply, ", "rejected reply, ")
    for name, view in zip(names, () if args.json else views, strict=False):
        print_view(name, example, view, settings)
    return int(any(view.refused for view in views))


def settings_and_columns(root: Path, base_option: str | None) -> tuple[Settings, dict[str, str]]:
    """Return the trainer's settings, `base_option` before the project's base, and the columns."""
    config = load(root) if find_root(root) else Config()
    table: dict[str, Any] = dict(config.train.get("qlora", {}))
    if base_option:
        table["base"] = base_option
    if "base" not in table:
        raise ConfigError("which tokenizer? name a base: --base, or base in [train.qlora]")
    settings_root = root if not base_option or (root / base_option).is_dir() else Path.cwd()
    resolved = QLoRATrainer().resolve(table, settings_root)
    return parse_settings(Settings, resolved), config.data.columns


def read_example(path: Path, columns: dict[str, str], row: int, line: int | None) -> Example:
    """Return the example at this line (from 1), else row (from 0), of a file; ConfigError."""
    dataset = read_file(path, columns)
    for example in dataset:
        if line == example.line or (line is None and row == example.row):
            return example
    position = f"--row {row}" if line is None else f"--line {line}"
    available = "it has no rows"
    if len(dataset):
        lines = f"lines {dataset[0].line} to {dataset[-1].line:,}"
        available = f"it has rows 0 to {len(dataset) - 1:,}, {lines}"
    raise ConfigError(f"{path}: no {position}; {available}")


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
    def turn_ends(self) -> tuple[int, int]:
        """The number of trained spans, and how many of them end with a control token."""
        after = [*self.tokens[1:], Token("", False, False)]
        last = [a for a, b in zip(self.tokens, after, strict=True) if a.trained and not b.trained]
        return len(last), sum(token.special for token in last)


def view_row(
    example: Example, template: ChatTemplate, settings: Settings, folder: Path
) -> list[TokenView]:
    """Encode a row and apply `on_overflow`, as the trainer does; raises TemplateError.

    Returns one view, for `dpo` two (preferred, rejected); a refused row is whole, with the reason.
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


def print_view(name: str, example: Example, view: TokenView, settings: Settings) -> None:
    """Print the facts of one conversation of a row, and its tokens, trained ones in green."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(name + "\n".join(fact_lines(example, view, settings)), markup=False)
    console.print(Text(f"{LEGEND}\n", style="dim"))
    for index, tokens in token_lines(view.tokens, console.width - MARGIN_WIDTH):
        mark, style = ("+", "green") if tokens[0].trained else (" ", "dim")
        line = Text(f"{index:>5} {mark} ", style=style)
        styled = []
        for token in tokens:
            style = "bold green" if token.trained else "magenta" if token.special else "dim"
            styled.append(Text(_visible_text(token), style=style))
        console.print(line + Text("│").join(styled), soft_wrap=True)


def fact_lines(example: Example, view: TokenView, settings: Settings) -> Iterator[str]:
    """Yield how long a conversation is, what of it is trained, and why it is refused, if it is."""
    overflow, excess = "", view.excess
    if excess > 0:
        # Of a pair, both replies lose what the longer one has too many.
        subject = "" if view.length - view.limit == excess else "the other reply has "
        cut = f"the first {excess:,} are cut"
        action = {"raise": "refused", "drop": "set aside", "truncate": cut}[settings.on_overflow]
        overflow = f"; {subject}{excess:,} too many: {action} (on_overflow)"
    turns, ended = view.turn_ends
    learnt = sum(token.trained for token in view.tokens)
    turn_end = "learnt" if ended == turns else f"learnt in {ended} of {turns}"
    yield f"line {example.line}, row {example.row}, {len(example.messages)} messages"
    yield f"  tokens       {view.length:,} of at most {view.limit:,}{overflow}"
    yield f"  learnt       {learnt:,}, in {turns} assistant turn{'s' * (turns != 1)}"
    yield f"  end of turn  {turn_end if turns else 'not learnt: nothing is'}"
    if view.refused:
        yield textwrap.fill(f"  refused      {view.refused}", 80, subsequent_indent=" " * 15)


def token_lines(tokens: list[Token], width: int) -> Iterator[tuple[int, list[Token]]]:
    """Yield each line of tokens trained alike, at most `width` letters, with its first index."""
    start, used = 0, 0
    for i, token in enumerate(tokens):
        previous = tokens[i - 1] if i else token
        size = len(_visible_text(token)) + 1
        is_full, is_border = used + size > width, previous.trained != token.trained
        if i > start and (is_full or is_border or previous.text.endswith("\n")):
            yield start, tokens[start:i]
            start, used = i, 0
        used += size
    if tokens:
        yield start, tokens[start:]


def masked_tokens(tokens: list[Token]) -> list[Token]:
    """Return the tokens with `*` for each character of a private value of their text."""
    text = StringIO(blank("".join(token.text for token in tokens)))
    return [replace(token, text=text.read(len(token.text))) for token in tokens]


def _visible_text(token: Token) -> str:
    """Return a token's text with white space and control characters made visible."""
    visible = token.text.replace(" ", "·").replace("\n", "↵").replace("\t", "→")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in visible) or "∅"
