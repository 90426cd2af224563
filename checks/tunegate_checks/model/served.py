"""Ask a server what the trained model was asked, and compare the answers.

Any server of OpenAI's protocol: vLLM, llama.cpp, Ollama, transformers. Quantisation and batching
change words; a wrong chat template or a missing adapter makes a worse model.

$ tunegate run serve-check latest --model openai:local
$ tunegate run serve-check 3fa9c1@merged --model openai:local --limit 200
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any

from tunegate import exit_codes
from tunegate.config.data_files import find_data_files
from tunegate.config.project import current_project
from tunegate.config.schema import Config, load
from tunegate.data.dataset import Dataset
from tunegate.errors import ConfigError
from tunegate.interfaces.model import Model, ModelUnknown, budget_from_options, hold_to_budget
from tunegate.models.predict import cached_predictions, predict
from tunegate.models.spec import Candidate, open_model, resolve_candidate
from tunegate.results.prediction import Prediction, Predictions
from tunegate.results.score import Score, format_value
from tunegate.storage.run import find_finished
from tunegate.storage.state_dir import StateDir
from tunegate.utils.masking import blank, hide_values, mask
from tunegate.utils.progress import progress_bar
from tunegate.utils.timestamps import timestamp

from ..stats import mcnemar_p, share
from .classification import right
from .compare import ALPHA, Comparison, not_inferior
from .metric import Metric

SHOWN_ANSWERS = 5  # of those that differ
FEWEST_ALIKE = 0.5  # the share of answers whose first word is that of the trained model's
TEXT_TASKS = ("text", "style", "chat")  # of free text, scored by chrF


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "tunegate run serve-check RUN --model SPEC [options]"
    add, run_help = parser.add_argument, "its id, the beginning of it, or latest; RUN@merged"
    add("run", metavar="RUN", help=run_help)
    add("--model", required=True, metavar="SPEC", help="the served model, as in [models]")
    add("--margin", type=float, metavar="M", help="not worse by (limits.margin)")
    add("--limit", type=int, metavar="N", help="ask a random sample of N rows")
    add("--fresh", action="store_true", help="use no answer of an interrupted check")
    add("--test-data", metavar="FILE", help="default: the configured test split")
    add("--max-requests", type=int, metavar="N", help="send no more requests than N")
    add("--max-cost", type=float, metavar="USD", help="spend no more than this")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Ask, compare, record the result in `run.json`, and print it; return 0, 1, 75 or 130."""
    from tunegate.interfaces.installed import load_files

    root = current_project()
    config, state = load(root), StateDir(root)
    margin = float(config.limits.margin) if args.margin is None else args.margin
    if not 0 < margin < 1:
        raise ConfigError(f"--margin {margin:g}: a number between 0 and 1 is valid")
    if args.limit is not None and args.limit < 1:
        raise ConfigError(f"--limit {args.limit}: a number from 1 on is valid")
    budget = budget_from_options(args.max_requests, args.max_cost, args.model, False)
    test = find_data_files(config, root, {"test": args.test_data}, Path.cwd()).get("test")
    rows = test.drawn(args.limit) if args.limit else test
    name = args.run.removeprefix("run:")
    try:
        installed = load_files(find_finished(state, re.split("[@?]", name)[0]).plugins)
        trained = resolve_candidate(f"run:{name}", state, lambda: installed)
        spec = resolve_candidate(args.model, state, lambda: installed).spec
        models = [open_model(each, root, installed.openers) for each in (trained.spec, spec)]
        served = hold_to_budget(budget, models[1])
    except ModelUnknown as error:
        raise ConfigError(str(error)) from None
    try:
        answers = [ask(models[0], "the trained model", rows, state)]
        answers.append(ask_anew(served, trained, rows, args.fresh))
    except ModelUnknown as error:
        print(f"tunegate run serve-check: {error}", file=sys.stderr)
        return exit_codes.UNMEASURABLE
    except KeyboardInterrupt:
        print("tunegate run serve-check: interrupted; the same command goes on", file=sys.stderr)
        return exit_codes.INTERRUPTED
    check = compare_served(answers[1], answers[0], base_answers(trained, rows), config, margin)
    facts = {
        "made": timestamp(), "model": mask(args.model), "model_digest": served.digest,
        "trained": f"run:{name}", "trained_digest": models[0].digest,
        "test": {"digest": rows.digest, "n": len(rows)}, **check.facts,
    }  # fmt: skip
    if trained.run:
        trained.run.add_to_record("served_checks", mask(args.model), facts)
    lines = [f"served    {args.model}, beside run:{name}, on {len(rows):,} test rows"]
    lines += [*check.lines(), *([f"budget    {budget}"] if budget.exceeded else [])]
    print(json.dumps(hide_values(facts), indent=1) if args.json else "\n".join(lines))
    return {"open": 0, "closed": 1}.get(check.verdict, exit_codes.UNMEASURABLE)


