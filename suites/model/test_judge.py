"""A judge reads the replies: `[judge]` in the configuration says who, and by which rubric.

Without it nothing is asked, and these pass. A judge that has not earned the right to gate, by
agreeing with people, is advisory: the session shows what it says, and no gate heeds it.
"""

from tunegate import JudgePanel, Limits, Predictions
from tunegate_checks.judge import grading, pairwise


def test_judge(clean: Predictions, judge: JudgePanel | None, limits: Limits) -> None:
    """Share of replies that pass by the rubric."""
    if judge:
        judged = grading.score(clean, judge)
        if not judged.advisory:
            assert judged.by(limits.mode) >= limits.judge


def test_judge_prefers_it(
    clean: Predictions, baseline: Predictions, judge: JudgePanel | None, limits: Limits
) -> None:
    """Replies that are better than the baseline's, whichever the judge reads first."""
    if judge:
        judged = pairwise.win_rate(clean, baseline, judge)
        if not judged.advisory:
            assert judged.by(limits.mode) >= limits.judge_wins
