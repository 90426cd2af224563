"""Check how answers end, and whether the model refuses where it should not."""

from collections.abc import Iterator, Sequence

from tunegate import Prediction, Predictions, check
from tunegate.results.finding import NOT_APPLICABLE, Finding

from ..text.display import quote_line
from ..text.replies import REFUSAL_START


@check(name="memory.cut_off")
def cut_off(predictions: Predictions, *, most: float = 0.01) -> Iterator[Finding]:
    """Answers end by themselves: no more than the share `most` ran into the longest one allowed.

    A model whose training rows lack the end of turn does not learn to stop. An empty answer counts
    too. Not applicable where the model does not report how its answers ended.
    """
    if not (finished := [p for p in predictions if p.finish and not p.error]):
        yield Finding.dataset_hint(NOT_APPLICABLE, "nobody said how the answers ended")
    faults = [(p, "cut off") for p in finished if p.finish == "length"]
    ended = (p for p in finished if p.finish != "length")
    faults += [(p, "empty") for p in ended if p.expected.strip() and not p.got.strip() + p.calls]
    for p, fault in faults:
        evidence = f"after {p.tokens:,} tokens, at its end {quote_line(p.got[-50:])}"
        yield p.finding(fault, evidence, hint=len(faults) <= most * len(finished))


@check(name="memory.refusals")
def refusals(
    predictions: Predictions, over: Sequence[Prediction] = (), *, most: float = 0.01
) -> Iterator[Finding]:
    """The model refuses where the expected reply does, and nowhere else.

    Findings where more than the share `most` of the answers do otherwise. A refusal is an apology
    or a "cannot" at the start, in English or Portuguese. The hint has the baseline's share, `over`.
    """
    with_answer = [p for p in predictions if not p.error]
    different = [p for p in with_answer if _is_refusal(p.got) != _is_refusal(p.expected)]
    for p in different:
        kind = "refuses" if _is_refusal(p.got) else "no refusal"
        yield p.finding(kind, quote_line(p.got), hint=len(different) <= most * len(with_answer))
    shares = {
        "the answers": [p.got for p in with_answer],
        "the expected replies": [p.expected for p in with_answer],
        "the baseline's answers": [p.got for p in over if not p.error],
    }
    refused = {name: sum(map(_is_refusal, texts)) for name, texts in shares.items()}
    if refused["the answers"] or refused["the expected replies"]:
        shares_text = (f"{refused[n]:,} of {len(t):,} of {n}" for n, t in shares.items() if t)
        yield Finding.dataset_hint("hint", ", ".join(shares_text))


def _is_refusal(text: str) -> bool:
    return bool(REFUSAL_START.match(text))
