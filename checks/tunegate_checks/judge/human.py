"""What people prefer, who rated the answers of two models blind: `tunegate review rate`."""

import math
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, get_args

from pydantic import ValidationError

from tunegate import ConfigError, Findings, Prediction, Predictions, Score
from tunegate.config.project import find_root
from tunegate.data.canonical import content_text
from tunegate.utils.files import atomic_write, sha256_json

from ..model.stopping import ALPHA, evidence
from ..stats import Units, estimate_mean, fewest_rows, kappa
from .calibration import LabelLine, Turn
from .prompt import item_of

RATINGS_FOLDER = "reviews"
ROLES = get_args(Turn.model_fields["role"].annotation)
VALUES = {"answer": 1.0, "tie": 0.5, "other": 0.0}  # of what a rater says


class RatedPair(NamedTuple):
    """The answers of two models to one row."""

    mine: Prediction
    error: str
    line: LabelLine  # that a rater will complete
    key: str

    @classmethod
    def of(cls, mine: Prediction, other: Prediction) -> "RatedPair":
        """Return the answers with the line of a label that nobody has given yet."""
        turns = [
            {"role": m["role"] if m["role"] in ROLES else "tool", "content": content_text(m)}
            for m in mine.given
        ]
        item, prompt = item_of(mine), turns.pop()["content"] if turns else ""
        about = {"context": dict(item.setting).get("context", ""), "reference": item.reference}
        texts = {"answer": item.answer, "other": item_of(other).answer}
        # What a model was cut off in, half of an emoji, cannot be written.
        answers = {k: text.encode("utf-8", "replace").decode() for k, text in texts.items()}
        line = LabelLine.model_validate({"prompt": prompt, "messages": turns, **about, **answers})
        return cls(mine, mine.error or other.error, line, line.key)

    def sides(self, who: str) -> dict[str, str]:
        """Return which answer a rater sees on which side: one order is as likely as the other."""
        order = sorted(("answer", "other"), key=lambda name: sha256_json([self.key, who, name]))
        return {"left": order[0], "right": order[1]}


class Ratings:
    """The ratings in a folder of these answers: files of labels, one of each rater."""

    def __init__(self, folder: Path, predictions: Predictions, over: Predictions) -> None:
        models, others = (predictions.digest, over.digest), {p.row: p for p in over}
        self.folder, self.about = folder, sha256_json([*models, predictions.test])[:16]
        pairs = [RatedPair.of(p, others[p.row]) for p in predictions if p.row in others]
        # At random, by the digests alone: nobody can try another order.
        self.pairs = sorted(pairs, key=lambda pair: sha256_json([self.about, pair.key]))
        differ = (p for p in self.pairs if not p.error and p.line.answer != p.line.other)
        self.asked = {p.key: p for p in differ}
        self.read()

    def read(self) -> None:
        """Read the files again; raises ConfigError for one that is harmed."""
        self.said: dict[str, dict[str, LabelLine]] = {}  # by rater, then by the key of the pair
        values, n = defaultdict[str, list[float]](list), 0
        for path in sorted(self.folder.glob("ratings-*.jsonl")):
            try:
                lines = [*map(LabelLine.model_validate_json, path.read_bytes().splitlines())]
            except ValidationError:
                raise ConfigError(f"{path} holds no ratings: restore it, or remove it") from None
            n += len(lines)
            if path.name.startswith(f"ratings-{self.about}-") and lines:
                self.said[lines[0].who] = {line.key: line for line in lines}
        said = [line for own in self.said.values() for line in own.values()]
        for line in (counted := [line for line in said if line.key in self.asked]):
            values[line.key].append(VALUES[line.better or "tie"])
        self.values = {key: sum(of) / len(of) for key, of in values.items()}
        n -= len(counted)
        self.notes = [f"{n:,} ratings of other models, rows or answers do not count"] * bool(n)

    def save(self, who: str, pair: RatedPair, better: str) -> None:
        """Save what a rater says of a pair, mode 0600; raises ValueError."""
        self.read()
        line = LabelLine.model_validate({**pair.line.model_dump(), "better": better, "who": who})
        lines = {**self.said.get(who, {}), line.key: line}.values()
        text = "".join(f"{line.model_dump_json(exclude_defaults=True)}\n" for line in lines)
        path = self.folder / f"ratings-{self.about}-{sha256_json(who)[:6]}.jsonl"
        atomic_write(path, text.encode(), mode=0o600)

    def facts(self) -> list[str]:
        """Return how many pairs it takes, by `stopping.evidence`, and how far raters agree."""
        n, values = len(self.values), self.values.values()
        less, more = sorted((sum(x > 0.5 for x in values), sum(x < 0.5 for x in values)))
        certainty = "how many more it takes until it is certain cannot be said"
        if less < more and Units.of([self.asked[key].mine for key in self.values]).count == n:
            needed = fewest_rows(lambda t: evidence(more / n * t, less / n * t, t, 0) >= 2 / ALPHA)
            more_text = f"about {needed - n:,} more until it is certain (95 %), at this share"
            certainty = "it is certain which people prefer (95 %)" if needed <= n else more_text
        facts = [f"{n:,} of {len(self.asked):,} pairs rated; {certainty}"]
        for (a, said), (b, says) in combinations(sorted(self.said.items()), 2):
            keys = [key for key in said if key in says and key in self.asked]
            both = [[own[key].better for key in keys] for own in (said, says)]
            if not math.isnan(alike := kappa(both[0], both[1], [*VALUES])):
                interval = f"{alike.low:.2f} to {alike.high:.2f}"
                facts.append(f"{a} and {b}: kappa {alike:.2f} ({interval}), {alike.n:,} pairs")
        return facts


def win_rate(
    predictions: Predictions, over: Predictions, *, folder: Path | str = RATINGS_FOLDER
) -> Score:
    """Return how often people prefer the answer to that of another model, plus half of the ties.

    The rows are those that the raters came by, in an order that is random. Answers alike are ties,
    skipped rows are left out, rows without an answer are errors; of several raters of a row the
    mean counts. NaN without ratings. Interval: see `stats.estimate_mean`.
    """
    folder, name = (find_root(Path.cwd()) or Path()) / folder, "human win rate"
    ratings = Ratings(folder, predictions, over)
    values = ratings.values
    reached = max((i for i, p in enumerate(ratings.pairs, 1) if p.key in values), default=0)
    rows = [p for p in ratings.pairs[:reached] if p.key in values or p.key not in ratings.asked]
    if not rows:
        return Score(math.nan, name=name, hints=["not rated: tunegate review rate", *ratings.notes])
    worst, best = ([end if p.error else values.get(p.key, 0.5) for p in rows] for end in (0, 1))
    won, lost = (sum(sign * x > sign / 2 for x in worst) for sign in (1, -1))
    counts = f"{won:,} won, {len(rows) - won - lost:,} tied, {lost:,} lost"
    worse = (p for p, x in zip(rows, worst, strict=True) if x < 0.5)
    misses = [p.mine.finding("lost", p.error or "people prefer the other answer") for p in worse]
    units = Units.of([p.mine for p in rows])
    return units.score(
        estimate_mean(worst, units), estimate_mean(best, units), name=name, hints=ratings.notes,
        signature=f"{len(ratings.said)} raters {sha256_json(values)[:8]}|{counts}",
        misses=Findings("losses", misses, split="test", n=len(rows)),
        errors=sum(bool(p.error) for p in rows), detail="\n".join([counts, *ratings.facts()]),
    )  # fmt: skip
