"""Show a row as the QLoRA trainer sees it: token by token, and which of them it learns."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.config.project import find_root
from tunegate.errors import ConfigError

if TYPE_CHECKING:
    from tunegate.data.dataset import Dataset, Example

    from ..config.settings import Settings
    from ..data.token_view import Token, TokenView

LEGEND = "+ learnt, │ between tokens, · a space, ↵ a line's end, … the same character"
MARGIN_WIDTH = 8  # the number of a line's first token, and its mark


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a data file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--row", type=int, default=0, metavar="N", help="the first is 0 (default)")
    which.add_argument("--line", type=int, metavar="N", help="where it begins in the file, from 1")
    parser.add_argument("--base", metavar="BASE", help="default: that of [train.qlora]")


def run(args: argparse.Namespace) -> int:
    """Print the row; 1 where the trainer would refuse it."""
    from ..data.token_view import view_row
    from ..model import base, chat_template
    from ..runtime import requirements
    from ..runtime.quiet import quiet_libraries

    if missing := requirements.missing_requirements():
        raise ConfigError(missing)
    root = find_root(Path.cwd()) or Path.cwd()
    settings, columns = _settings_and_columns(root, args.base)
    example = _example_of_args(args, columns)
    with quiet_libraries():
        folder = base.locate_base(settings.base, Path.cwd(), root)
        views = view_row(example, chat_template.load_template(folder), settings, folder)
    names = ("", "") if len(views) == 1 else ("preferred reply, ", "rejected reply, ")
    for name, side in zip(names, views, strict=False):
        _print_view(name, example, side, settings)
    return int(any(side.refused for side in views))


def _settings_and_columns(root: Path, base_option: str | None) -> tuple[Settings, dict[str, str]]:
    """Return the trainer's settings, and the columns of tables, as the project configures them."""
    from tunegate.config.schema import Config, load
    from tunegate.config.settings import parse_settings

    from ..config.settings import Settings
    from ..trainer import QLoRATrainer

    config = load(root) if find_root(root) else Config()
    table: dict[str, Any] = config.train.get("qlora", {}) | (
        {"base": base_option} if base_option else {}
    )
    if "base" not in table:
        raise ConfigError("which tokenizer? name a base: --base, or base in [train.qlora]")
    settings_root = root if not base_option or (root / base_option).is_dir() else Path.cwd()
    return parse_settings(
        Settings, QLoRATrainer().resolve(table, settings_root)
    ), config.data.columns


def _example_of_args(args: argparse.Namespace, columns: dict[str, str]) -> Example:
    from tunegate.data.dataset import Dataset
    from tunegate.data.tables import check_columns, is_table

    table_columns = columns if is_table(args.file, bool(columns)) else {}
    check_columns(args.file, table_columns)
    dataset = Dataset.read(args.file, columns=table_columns)
    position_text = f"--row {args.row}" if args.line is None else f"--line {args.line}"
    for example in dataset:
        if args.line == example.line or (args.line is None and args.row == example.row):
            return example
    raise ConfigError(f"{args.file}: no {position_text}; {_available_rows(dataset)}")


def _available_rows(dataset: Dataset) -> str:
    if not len(dataset):
        return "it has no rows"
    return f"it has rows 0 to {len(dataset) - 1:,}, lines {dataset[0].line} to {dataset[-1].line:,}"


def _print_view(name: str, example: Example, view: TokenView, settings: Settings) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    facts_text = name + "\n".join(_fact_lines(example, view, settings))
    console.print(facts_text, markup=False)
    console.print(Text(f"{LEGEND}\n", style="dim"))
    for index, line in _token_lines(view.tokens, console.width - MARGIN_WIDTH):
        is_trained = line[0].trained
        prefix = Text(
            f"{index:>5} {'+' if is_trained else ' '} ", style="green" if is_trained else "dim"
        )
        console.print(prefix + Text("│").join(map(_styled_token, line)), soft_wrap=True)


def _fact_lines(example: Example, view: TokenView, settings: Settings) -> Iterator[str]:
    trained_turns, ended_turns = view.turn_ends
    yield f"line {example.line}, row {example.row}, {len(example.messages)} messages"
    yield f"  tokens       {view.length:,} of at most {view.limit:,}{_overflow_text(view, settings)}"
    yield f"  learnt       {view.trained:,}, in {trained_turns} assistant turn{'s' * (trained_turns != 1)}"
    yield f"  end of turn  {_turn_end_text(trained_turns, ended_turns)}"
    if view.refused:
        yield textwrap.fill(f"  refused      {view.refused}", 80, subsequent_indent=" " * 15)


def _overflow_text(view: TokenView, settings: Settings) -> str:
    excess = view.excess
    if excess <= 0:
        return ""
    side_text = "" if view.length - view.limit == excess else "the other reply has "
    action = {
        "raise": "refused",
        "drop": "set aside",
        "truncate": f"the first {excess:,} are cut",
    }[settings.on_overflow]
    return f"; {side_text}{excess:,} too many: {action} (on_overflow)"


def _turn_end_text(trained_turns: int, ended_turns: int) -> str:
    if not trained_turns:
        return "not learnt: nothing is"
    return (
        "learnt" if ended_turns == trained_turns else f"learnt in {ended_turns} of {trained_turns}"
    )


def _token_lines(tokens: list[Token], width: int) -> Iterator[tuple[int, list[Token]]]:
    """Yield lines of tokens, and where each begins: one ends with a line's end in the text, where
    learnt and not learnt meet, and at the terminal's edge.
    """
    start, used = 0, 0
    for i, token in enumerate(tokens):
        previous = tokens[i - 1] if i else token
        size = len(_visible_text(token)) + 1
        breaks = (
            used + size > width or previous.trained != token.trained or previous.text.endswith("\n")
        )
        if breaks and i > start:
            yield start, tokens[start:i]
            start, used = i, 0
        used += size
    if tokens:
        yield start, tokens[start:]


def _visible_text(token: Token) -> str:
    """Make white space and control characters visible."""
    visible = token.text.replace(" ", "·").replace("\n", "↵").replace("\t", "→")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in visible) or "∅"


def _styled_token(token: Token) -> Any:
    from rich.text import Text

    style = "bold green" if token.trained else "magenta" if token.special else "dim"
    return Text(_visible_text(token), style=style)
