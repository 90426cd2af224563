"""Compare the replies of two models, each pair in both orders: the candidate's win rate."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from tunegate import Findings, JudgePanel, Predictions
from tunegate.results.score import Score, format_value, proportion
from tunegate.utils.text import one_line

from ..stats import Units, estimate_mean, kappa
from .ballots import BETTER_VALUES, Vote, collect_votes, parse_better, plurality_side
from .calibration import Calibration, HumanLabels, JudgedScore, calibrate, with_swap_consistency
from .grading import judge_signature
from .prompt import Item, comparison_prompt, item_of
from .rubric import Rubric, load_rubric

_SWAPPED = {"a": "b", "b": "a", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which of two answers is better: "a", "b", "tie", or None with the reason in `error`."""

    better: str | None
    reason: str = ""
    error: str = ""
    consistent: int = 0  # of those compared, whose two votes agree
    compared: int = 0  # judges and repetitions that gave a vote in both orders
    valid_votes: tuple[str, ...] = ()


def win_rate(
    predictions: Predictions, over: Predictions, judge: JudgePanel, rubric: Rubric | None = None
) -> JudgedScore:
    """Return the wins over another model and half the ties, as a share of the rows both were asked.

    A win counts only where the same answer wins in both orders, else it is a tie; answers that are
    alike are a tie, and not asked about. An error is a loss in the value, a win in `best_case`.
    Interval: `stats.estimate_mean`. The two orders: Zheng et al. 2023, Judging LLM-as-a-Judge, 3.4.
    """
    __tracebackhide__ = True
    rubric = rubric or load_rubric(judge.rubric)
    calibration = calibrate_pairwise(rubric, judge)
    other_by_row = {p.row: p for p in over}
    pairs = [(p, other_by_row[p.row]) for p in predictions if p.row in other_by_row]
    items = [(item_of(p), item_of(q).answer) for p, q in pairs if not (p.error or q.error)]
    answered = iter(compare(items, rubric, judge))
    errors = [p.error or q.error for p, q in pairs]
    comparisons = [Comparison(None, error=error) if error else next(answered) for error in errors]
    n, counts = len(pairs), Counter(c.better for c in comparisons)
    units, values = Units.of([p for p, _ in pairs]), {"a": 1.0, "tie": 0.5, "b": 0.0}
    worst, best = ([values.get(c.better or "", end) for c in comparisons] for end in (0.0, 1.0))
    swap = swap_consistency_score(comparisons)
    kept = f"swap consistency {format_value(swap, True)} of {swap.n:,}" if swap.n else "none asked"
    wins_text = f"{counts['a']} won, {counts['tie']} tied, {counts['b']} lost; {kept}"
    lost = [
        p.finding("no verdict" if c.error else "lost", one_line(c.error or c.reason))
        for (p, _), c in zip(pairs, comparisons, strict=True)
        if c.better in (None, "b")
    ]
    signature = judge_signature(rubric, judge, [c.valid_votes for c in comparisons])
    score = units.score(
        estimate_mean(worst, units), estimate_mean(best, units), f"{signature}|{wins_text}",
        name=f"win rate ({rubric.name})", errors=counts[None],
        misses=Findings("losses", lost, split="test", n=n), detail=wins_text,
    )  # fmt: skip
    calibration = with_swap_consistency(calibration, swap, judge)
    return JudgedScore.of(score, calibration, [c.error for c in comparisons])


def swap_consistency_score(comparisons: Sequence[Comparison]) -> Score:
    """Return the share of votes that stayed when the answers were swapped."""
    consistent = sum(c.consistent for c in comparisons)
    return proportion("swap consistency", consistent, sum(c.compared for c in comparisons))


def compare(pairs: list[tuple[Item, str]], rubric: Rubric, judge: JudgePanel) -> list[Comparison]:
    """Ask about each pair in both orders; equal answers are a tie without a question."""
    different = [i for i, (item, other) in enumerate(pairs) if item.answer != other]
    orders = product((False, True), different)
    questions = [comparison_prompt(*pairs[i], rubric, swapped=swapped) for swapped, i in orders]
    votes = collect_votes(questions, parse_better, judge)
    comparisons = [Comparison("tie", "the answers are alike")] * len(pairs)
    for place, i in enumerate(different):
        comparisons[i] = _combine_orders(votes[place], votes[len(different) + place])
    return comparisons


def _combine_orders(first_order: list[Vote[str]], second_order: list[Vote[str]]) -> Comparison:
    """Combine the votes on one pair; a vote that changes with the order counts as a tie."""
    both = zip(first_order, second_order, strict=True)
    orders = [(first.value, second.value and _SWAPPED[second.value]) for first, second in both]
    votes = [None if None in pair else pair[0] if pair[0] == pair[1] else "tie" for pair in orders]
    complete = [pair for pair in orders if None not in pair]
    better = plurality_side(votes)
    error = "" if better else next((v.error for v in (*first_order, *second_order) if v.error), "")
    reason = next((v.reason for v in first_order if v.value == better), first_order[0].reason)
    valid_votes = tuple(vote for vote in votes if vote is not None)
    consistent = sum(a == b for a, b in complete)
    return Comparison(better, reason, error, consistent, len(complete), valid_votes)


def calibrate_pairwise(rubric: Rubric, judge: JudgePanel) -> Calibration:
    """Return whether these judges prefer what people prefer, by the labels with `better`."""
    __tracebackhide__ = True

    def measure(human_labels: HumanLabels) -> tuple[Score, list[str]]:
        pairs = [(label.item, label.other) for label in human_labels.compared]
        comparisons = compare(pairs, rubric, judge)
        people = [label.better for label in human_labels.compared]
        both = zip(comparisons, people, strict=True)
        # An unjudged label counts as a disagreement.
        judges = [c.better or ("b" if human == "a" else "a") for c, human in both]
        errors = [c.error for c in comparisons if c.better is None]
        return kappa(people, judges, BETTER_VALUES), errors

    return calibrate(rubric, judge, measure)
