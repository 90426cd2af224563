"""Should this be fine-tuned at all? Reasons for and against, measured or declared, and a verdict.

`Advice` has the reasons, and what they come to: prompt, retrieve, fine-tune, or not yet. Models are
asked rows of the validation set, never of the test set.
"""

import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from tunegate import Ask, Dataset, LabelRule, Limits, Prediction, Predictions
from tunegate.config.schema import Readiness, ReasonName
from tunegate.results.labels import exact
from tunegate.results.outcome import Outcome, record, record_table
from tunegate.results.score import format_value, one_sided_bounds
from tunegate.storage.state_dir import StateDir
from tunegate.utils.masking import mask

from .data import pii, secrets, size
from .model import classification, overlap, speed
from .model.served import TEXT_TASKS
from .stats import resampled_sums
from .text.replies import facts_of

Verdict = Literal["prompt", "retrieve", "fine-tune", "not yet"]
INSTEAD: dict[str, Verdict] = {"prompting": "prompt", "knowledge": "retrieve"}  # else not yet
SAMPLE = 1_000  # training rows that are looked at one by one
FEWEST = 20  # answers that can show that a prompt is enough
DAYS = 365.25 / 12  # of a month
MARKS = {True: "yes", False: "no", None: "?"}
TEXT_WIDTH = 58  # of the evidence in the table
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)


class NotKnown(Exception):
    """A reason is open; the message says what would decide it, such as a setting."""


@dataclass(frozen=True)
class Reason:
    """Whether something speaks for fine-tuning, with the evidence; else what to do instead.

    Its truth is recorded in the running test. One that does not hold is false where the suite is a
    gate, `[readiness] gate`; otherwise it is advice.
    """

    name: str
    holds: bool | None  # None: it is open
    evidence: str
    instead: Verdict
    gates: bool

    def __bool__(self) -> bool:
        record(Outcome(self.name, "", self.holds, repr(self)))
        return bool(self.holds) or not self.gates

    def __repr__(self) -> str:
        return f"<{self.name}: {MARKS[self.holds]}, {self.evidence}>"


class Payback(NamedTuple):
    """What prompting and a tuned model cost each month, and a training, in USD."""

    prompted: float
    tuned: float
    training: float
    months: Sequence[float]  # until the training has paid: early, likely, late; infinite for never