def ask(model: Model, role: str, rows: Dataset, state: StateDir) -> Predictions:
    """Return a model's answers, of which the cache may hold some, with a progress bar."""
    with progress_bar(f"asking {role}") as progress:
        return predict(model, rows, state, progress)


def ask_anew(served: Model, trained: Candidate, rows: Dataset, fresh: bool) -> Predictions:
    """Return the answers of a served model that came in this check, or before it was interrupted.

    Older ones may be those of another model: a server with other weights keeps name and address.
    """
    assert trained.run is not None
    since, root = time.time(), trained.run.state.root
    state = StateDir(root)
    started = state.path("runs", trained.run.id, f"serve-check-{served.digest[:12]}")
    if started.is_file() and not fresh:
        since = float(started.read_text("ascii"))
        age = timedelta(seconds=int(time.time() - since))
        print(
            f"note      a check that was begun {age} ago goes on; --fresh asks anew",
            file=sys.stderr,
        )
    started.write_text(repr(since), "ascii")
    state.answers_since = since
    predictions = ask(served, "the served model", rows, state)
    if not predictions.errors:
        started.unlink()
    return predictions


def base_answers(trained: Candidate, rows: Dataset) -> Predictions | None:
    """Return the kept answers of the run's base model to these rows; None where it has none."""
    run = trained.run
    digest = str((run.record.get("baseline") or {}).get("digest", "")) if run else ""
    return cached_predictions("the base", digest, rows, run.state) if run and digest else None


@dataclass(frozen=True)
class ServedCheck:
    """A served model beside the trained one, on the same rows."""

    agreement: Score
    comparison: Comparison
    verdict: str  # "open", "closed", "unmeasurable"
    reasons: list[str]  # why it is not open
    differences: list[str]  # the first answers that differ

    @property
    def facts(self) -> dict[str, Any]:
        """What is recorded, as JSON values."""
        score = self.agreement
        bounds = {"value": float(score), "low": score.low, "high": score.high}
        return {
            "agreement": {**bounds, "n": score.n, "errors": score.errors},
            "comparison": {"claim": self.comparison.claim, **self.comparison.to_data()},
            "verdict": self.verdict, "reasons": self.reasons, "differences": self.differences,
        }  # fmt: skip

    def lines(self) -> list[str]:
        """Return the check as it is printed."""
        score = self.agreement
        value, low, high = (format_value(x, True) for x in (float(score), score.low, score.high))
        alike = f"{score.hits:,} of {score.n:,} answers" if score.hits is not None else "answers"
        verdict = "served as trained" if self.verdict == "open" else self.verdict
        return [
            f"agreement {value}, 95 % interval {low} to {high}: {alike} are the trained model's",
            *(f"          {line}" for line in self.differences),
            f"scores    {self.comparison!r}",
            f"verdict   {verdict}{': ' if self.reasons else ''}{'; '.join(self.reasons)}",
        ]


