"""Ask a server what the trained model was asked, and compare.

Any server of OpenAI's protocol: vLLM, llama.cpp, Ollama, transformers. Quantisation and batching
change words; a wrong chat template or a missing adapter makes a worse model.

$ tunegate run serve-check latest --model openai:local
$ tunegate run serve-check 3fa9c1@merged --model openai:local --limit 200
"""

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate import ConfigError, Prediction, Predictions, Score, exit_codes
from tunegate.config.data_files import find_data_files
from tunegate.config.project import current_project
from tunegate.config.schema import Config, load
from tunegate.interfaces.model import ModelUnknown, budget_from_options, hold_to_budget
from tunegate.models.predict import cached_predictions, predict
from tunegate.models.spec import open_model, open_unchanged, resolve_candidate
from tunegate.results.score import format_value
from tunegate.storage.state_dir import StateDir, find_finished
from tunegate.utils import progress
from tunegate.utils.masking import add_json_option, blank, mask, print_result
from tunegate.utils.text import common_length
from tunegate.utils.timestamps import timestamp

from ..stats import mcnemar_p, share
from .classification import right
from .compare import ALPHA, Comparison, not_inferior
from .metric import Metric
from .overlap import chrf

SHOWN_ANSWERS = 5  # of those that differ
FEWEST_ALIKE = 0.5  # the share of answers whose first word, or whole text, is the trained model's
TEXT_TASKS = ("text", "style", "chat")  # of free text, scored by chrF
Pairs = Sequence[tuple[Prediction, Prediction]]  # the trained model's answer, the served one's


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "tunegate run serve-check RUN --model SPEC [options]"
    add, run_help = parser.add_argument, "its id, the beginning of it, or latest; RUN@merged"
    add("run", metavar="RUN", help=run_help)
    add("--model", required=True, metavar="SPEC", help="the served model, as in [models]")
    add("--margin", type=float, metavar="M", help="not worse by (limits.margin)")
    add("--limit", type=int, metavar="N", help="ask a random sample of N rows")
    add("--max-requests", type=int, metavar="N", help="send no more requests than N")
    add("--max-cost", type=float, metavar="USD", help="spend no more than this")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, compare, record the result in `run.json`, and print it; return 0, 1, 75 or 130."""
    from tunegate.interfaces.installed import load_files

    root = current_project()
    config, state, name = load(root), StateDir(root), args.run.removeprefix("run:")
    margin = float(config.limits.margin) if args.margin is None else args.margin
    if not 0 < margin < 1:
        raise ConfigError(f"--margin {margin:g}: a number between 0 and 1 is valid")
    if args.limit is not None and args.limit < 1:
        raise ConfigError(f"--limit {args.limit}: a number from 1 on is valid")
    budget = budget_from_options(args.max_requests, args.max_cost, args.model, False)
    if re.match(r"(run|file|folder):|latest\b", args.model) or (root / args.model).is_dir():
        valid = "openai:NAME, anthropic:NAME or a model of [models]"
        raise ConfigError(f"--model {args.model} is no server; valid: {valid}")
    if not (test := find_data_files(config, root, {}, Path.cwd()).get("test")):
        raise ConfigError(f"{test.path}: there are no test rows to ask")
    rows = test.drawn(args.limit) if args.limit else test
    of_run = find_finished(state, re.split("[@?]", name)[0])
    installed = load_files(of_run.plugins)
    names = (f"run:{name}", args.model)
    found = [resolve_candidate(option, state, lambda: installed) for option in names]
    model = open_unchanged(found[0].spec, found[0].digest, f"run:{name}", root, installed.openers)
    other = hold_to_budget(budget, open_model(found[1].spec, root, installed.openers))
    try:
        with progress.progress_bar("asking the trained model") as bar:
            trained = predict(model, rows, state, bar)
        metric_for(trained, config, margin)  # a library that lacks is told before a server is paid
        state.answers_since = time.time()  # a server with other weights keeps name and address
        with progress.progress_bar("asking the served model") as bar:
            served = predict(other, rows, state, bar)
    except ModelUnknown as error:
        print(f"tunegate run serve-check: {error}", file=sys.stderr)
        return exit_codes.UNMEASURABLE
    state.answers_since = 0.0  # those of the base model may be older
    digest = (of_run.record.get("baseline") or {}).get("digest")
    base = cached_predictions("base", digest, rows, state) if digest else None
    check = compare_served(served, trained, base, config, margin)
    facts = {
        "made": timestamp(), "model": mask(args.model), "model_digest": other.digest,
        "trained": f"run:{name}", "trained_digest": model.digest, "test": rows.digest,
        **check.facts,
    }  # fmt: skip
    of_run.add_to_record("served_checks", mask(args.model), facts)
    lines = f"served    {args.model}, beside run:{name}, on {len(rows):,} test rows", *check.lines()
    print_result(args.json, facts, lines)
    return {"open": 0, "closed": 1}.get(check.verdict, exit_codes.UNMEASURABLE)


@dataclass(frozen=True)
class ServedCheck:
    """A served model beside the trained one, on the same rows."""

    agreement: Score
    comparison: Comparison
    verdict: str  # "open", "closed" or "unmeasurable"
    reasons: list[str]  # why it is not open
    differences: list[str]  # the first answers that differ

    @property
    def facts(self) -> dict[str, Any]:
        """What is recorded, as JSON values."""
        score, claim = self.agreement, {"claim": self.comparison.claim}
        return {
            "agreement": {k: getattr(score, k) for k in ("low", "high", "n", "errors")}
            | {"value": float(score)},
            "comparison": claim | self.comparison.to_data(), "verdict": self.verdict,
            "reasons": self.reasons, "differences": self.differences,
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Yield the check as it is printed."""
        score = self.agreement
        value, low, high = (format_value(x, True) for x in (float(score), score.low, score.high))
        yield f"agreement {value} of {score.n:,} answers, 95 % interval {low} to {high}"
        yield from (f"          {line}" for line in self.differences)
        yield f"scores    {self.comparison!r}"
        verdict = "served as trained" if self.verdict == "open" else f"{self.verdict}: "
        yield f"verdict   {verdict}{'; '.join(self.reasons)}"


