"""Rules that decide a test before every row is asked: `@pytest.mark.decided_by(rule=...)`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from tunegate.config.schema import Limits
from tunegate.data.canonical import request_digest
from tunegate.data.dataset import Dataset
from tunegate.results.labels import LabelRule, label_predictions
from tunegate.results.prediction import Predictions

from ..power import errors_in_all
from ..sequential import FALSE_FAIL, FALSE_PASS, VERSION, certain, interval, spending


@dataclass(frozen=True)
class Accuracy:
    """Decides `accuracy >= limits.accuracy` of the rows but `near_rows`, and nothing beside it.

    The fields are fixtures. `certain`: only where no other answer could change it.
    """

    test: Dataset
    near_rows: Collection[int]
    label_rule: LabelRule
    limits: Limits
    certain: bool

    @cached_property
    def repeats(self) -> bool:
        """Whether two rows of the test set are of one group, or the same request."""
        groups = [example.group for example in self.test if example.group]
        requests = [request_digest(example.given) for example in self.test]
        return len({*groups}) < len(groups) or len({*requests}) < len(requests)

    def __call__(
        self, so_far: Predictions, looks: Sequence[Collection[int]], look: int
    ) -> tuple[bool, str] | None:
        """Return whether it holds, and why; None for nothing yet.

        In mode "lower" rows that are not independent decide nothing: not their number counts.
        """
        limit, mode = float(self.limits.accuracy), self.limits.mode
        ends = tuple(len({*rows} - {*self.near_rows}) for rows in looks)
        n, allowed = ends[-1], errors_in_all(ends[-1], limit, mode)
        if not ends[look] or allowed < 0 or (mode == "lower" and self.repeats):
            return None
        clean = so_far.without(self.near_rows)
        missed = [r for r in label_predictions(clean, self.label_rule) if not r.right]
        wrong, surely = len(missed), sum(not row.prediction.error for row in missed)
        passes, fails = certain(n, allowed, ends)
        is_certain = surely >= fails[look] or wrong <= passes[look]
        if not is_certain | self.certain:
            passes, fails = spending(n, allowed, ends, limit if mode == "lower" else None)
        if not (passed := wrong <= passes[look]) and surely < fails[look]:
            return None
        risk = f"all {n:,} would say otherwise: {FALSE_PASS if passed else FALSE_FAIL:.0%} at most"
        why = f"above {limit:g}, 95 % sure" if passed and mode == "lower" else risk
        why = "no other answer could change it" if is_certain else why
        low, high = interval(n, ends[look], wrong)
        counts = f"{wrong:,} of {ends[look]:,} wrong, {low:.1%} to {high:.1%} right of all {n:,}"
        verdict = f"accuracy >= {limit:.10g} ({mode}) {'passes' if passed else 'fails'} early"
        return passed, f"{verdict}: {counts}; {why} (rule {VERSION})"