@dataclass(eq=False)
class Advice:
    """The reasons of one project; a model is asked when a reason first needs its answers."""

    settings: Readiness
    limits: Limits
    task: str
    train: Dataset
    validation: Dataset
    ask: Ask
    label: LabelRule = exact
    payback: Payback | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.rows, self.sample = self.validation.drawn(self.settings.rows), self.train.drawn(SAMPLE)
        self.secret = bool(self.settings.confidential)
        self.reason = cache(self._reason)  # tests ask for each, and the verdict for all

    @cached_property
    def prompted(self) -> Predictions:
        """The answers of the prompted model; empty where there is none, or it may not be asked."""
        return self._asked(self.settings.prompt)

    @cached_property
    def retrieved(self) -> Predictions:
        """The same, of the model with documents."""
        return self._asked(self.settings.retrieval)

    def _asked(self, spec: str | None) -> Predictions:
        return self.ask(self.rows, spec) if spec and not self.secret else Predictions([])

    @cached_property
    def reasons(self) -> list[Reason]:
        """All reasons but those that are left out."""
        names = get_args(ReasonName)
        return [self.reason(name) for name in names if name not in self.settings.leave_out]

    def _reason(self, name: str) -> Reason:
        """Return the reason of this name; one that is left out is open, and gates nothing."""
        if name in self.settings.leave_out:
            return Reason(name, None, "left out", "not yet", False)
        try:
            holds, evidence = getattr(self, f"_{name}")()
        except NotKnown as unknown:
            holds, evidence = None, str(unknown)
        return Reason(name, holds, evidence, INSTEAD.get(name, "not yet"), self.settings.gate)

    def _given(self, *keys: str) -> list[Any]:
        """Return settings; raises NotKnown naming those that are not set."""
        values = self.settings.model_dump()
        if unset := [key for key in keys if values[key] is None]:
            raise NotKnown(f"set {', '.join(unset)} in [readiness]")
        return [values[key] for key in keys]

    def _is_enough(self, answers: Predictions, slack: float = 0.0) -> tuple[bool, str]:
        """Tell whether answers are right often enough, or nearly, and neither dear nor slow.

        Raises NotKnown of few answers, and of a limit between the score and its upper 95 % bound.
        """
        is_text = self.task in TEXT_TASKS
        metric = overlap.chrf() if is_text else classification.right(self.label)
        if (limit := self.limits.chrf if is_text else self.limits.accuracy) is None:
            raise NotKnown("set chrf in [limits]: how good is good enough")
        score = metric(answers)
        upper = max(one_sided_bounds(score, "<="))  # with every missing answer right
        shown = [format_value(v, metric.binary) for v in (score, upper, limit)]
        text = f"{answers.model}: {metric.name} {shown[0]} on {score.n:,} validation rows,"
        text += f" at most {shown[1]} (95 % sure); the limit is {shown[2]}"
        cost, dearest = speed.cost_per_1000(answers), self.settings.cost_per_1000
        if dearest is not None and float(cost) > dearest:
            return False, f"{text}; ${float(cost):.2f} for 1,000, ${dearest:g} is allowed"
        seconds, slowest = speed.latency(answers, 0.95), self.settings.latency_p95
        if slowest is not None and float(seconds) > slowest:
            return False, f"{text}; {float(seconds):.2f} s, {slowest:g} s is allowed"
        wanted = float(limit) - slack * (100 if is_text else 1)
        if float(score) < wanted <= upper or score.n < FEWEST:
            raise NotKnown(f"{text}: too few rows to tell")
        held = [m for m, most in ((cost, dearest), (seconds, slowest)) if most is not None]
        if float(score) >= wanted and (unknown := [m for m in held if math.isnan(m)]):
            raise NotKnown(f"{text}; {', '.join(unknown[0].hints)}")
        return float(score) >= wanted, text

    # What each reason is, the tests of suites/readiness say.

    def _prompting(self) -> tuple[bool, str]:
        if self.secret:
            return True, "confidential: what is asked may not stand in a prompt"
        if not len(self.prompted):
            self._given("prompt")
            raise NotKnown("prompt names a file of answers: a model is needed that can be asked")
        is_enough, text = self._is_enough(self.prompted)
        return not is_enough, text

    def _knowledge(self) -> tuple[bool, str]:
        rows, labels = self.sample, {e.label for e in self.sample if e.label}
        is_open = self.task in (*TEXT_TASKS, "qa") and 3 * len(labels) > len(rows)
        naming = [e for e in rows if is_open and facts_of(e.reply, f"{e.system} {e.prompt}")]
        share = len(naming) / max(len(rows), 1)
        text = f"{share:.0%} of the replies name facts that their questions do not"
        few = share <= self.settings.facts
        if not len(self.retrieved):
            if not few and not self.secret:
                raise NotKnown(f"{text}: set retrieval in [readiness] to a model with documents")
            return few, text
        is_enough, scored = self._is_enough(self.retrieved, float(self.limits.margin))
        return not is_enough, f"{scored}; {text}"

    def _stability(self) -> tuple[bool, str]:
        changes, retraining = self._given("changes_every_days", "retraining_days")
        share, most = retraining / changes, self.settings.stale
        text = f"right answers change every {changes:g} days, a new model takes {retraining:g}:"
        return share <= most, f"{text} {min(share, 1):.0%} of the time, {most:.0%} is allowed"

    def _examples(self) -> tuple[bool, str]:
        per_class = self.limits.fewest_per_class
        found = size.find(self.train, task=self.task, per_class=per_class, advisory=True)
        if lacking := [finding.evidence for finding in found if not finding.hint]:
            return False, "; ".join(lacking[:3]) + (" ..." if lacking[3:] else "")
        least, good = size.SIZES[self.task]
        unit = " a class" if self.task in ("classification", "multilabel") else ""
        text = f"{len(self.train):,} rows; {self.task} takes {per_class or least:,}{unit}"
        return True, f"{text}, {good:,} are good"

    def _pays(self) -> tuple[bool, str]:
        if self.secret:
            return True, "confidential: there is no prompt to compare with"
        keys = ["requests_per_month", "training_cost", "retraining_cost", "changes_every_days"]
        keys += ["tuned_price_in", "tuned_price_out"]
        keys += [] if any(p.cost for p in self.prompted) else ["prompt", "price_in", "price_out"]
        if not (tokens := self.settings.tuned_tokens):  # as the baseline counts a bare question
            bare = [p.prompt_tokens for p in self.ask(self.rows.drawn(20), "baseline")]
            tokens = sum(bare) / len(bare) if bare and all(bare) else None
        self._given(*keys, *([] if tokens else ["tuned_tokens"]))
        answered = [p for p in self.prompted if p.prompt_tokens and not p.error]
        if len(answered) < speed.MIN_ANSWERS:
            raise NotKnown(f"{speed.MIN_ANSWERS} answers with counted tokens are needed")
        pay = self.payback = paid_back(self.settings.model_dump(), answered, tokens or 0)
        early, likely, late = (f"{m:,.1f}" if m < 1e4 else "never" for m in pay.months)
        text = f"${pay.prompted:,.0f} a month prompted, ${pay.tuned:,.0f} tuned and"
        text += f" ${pay.training:,.0f} once; months until it has paid: {likely}, {early} to {late}"
        text += f" (95 % sure); {self.settings.pays_within:g} are allowed"
        if len(within := {month <= self.settings.pays_within for month in pay.months}) > 1:
            raise NotKnown(text)
        return within.pop(), text

    def _confidentiality(self) -> tuple[bool, str]:
        self._given("confidential")
        ignore, allow, names = self.limits.pii_ignore, self.limits.pii_allow, self.limits.pii_names
        private = pii.find(self.sample, ignore=ignore, allow=allow, names=names, advisory=True)
        found = [f for f in (*private, *secrets.find(self.sample, advisory=True)) if not f.hint]
        rows, n = {f.row for f in found}, len(self.sample)
        kinds = ", ".join(sorted({f.kind for f in found})[:4])
        if found:
            return False, f"{len(rows):,} of {n:,} training rows hold {kinds}: `tunegate fix`"
        return True, f"no personal data, no keys in {n:,} training rows"

    def _tone(self) -> tuple[bool, str]:
        forms, least = [form_of(e.reply) for e in self.sample], self.settings.tone
        usual = max(forms, key=forms.count, default="")
        share = forms.count(usual) / max(len(forms), 1)
        kept = [form_of(p.got) == usual for p in self.prompted if not p.error]
        also = f"; of the prompted answers {sum(kept) / len(kept):.0%} are" if kept else ""
        return share >= least, f"{share:.0%} of the replies are {usual}, {least:.0%} must be{also}"

    @property
    def verdict(self) -> tuple[Verdict, str]:
        """What to do, and why: first what is cheapest; what is open is never taken to hold."""
        if not self.reasons:
            return "not yet", "every reason is left out"
        against = [reason for reason in self.reasons if reason.holds is False]
        for reason in against:  # prompting comes first, then knowledge
            if reason.instead != "not yet":
                return reason.instead, reason.evidence
        unknown = [reason for reason in self.reasons if reason.holds is None]
        if names := ", ".join(reason.name for reason in against or unknown):
            return "not yet", f"{'first put right' if against else 'not known'}: {names}"
        return "fine-tune", "every reason holds"

    def conclude(self, root: Path) -> Reason:
        """Show the verdict with its reasons, write `.tunegate/readiness.json`, and return it."""
        verdict, why = self.verdict
        table: list[Sequence[str]] = [("for fine-tuning", "", "".ljust(TEXT_WIDTH))]
        cells = [(r.name, MARKS[r.holds], r.evidence) for r in self.reasons]
        for name, mark, text in [*cells, ("verdict", "", f"{verdict}: {why}")]:
            for line in textwrap.wrap(text, TEXT_WIDTH):
                table.append((name, mark, line.ljust(TEXT_WIDTH)))
                name = mark = ""
        record_table(f"readiness: {verdict}", table)
        if pay := self.payback:
            ends = [round(self.settings.pays_within * k / 6, 1) for k in range(7)]
            sums = [(pay.prompted * n, pay.training + pay.tuned * n) for n in ends]
            top = max(map(max, sums)) or 1
            bars = [[f"${x:,.0f} {'#' * round(16 * x / top):16}" for x in both] for both in sums]
            rows = [(f"{n:g}", *both) for n, both in zip(ends, bars, strict=True)]
            record_table("cost in all", [("month", "prompted", "tuned"), *rows])
        content = {
            "verdict": verdict, "why": why, "model": self.prompted.model, "rows": len(self.rows),
            "train": self.train.digest, "validation": self.validation.digest,
            "reasons": [asdict(reason) for reason in self.reasons],
            "months": pay and [m if m < math.inf else None for m in pay.months],
        }  # fmt: skip
        text = mask(json.dumps(content, indent=1, ensure_ascii=False))
        state = StateDir(root)
        state.write_sealed(state.path("readiness.json"), json.loads(text))
        return Reason("verdict", verdict == "fine-tune", why, verdict, self.settings.gate)


