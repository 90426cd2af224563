"""Show a row as the QLoRA trainer sees it: token by token, and which of them it learns."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.project import ConfigError, find_root

if TYPE_CHECKING:
    from tunegate.dataset import Dataset, Example

    from ..config import Settings
    from ..seen import Seen, Token

KEY = "+ learnt, │ between tokens, · a space, ↵ a line's end, … the same character"
MARGIN = 8  # the number of a line's first token, and its mark


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a data file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--row", type=int, default=0, metavar="N", help="the first is 0 (default)")
    which.add_argument("--line", type=int, metavar="N", help="where it begins in the file, from 1")
    parser.add_argument("--base", metavar="BASE", help="default: that of [train.qlora]")


def run(args: argparse.Namespace) -> int:
    """Print the row; 1 where the trainer would refuse it."""
    from .. import base, extra, template
    from ..quiet import undisturbed
    from ..seen import see

    if absent := extra.missing():
        raise ConfigError(absent)
    root = find_root(Path.cwd()) or Path.cwd()
    settings, columns = _said(root, args.base)
    example = _example(args, columns)
    with undisturbed():
        folder = base.locate(settings.base, Path.cwd(), root)
        seen = see(example, template.load(folder), settings, folder)
    names = ("", "") if len(seen) == 1 else ("preferred reply, ", "rejected reply, ")
    for name, side in zip(names, seen, strict=False):
        _print(name, example, side, settings)
    return int(any(side.refused for side in seen))


def _said(root: Path, named: str | None) -> tuple[Settings, dict[str, str]]:
    """Return the trainer's settings, and the columns of tables, as the project configures them."""
    from tunegate.config import Config, load
    from tunegate.settings import settle

    from ..config import Settings
    from ..trainer import QLoRA

    config = load(root) if find_root(root) else Config()
    table: dict[str, Any] = config.train.get("qlora", {}) | ({"base": named} if named else {})
    if "base" not in table:
        raise ConfigError("which tokenizer? name a base: --base, or base in [train.qlora]")
    where = root if not named or (root / named).is_dir() else Path.cwd()
    return settle(Settings, QLoRA().resolve(table, where)), config.data.columns


def _example(args: argparse.Namespace, columns: dict[str, str]) -> Example:
    from tunegate.columns import check_columns, is_table
    from tunegate.dataset import Dataset

    mapped = columns if is_table(args.file, bool(columns)) else {}
    check_columns(args.file, mapped)
    dataset = Dataset.read(args.file, columns=mapped)
    asked = f"--row {args.row}" if args.line is None else f"--line {args.line}"
    for example in dataset:
        if args.line == example.line or (args.line is None and args.row == example.row):
            return example
    raise ConfigError(f"{args.file}: no {asked}; {_there(dataset)}")


def _there(dataset: Dataset) -> str:
    if not len(dataset):
        return "it has no rows"
    return f"it has rows 0 to {len(dataset) - 1:,}, lines {dataset[0].line} to {dataset[-1].line:,}"


def _print(name: str, example: Example, seen: Seen, settings: Settings) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    facts = name + "\n".join(_facts(example, seen, settings))
    console.print(facts, markup=False)
    console.print(Text(f"{KEY}\n", style="dim"))
    for at, line in _lines(seen.tokens, console.width - MARGIN):
        learnt = line[0].learnt
        told = Text(f"{at:>5} {'+' if learnt else ' '} ", style="green" if learnt else "dim")
        console.print(told + Text("│").join(map(_styled, line)), soft_wrap=True)


def _facts(example: Example, seen: Seen, settings: Settings) -> Iterator[str]:
    trained, ended = seen.ends
    yield f"line {example.line}, row {example.row}, {len(example.messages)} messages"
    yield f"  tokens       {seen.length:,} of at most {seen.limit:,}{_overflow(seen, settings)}"
    yield f"  learnt       {seen.learnt:,}, in {trained} assistant turn{'s' * (trained != 1)}"
    yield f"  end of turn  {_end(trained, ended)}"
    if seen.refused:
        yield textwrap.fill(f"  refused      {seen.refused}", 80, subsequent_indent=" " * 15)


def _overflow(seen: Seen, settings: Settings) -> str:
    over = seen.over
    if over <= 0:
        return ""
    which = "" if seen.length - seen.limit == over else "the other reply has "
    becomes = {
        "raise": "refused",
        "drop": "set aside",
        "truncate": f"the first {over:,} are cut",
    }[settings.on_overflow]
    return f"; {which}{over:,} too many: {becomes} (on_overflow)"


def _end(trained: int, ended: int) -> str:
    if not trained:
        return "not learnt: nothing is"
    return "learnt" if ended == trained else f"learnt in {ended} of {trained}"


def _lines(tokens: list[Token], width: int) -> Iterator[tuple[int, list[Token]]]:
    """Yield lines of tokens, and where each begins: one ends with a line's end in the text, where
    learnt and not learnt meet, and at the terminal's edge.
    """
    start, used = 0, 0
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else token
        size = len(_shown(token)) + 1
        edge = used + size > width or before.learnt != token.learnt or before.text.endswith("\n")
        if edge and i > start:
            yield start, tokens[start:i]
            start, used = i, 0
        used += size
    if tokens:
        yield start, tokens[start:]


def _shown(token: Token) -> str:
    """Make white space and control characters visible."""
    told = token.text.replace(" ", "·").replace("\n", "↵").replace("\t", "→")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in told) or "∅"


def _styled(token: Token) -> Any:
    from rich.text import Text

    style = "bold green" if token.learnt else "magenta" if token.special else "dim"
    return Text(_shown(token), style=style)
