"""Overlap of answer and reference: exact match, BLEU, chrF. ROUGE is in `rouge`.

BLEU and chrF are sacrebleu's, over the whole corpus, on its scale of 0 to 100, with its signature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunegate.extras import require
from tunegate.predictions import Predictions
from tunegate.score import Score

from . import classification
from .metric import Metric

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def exact_match(predictions: Predictions) -> Score:
    """Return the share of answers that are the reference, white space around both aside."""
    score = classification.accuracy(predictions)
    score.name, score.signature = "exact match", "the whole answer, white space around it aside"
    return score


def bleu(**options: Any) -> Metric:
    """Return corpus BLEU, 0 to 100; options are those of `sacrebleu.BLEU` (`tokenize="13a"`).

    Source: K. Papineni et al. (2002), ACL 311-318; M. Post (2018), arXiv:1804.08771.
    """
    return _sacrebleu_metric("BLEU", lambda: require("sacrebleu", "text").BLEU(**options))


def chrf(**options: Any) -> Metric:
    """Return corpus chrF2, 0 to 100; options: those of `sacrebleu.CHRF` (`word_order=2`: chrF++).

    Source: M. Popović (2015), WMT 392-395. Letters, not words: it bears inflection, and accents
    count as what they are.
    """
    name = "chrF++" if options.get("word_order") == 2 else "chrF"
    return _sacrebleu_metric(name, lambda: require("sacrebleu", "text").CHRF(**options))


def _sacrebleu_metric(name: str, make: Callable[[], Any]) -> Metric:
    """Wrap a metric of sacrebleu: a corpus score is made of the sums of sentence statistics."""
    scorer = make()
    scorer._force = True  # no warnings about references that end in " ."

    def statistics(predictions: Predictions) -> Array:
        import numpy as np

        answers, references = [p.got for p in predictions], [p.expected for p in predictions]
        rows = scorer._extract_corpus_statistics(answers, [references])
        return np.array(rows, dtype=np.float64)

    def combine(sums: Array, n: int) -> Array:
        import numpy as np

        flat = sums.reshape(-1, sums.shape[-1])
        # Lists of whole numbers, as sacrebleu itself sums them: in floats its 0/0 would not raise.
        scores = [scorer._compute_score_from_stats(row).score for row in flat.astype(int).tolist()]
        return np.array(scores).reshape(sums.shape[:-1])

    scorer._extract_corpus_statistics(["a"], [["a"]])  # the signature counts the references
    return Metric(name, statistics, combine, f"{name}|{scorer.get_signature().format(short=False)}")
