"""Write a run, or a model judged without one, as an HTML page.

Its answers stand on a second page. `--against` adds another run on the same test set, or the
baseline: scores side by side, paired differences, and the rows that one of them alone got right.
--comment compares with the model in production, its data too.

$ tunegate report latest
$ tunegate report 3fa9c1 --against baseline -o report.html
$ tunegate report latest --comment --post
"""

import argparse
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from tunegate.cli import diff
from tunegate.config.project import current_project
from tunegate.data import SPLITS
from tunegate.errors import ConfigError
from tunegate.models.evaluation import other_answers
from tunegate.reporting.html.gather import RunFiles
from tunegate.reporting.html.render import make_report, render_html
from tunegate.reporting.html.sections import answer_rows
from tunegate.results import outcome
from tunegate.storage.registry import promotions_in_force
from tunegate.storage.state_dir import find_finished
from tunegate.utils.files import atomic_write
from tunegate.utils.github import post_comment
from tunegate.utils.masking import mask, masker

from ..stats import visible_difference
from .classification import averaged, right
from .compare import models
from .overlap import chrf, rouge
from .served import TEXT_TASKS

DOCTYPE = b"<!doctype html>"
MIN_FLIPS = 6  # all one way: 2 x 0.5^6 is the first p of McNemar's exact test below 0.05


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "tunegate report [RUN] [options]"
    add, run_help = parser.add_argument, "a run, or the spec of a model; default: latest"
    add("run", nargs="?", default="latest", metavar="RUN", help=run_help)
    add("-o", "--out", type=Path, metavar="FILE", help="default: report.html in its folder")
    add("--scorecard", default="", metavar="DIGEST", help="default: the newest")
    add("--against", metavar="RUN2", help="another run or model, or baseline")
    add("--comment", action="store_true", help="print Markdown for a pull request, no page")
    add("--post", action="store_true", help="put that on the pull request, by gh")


def run(args: argparse.Namespace) -> None:
    """Write the pages with mode 0600: they can show text of rows."""
    files, page = make_report(current_project(), args.run, args.scorecard, datetime.now(UTC))
    out: Path = args.out or files.run.folder / "report.html"
    if out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file: -o {out / 'report.html'}")
    of_answers = out.with_name(f"{out.stem}-answers.html")
    for path in (out, of_answers):
        is_page = path.is_file() and path.read_bytes()[: len(DOCTYPE)].lower() == DOCTYPE
        if path.exists() and not is_page:
            said = "is there and is no HTML page: not replaced; name another file"
            raise ConfigError(f"{path} {said}")
    if args.against:
        page.against = compared_with(files, args.against)
    if args.comment or args.post:
        text = comment_text(files, page, args.against or incumbent(files))
        print(post_comment(mask(text)) if args.post else text)
        return
    print(f"{files.run}: {page.verdict.headline}")
    if files.predictions is not None:
        page.answers = quote(of_answers.name)
        rows = answer_rows(files, files.predictions, page.against.changes if page.against else {})
        about = {"title": f"Answers of {files.run}", "report": quote(out.name)}
        atomic_write(of_answers, render_html("answers.html", rows=rows, **about), mode=0o600)
    card = files.root / str(files.record["model"]).removeprefix("folder:") / "README.md"
    page.model_card = quote(os.path.relpath(card, out.parent)) if card.is_file() else ""
    atomic_write(out, render_html("page.html", page=page), mode=0o600)
    print(out)


def incumbent(files: RunFiles) -> str:
    """Return the run that production stands on, or stood on before this one; else "baseline"."""
    promoted = promotions_in_force(files.entries, "production")
    runs = [str(entry["run"]) for entry in promoted if entry.get("run") not in (None, files.run.id)]
    return runs[-1] if runs else "baseline"


def comment_text(files: RunFiles, page: SimpleNamespace, other: str) -> str:
    """Return the comment of a page: beside it the other run's data, and what the test set shows."""
    values, state = dict[str, Any](), files.run.state
    with suppress(ConfigError):  # its answers, or its run, are not here
        page.against = page.against or compared_with(files, other)
    with suppress(ConfigError):
        old, new = find_finished(state, other), find_finished(state, files.run.id)
        both = [s for s in SPLITS if getattr(old.plan, s) and getattr(new.plan, s)]
        rows = [diff.compare(s, [*old.data(s)], [*new.data(s)], diff.MAX_ROWS) for s in both]
        found = diff.finding_changes(*(run.receipt.get("accepted", []) for run in (old, new)))
        values["data"] = diff.comparison(rows, f"run:{old.id}", found, "Accepted findings")
    answers, counts = files.predictions or (), (files.card or {}).get("predictions")
    if answers and counts and files.config.task not in TEXT_TASKS:
        n, accuracy = len(answers), counts["right"] / counts["n"]
        flips = len(page.against.flips) if page.against else 0
        shown = visible_difference(n, flips / n or 2 * accuracy * (1 - accuracy))
        values |= {"n": n, "flips": flips, "shown": min(max(shown, MIN_FLIPS / n), 1)}
    values["cost"] = sum(p.cost for p in answers)
    return render_html("comment.md", page=page, **values).decode()


def compared_with(files: RunFiles, name: str) -> SimpleNamespace:
    """Return both models' scores, paired differences, changed rows; ConfigError without answers."""
    if files.test is None or files.predictions is None:
        raise ConfigError(f"--against: the answers of {files.run} are not kept, or its test set")
    name, answers = other_answers(files.run, name, files.predictions, files.test)
    rule, task = files.config.label_rule, files.config.task
    metrics = [chrf(), rouge("L")] if task in TEXT_TASKS else [right(rule)]
    if task in ("classification", "multilabel"):
        metrics.append(averaged("F1", "macro", rule))
    with outcome.collect_outcomes() as outcomes:
        flips = models(files.predictions, {name: answers}, *metrics)[name].flips
    hide = masker(quotes=True)
    return SimpleNamespace(
        name=name, tables=[(o.name, o.data["table"]) for o in outcomes if "table" in o.data],
        changes={f.row: f.kind for f in flips},
        flips=[(f.kind, f.line, hide(f.evidence)) for f in flips],
    )  # fmt: skip