def compare_served(
    served: Predictions, trained: Predictions, base: Predictions | None, config: Config,
    margin: float,
) -> ServedCheck:  # fmt: skip
    """Compare answers to the same rows; `margin` is a share of the score's scale."""
    pairs = [*zip(trained, served, strict=True)]
    hits = [is_same(old, new) for old, new in pairs]
    missing = [bool(old.error or new.error) for old, new in pairs]
    agreement = share("agreement", hits, served, missing=missing)
    metric = metric_for(trained, config, margin)
    wide = margin * (metric.scale[1] - metric.scale[0])
    comparison = not_inferior(served, trained, metric, margin=wide)
    shown = comparison.holds()
    reasons = [*broken_reasons(pairs, base)]
    verdict = "closed" if reasons else "open"
    if shown is None:
        reasons.append(f"{sum(missing):,} answers are missing, and decide: run again for them")
    elif not shown:
        # Is it the server, or would no server be shown to be as good?
        is_worse = float(comparison.difference) < -wide
        if is_worse or not_inferior(trained, trained, metric, margin=wide).holds():
            reasons.append(f"{comparison.claim} is not shown")
            verdict = "closed"
        else:
            reasons.append(f"{len(served):,} rows are too few to show {comparison.claim}")
    if reasons and verdict == "open":
        verdict = "unmeasurable"
    kinds = zip(pairs, hits, missing, strict=True)
    differ = [pair for pair, hit, is_missing in kinds if not (hit or is_missing)]
    differences = [first_difference(old, new) for old, new in differ[:SHOWN_ANSWERS]]
    return ServedCheck(agreement, comparison, verdict, reasons, differences)


def metric_for(trained: Predictions, config: Config, margin: float) -> Metric:
    """Return accuracy, or chrF for free text, of which no served model could have `margin` less."""
    accuracy = right(config.label_rule)
    if config.task not in TEXT_TASKS and float(accuracy(trained)) > margin:
        return accuracy
    from .overlap import chrf

    return chrf()


def answer_text(p: Prediction) -> str:
    """Return the text of an answer, white space around it aside, with its tool calls."""
    return "\n".join(filter(None, (p.got.strip(), p.calls)))


def is_same(old: Prediction, new: Prediction) -> bool:
    """Whether two answers are one; of one that was cut off, as far as it goes."""
    if old.error or new.error:
        return False
    texts = sorted((answer_text(old), answer_text(new)), key=len)
    is_cut = any(p.finish == "length" and answer_text(p) == texts[0] for p in (old, new))
    return texts[1].startswith(texts[0]) if is_cut and texts[0] else texts[0] == texts[1]


def broken_reasons(
    pairs: list[tuple[Prediction, Prediction]], base: Predictions | None
) -> list[str]:
    """Return what tells, without any expected reply, that another model or template answers."""
    reasons, answered = [], [(o, n) for o, n in pairs if not (o.error or n.error)]
    beginnings = [[answer_text(p).split()[:1] for p in pair] for pair in answered]
    begun = sum(one == other for one, other in beginnings)
    if answered and begun < FEWEST_ALIKE * len(answered):
        count = f"{begun:,} of {len(answered):,} answers"
        reasons.append(f"{count} begin as the trained model's: see chat template and adapter")
    # Where the trained model answers otherwise than its base: whose answer is followed longer?
    untrained = {p.row: answer_text(p) for p in base or () if not p.error}
    followed = [0, 0]
    for old, new in answered:
        texts = answer_text(old), untrained.get(old.row, answer_text(old))
        of_trained, of_base = (shared_beginning(answer_text(new), text) for text in texts)
        followed[0] += of_trained > of_base
        followed[1] += of_base > of_trained
    if followed[1] > followed[0] and mcnemar_p(*followed) <= ALPHA:
        count = f"{followed[1]:,} of {sum(followed):,} answers"
        reasons.append(f"{count} follow the base model's: the adapter is not loaded")
    return reasons


def shared_beginning(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def first_difference(old: Prediction, new: Prediction) -> str:
    """Return the line of a row, and the first word that differs, private values masked."""
    texts = answer_text(old), answer_text(new)
    words = [[*re.finditer(r"\s*\S+", text)] for text in texts]
    pairs = enumerate(zip_longest(*([word[0] for word in of_one] for of_one in words)))
    place = next((i for i, (one, other) in pairs if one != other), 0)
    # A part of a private value looks like none: it is masked in the whole text.
    one, other = (
        repr("".join(blank(text)[w.start() : w.end()] for w in of_one[place : place + 1]))
        for text, of_one in zip(texts, words, strict=True)
    )
    return f"line {old.line}, word {place + 1}: {one} became {other}"
