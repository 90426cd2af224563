"""A judge model, named by `[judge]` in the configuration, grades the replies by a rubric. Until its
agreement with people is proven it is advisory: its scores are shown, and close no gate.
"""

from tunegate import JudgePanel, Limits, Predictions
from tunegate_checks.judge import grading, pairwise


def test_judge(clean: Predictions, judge_panel: JudgePanel | None, limits: Limits) -> None:
    """Share of replies that pass the rubric."""
    if judge_panel:
        judged = grading.score(clean, judge_panel)
        if not judged.advisory:
            assert judged >= limits.judge


def test_judge_prefers_it(
    clean: Predictions, baseline: Predictions | None, judge_panel: JudgePanel | None, limits: Limits
) -> None:
    """Share of replies that the judge prefers to the baseline's, in either order of reading."""
    if judge_panel and baseline is not None:
        judged = pairwise.win_rate(clean, over=baseline, judge=judge_panel)
        if not judged.advisory:
            assert judged >= limits.judge_wins