def compare_served(
    served: Predictions, trained: Predictions, base: Predictions | None, config: Config,
    margin: float,
) -> ServedCheck:  # fmt: skip
    """Compare answers to the same rows; `margin` is a share of the score's scale."""
    pairs = [*zip(trained, served, strict=True)]
    answered = [(old, new) for old, new in pairs if not (old.error or new.error)]
    missing = [bool(old.error or new.error) for old, new in pairs]
    agreement = share("agreement", [is_same(*p) for p in pairs], served, missing=missing)
    metric = metric_for(trained, config, margin)
    wide = margin * (metric.scale[1] - metric.scale[0])
    comparison = not_inferior(served, trained, metric, margin=wide)
    reasons, shown = [*broken_reasons(answered, base)], comparison.holds()
    is_closed = bool(reasons)
    if shown is None:
        reasons.append(f"{sum(missing):,} answers are missing, and decide: run it again")
    elif not shown:
        # Is it the server, or would no server be shown to be as good?
        is_worse = float(comparison.difference) < -wide
        is_worse = is_worse or bool(not_inferior(trained, trained, metric, margin=wide).holds())
        too_few = "" if is_worse else f": {len(served):,} rows are too few"
        reasons.append(f"{comparison.claim} is not shown{too_few}")
        is_closed = is_closed or is_worse
    if not is_closed and metric.name == "chrF" and agreement.high < FEWEST_ALIKE:
        count = f"{agreement.hits:,} of {agreement.n:,} answers are the trained model's"
        reasons.append(f"{count}, and chrF hardly sees another number: see docs/serving.md")
    verdict = "closed" if is_closed else "unmeasurable" if reasons else "open"
    differ = [first_difference(*pair) for pair in answered if not is_same(*pair)]
    return ServedCheck(agreement, comparison, verdict, reasons, differ[:SHOWN_ANSWERS])


def metric_for(trained: Predictions, config: Config, margin: float) -> Metric:
    """Return accuracy, or chrF for free text, of which no served model could have `margin` less."""
    accuracy = right(config.label_rule)
    is_labelled = config.task not in TEXT_TASKS and float(accuracy(trained)) > margin
    return accuracy if is_labelled else chrf()


def answer_text(p: Prediction) -> str:
    """Return the text of an answer, white space around it aside, with its tool calls."""
    return "\n".join(filter(None, (p.got.strip(), p.calls)))


def is_same(old: Prediction, new: Prediction) -> bool:
    """Whether two answers are one; of one that was cut off, as far as it goes."""
    short, long = sorted((old, new), key=lambda p: len(answer_text(p)))
    beginning, whole = answer_text(short), answer_text(long)
    is_cut = short.finish == "length" and beginning and whole.startswith(beginning)
    return not (old.error or new.error) and (bool(is_cut) or whole == beginning)


def broken_reasons(answered: Pairs, base: Predictions | None) -> Iterator[str]:
    """Yield what tells, without any expected reply, that another model or template answers."""
    texts = [(answer_text(old), answer_text(new)) for old, new in answered]
    begun = sum(old.split()[:1] == new.split()[:1] for old, new in texts)
    if begun < FEWEST_ALIKE * len(texts):
        count = f"{begun:,} of {len(texts):,} answers"
        yield f"{count} begin as the trained model's: see chat template and adapter"
    # Where the trained model answers otherwise than its base: whose answer is followed longer?
    untrained = {p.row: answer_text(p) for p in base or () if not p.error}
    followed = [0, 0]
    for (row, _), (old, new) in zip(answered, texts, strict=True):
        of_trained = common_length(new, old)
        of_base = common_length(new, untrained.get(row.row, old))
        followed[0] += of_trained > of_base
        followed[1] += of_base > of_trained
    if followed[1] > followed[0] and mcnemar_p(*followed) <= ALPHA:
        count = f"{followed[1]:,} of {sum(followed):,} answers"
        yield f"{count} follow the base model's: the adapter is not loaded"


def first_difference(old: Prediction, new: Prediction) -> str:
    """Return the line of a row, and the first word that differs, private values masked."""
    texts = answer_text(old), answer_text(new)
    words = [[*re.finditer(r"\s*\S+", text)] for text in texts]
    place = common_length(*([word[0] for word in of_one] for of_one in words))
    # A part of a private value looks like none: it is masked in the whole text.
    one, other = (
        repr("".join(blank(text)[w.start() : w.end()] for w in of_one[place : place + 1]))
        for text, of_one in zip(texts, words, strict=True)
    )
    return f"line {old.line}, word {place + 1}: {one} became {other}"
