"""Makes the HTML report of a run: one file that loads nothing and runs nothing."""

import re
from base64 import b64encode
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from json import JSONDecodeError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ...errors import ConfigError
from ...models.evaluation import find_judged
from ...storage.state_dir import StateDir, read_unverified, seal_of
from ...utils.masking import hide_values
from ..terminal import score_cells
from . import sections
from .gather import RunFiles, read_run
from .text import public_name, relative_paths, time_text, value_pairs, with_full_stop
from .verdict import chain_links, verdict_section

# What reading JSON raises that another program wrote, or that is damaged.
UNREADABLE = (
    *(KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError),
    *(JSONDecodeError, UnicodeDecodeError),
)
# What makes markup in Markdown, or names somebody there, written so that it does neither.
IN_MARKDOWN = {ord(c): f"&#{ord(c)};" for c in "[]*_`~"} | {ord("@"): "@&#8203;"}
NO_REGISTRY_LINE = "registry.jsonl has no line about this run."


def make_report(
    root: Path, name: str, scorecard: str, made: datetime
) -> tuple[RunFiles, SimpleNamespace]:
    """Return the files of a run and its page, with the time `made`; raises ConfigError."""
    run = find_judged(StateDir(root), name)
    try:
        files = read_run(root, run.id, scorecard)
        return files, build_page(files, made)
    except UNREADABLE as error:
        message = f"a file there is not what tunegate wrote ({error!r:.200})"
        raise ConfigError(f"{run.folder}: {message}") from error


def build_page(files: RunFiles, made: datetime) -> SimpleNamespace:
    """Return the page of a run, with paths relative to the project and without private values."""
    root, run_id = files.root, files.run.id
    links = chain_links(files)
    chain = tuple(replace(k, explanation=relative_paths(k.explanation, root)) for k in links)
    told, key = read_unverified(files.run.state.folder / "readiness.json"), files.run.state.key
    digest = str((files.card or files.record).get("model_digest", files.record["digest"]))
    replay = read_unverified(files.run.state.folder / "shadow" / f"{digest[:12]}.json")
    seal = told.pop("seal", None)  # of a version that did not seal it: None
    registry_error = relative_paths(files.registry_error, root)
    registry = [e for e in files.entries if run_id in (e.get("run"), e.get("from"))]
    return SimpleNamespace(
        kind=str(files.run).partition(" ")[0],  # "run", or "evaluation" of a model without one
        run=run_id, model=public_name(str(files.record["model"]), root),
        made=time_text(made.isoformat(timespec="seconds")),
        verdict=verdict_section(files, chain), chain=chain,
        registry=registry or with_full_stop(registry_error or NO_REGISTRY_LINE),
        scores=sections.scores_section(files), misses=sections.misses_section(files),
        suite=sections.suite_section(files), training=sections.training_section(files),
        config=files.config, readiness={**told, "changed": seal not in (None, seal_of(told, key))},
        versions=value_pairs(files.receipt["versions"]) if files.receipt else (),
        served=tuple(files.record.get("served_checks", {}).values()),
        shadow=sections.scores_section(replace(files, card=replay)) if replay else None,
        answers="", against=None,  # the name of the page of answers, the model compared with
    )  # fmt: skip


def render_html(template: str, **values: Any) -> bytes:
    """Render a page: each value is masked and escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    environment = Environment(
        loader=PackageLoader("tunegate.reporting", "html"), undefined=StrictUndefined,
        autoescape=True,  # of every file, whatever its name ends in
        finalize=hide_values, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    # Where a long name may be broken; not inside of a number.
    joint = re.compile(r"[_/=]+(?=\w)|(?<=[^\W\d])[.:]+(?=\w)")
    environment.filters |= {
        "wbr": lambda text: Markup(joint.sub(r"\g<0><wbr>", str(escape(hide_values(text))))),
        "plain": lambda text: Markup(str(escape(hide_values(text))).translate(IN_MARKDOWN)),
        "cells": score_cells, "time": time_text,
        "sha256": lambda text: Markup(b64encode(sha256(text.encode()).digest()).decode()),
    }  # fmt: skip
    text = environment.get_template(template).render(values)
    return text.encode("utf-8", "backslashreplace")
