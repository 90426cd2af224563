"""What the terminal shows of one file: rows in and out, why, and what a person must look at."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .diff import veiled
from .work import Left, Work

WIDTH = 80
MOST = 8  # lines listed
CHANGED = {"format": "reformatted", "redact": "redacted", "labels": "respelled"}
DROPPED = ("duplicates", "leaks")
APART = ("file", "set aside")  # changes that are told of on their own


def lines(work: Work, out: Mapping[str, Path]) -> Iterator[str]:
    """Yield the summary of a file, at most 80 columns wide; `out` are the files it went to."""
    yield f"{work.source.path.name} -> {out['data']}"
    yield from _row("rows in", f"{work.total:,}")
    for step, name in CHANGED.items():
        rows = {id(c.row) for c in work.changes if c.step == step and c.kind not in APART}
        yield from _row(name, f"{len(rows):,}", _kinds(work, step)) if rows else ()
    for step in DROPPED:
        kinds = _kinds(work, step)
        yield from _row(step, f"-{kinds.total():,}", kinds) if kinds else ()
    if work.aside:
        yield from _row("set aside", f"-{len(work.aside):,}")
    yield from _row("rows out", f"{len(work.rows):,}")
    for change in work.changes:
        yield from _wrapped(change.what) if change.kind == "file" else ()
    yield from _wrapped(f"checked: {_checked(work)}")
    yield from (line for left in _left(work, out) for line in _wrapped(left))
    yield f"  each change: {out['diff']}"


def next_step(splits: Sequence[tuple[str, Path]], suite: str) -> Iterator[str]:
    """Yield the command that judges the results."""
    words = ["next: pytest", suite, *(f"--{split}-data {path}" for split, path in splits)]
    line = words[0]
    for word in words[1:]:
        if len(f"{line} {word} \\") > WIDTH:
            yield f"{line} \\"
            line = "   "
        line = f"{line} {word}"
    yield line


def _kinds(work: Work, step: str) -> Counter[str]:
    return Counter(c.kind for c in work.changes if c.step == step and c.kind not in APART)


def _row(name: str, count: str, kinds: Mapping[str, int] | None = None) -> list[str]:
    told = ", ".join(f"{kind} {n:,}" for kind, n in (kinds or {}).items() if kind != name)
    return _filled(f"  {name:<11} {count:>8}   ", told) if told else [f"  {name:<11} {count:>8}"]


def _checked(work: Work) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in work.checked.items()) or "nothing"


def _left(work: Work, out: Mapping[str, Path]) -> Iterator[str]:
    for left in work.left:
        yield f"left for you: {left.what}{_where(left, out['data'].name)}"
    if work.aside:
        first = min(work.aside, key=lambda aside: aside.line)
        rows = f"{len(work.aside):,} row{'s' * (len(work.aside) > 1)}"
        why = f"line {first.line:,}: {veiled(first.why)}"
        yield f"left for you: {rows} set aside in {out['aside']}; {why}"


def _where(left: Left, file: str) -> str:
    shown = ", ".join(f"{n:,}" for n in left.lines[:MOST])
    more = f" and {len(left.lines) - MOST:,} more" if len(left.lines) > MOST else ""
    return f" line {shown}{more} of {file}" if left.lines else ""


def _wrapped(text: str) -> list[str]:
    return _filled("  ", text, "    ")


def _filled(head: str, text: str, then: str = "") -> list[str]:
    """Return lines of at most 80 columns; a path is never broken, however long."""
    after = then or " " * len(head)
    told = textwrap.TextWrapper(
        WIDTH, initial_indent=head, subsequent_indent=after,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return told.wrap(text)