def paid_back(s: Mapping[str, Any], answered: Sequence[Prediction], tuned_tokens: float) -> Payback:
    """Return what both ways cost by the settings, none of them unset, and by the tokens counted.

    The saving of a request has the 95 % interval of a bootstrap over the answers; early and late
    also take the ends of `requests_per_month`.
    """
    import numpy as np

    prices, tuned_prices = ((s[f"{a}price_in"], s[f"{a}price_out"]) for a in ("", "tuned_"))
    tokens = np.array([(p.prompt_tokens, p.tokens) for p in answered])
    own = [p.cost for p in answered] if None in prices else tokens @ prices / 1e6
    tuned = (tuned_tokens * tuned_prices[0] + tokens[:, 1] * tuned_prices[1]) / 1e6
    saved = np.array(own) - tuned
    low, high = np.quantile(resampled_sums(saved[:, None])[:, 0] / len(saved), [0.025, 0.975])
    fixed = s["tuned_per_month"] + s["retraining_cost"] * DAYS / s["changes_every_days"]
    requests, likely = s["requests_per_month"], sum(s["requests_per_month"]) / 2
    gains = max(n * high for n in requests), likely * saved.mean(), min(n * low for n in requests)
    months = [float(s["training_cost"] / (g - fixed)) if g > fixed else math.inf for g in gains]
    monthly = float(likely * np.mean(own)), float(likely * tuned.mean() + fixed)
    return Payback(*monthly, s["training_cost"], months)


def form_of(reply: str) -> str:
    """Return the form of a reply in words: code, a list or prose, and whether it ends on a stop."""
    form = "code" if "```" in reply or reply[:1] in ("{", "[") else "prose"
    form = "lists" if _ITEM.search(reply) else form
    return form + (" with a full stop" if reply.rstrip().endswith(tuple(".!?。！？…")) else "")
