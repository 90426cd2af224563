"""Memory: what a model says that it should have kept to itself, and answers that go wrong.

Training replies that come back word for word, personal data that nobody put into the question,
answers that never end, refusals that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunegate.checking.decorator import check
from tunegate.results.finding import Finding
from tunegate.results.prediction import Prediction, Predictions

from ..text.display import quote_line
from ..text.refusals import REFUSAL_START
from .memorization import _hint, _not_applicable


@check(name="memory.cut_off")
def cut_off(predictions: Predictions, *, most: float = 0.01) -> Iterator[Finding]:
    """Answers end by themselves: no more than the share `most` ran into the longest one allowed.

    A model whose training rows lacked the end of turn never learnt to stop. The reverse, an answer
    that is empty, counts too. Where no one said how an answer ended, there is nothing to judge.
    """
    finished = [p for p in predictions if p.finish and not p.error]
    if not finished:
        yield _not_applicable("nobody said how the answers ended")
    wrong = [(p, _ending_problem(p)) for p in finished if _ending_problem(p)]
    for p, problem in wrong:
        evidence = f"after {p.tokens:,} tokens, at its end {quote_line(p.got[-50:])}"
        yield Finding(p.row, p.line, problem, evidence, hint=len(wrong) <= most * len(finished))


def _ending_problem(p: Prediction) -> str:
    """Return what is wrong with how an answer ended, "" for nothing."""
    if p.finish == "length":
        return "cut off"
    return "empty" if p.expected.strip() and not p.got.strip() else ""


@check(name="memory.refusals")
def refusals(
    predictions: Predictions, baseline: Sequence[Prediction] = (), *, most: float = 0.01
) -> Iterator[Finding]:
    """The model refuses where the expected reply does, and nowhere else.

    Findings where more than the share `most` of the answers do otherwise. A refusal is an apology
    or a "cannot" at the start, in English or Portuguese. The hint has the baseline's share beside.
    """
    with_answer = [p for p in predictions if not p.error]
    different = [p for p in with_answer if _is_refusal(p.got) != _is_refusal(p.expected)]
    too_many = len(different) > most * len(with_answer)
    for p in different:
        kind = "refuses" if _is_refusal(p.got) else "no refusal"
        yield Finding(p.row, p.line, kind, quote_line(p.got), hint=not too_many)
    shares = {
        "the answers": [p.got for p in with_answer],
        "the expected replies": [p.expected for p in with_answer],
        "the baseline's answers": [p.got for p in baseline if not p.error],
    }
    refused = {name: sum(map(_is_refusal, texts)) for name, texts in shares.items()}
    if refused["the answers"] or refused["the expected replies"]:
        shares_text = (f"{refused[n]:,} of {len(t):,} of {n}" for n, t in shares.items() if t)
        yield _hint(", ".join(shares_text))


def _is_refusal(text: str) -> bool:
    return bool(REFUSAL_START.match(text))
