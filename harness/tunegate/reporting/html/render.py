"""From a run's name to its page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from json import JSONDecodeError
from pathlib import Path

from ...errors import ConfigError
from .chain import chain_links
from .gather import RunFiles, find_run, read_run
from .page import Page
from .sections import misses_section, scores_section, suite_section, training_section
from .text import public_name, relative_paths, time_text, value_pairs
from .verdict import registry_lines, verdict_section

# What reading another one's JSON, or a damaged one of ours, ends in.
UNREADABLE = (
    *(KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError),
    *(JSONDecodeError, UnicodeDecodeError),
)
NO_REGISTRY_LINE = "registry.jsonl has no line about this run."


def make_report(root: Path, name: str, scorecard: str, made: datetime) -> tuple[RunFiles, Page]:
    """Read a run, verify its chain, and say what is shown; raises ConfigError."""
    run = find_run(root, name)
    try:
        files = read_run(root, run.id, scorecard)
        return files, build_page(files, made)
    except UNREADABLE as error:
        message = f"a file there is not what tunegate wrote ({error!r:.200})"
        raise ConfigError(f"{run.folder}: {message}") from error


def build_page(files: RunFiles, made: datetime) -> Page:
    """Return the page of what was found; `made` is when it was made."""
    chain = tuple(
        replace(link, explanation=relative_paths(link.explanation, files.root))
        for link in chain_links(files)
    )
    model = public_name(str(files.record["model"]), files.root)
    return Page(
        files.run.id, model, time_text(made.isoformat(timespec="seconds")), verdict_section(files, chain),
        _registry_rows(files), scores_section(files), misses_section(files), suite_section(files), training_section(files), chain,
        value_pairs(files.receipt["versions"]) if files.receipt else (),
    )  # fmt: skip


def _registry_rows(files: RunFiles) -> tuple[tuple[str, ...], ...] | str:
    if files.registry_error:
        return f"{relative_paths(files.registry_error, files.root)}."
    keys = ("action", "alias", "run", "who", "why")
    rows = [
        (time_text(e["when"]), *(str(e.get(k, "")) for k in keys)) for e in registry_lines(files)
    ]
    return tuple(rows) or NO_REGISTRY_LINE


# [merged] The page as HTML: one file that fetches nothing and runs nothing.


def render_html(page: Page) -> bytes:
    """Render a page; every value is escaped, and text that no UTF-8 can hold is spelt out."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tunegate.reporting", "html"),
        autoescape=True,  # of every file, whatever it is called
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html").render(page=page)
    return text.encode("utf-8", "backslashreplace")
