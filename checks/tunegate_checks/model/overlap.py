"""Scores of the overlap of answer and reference: exact match, BLEU, chrF and ROUGE.

BLEU and chrF are sacrebleu's, over the whole corpus, on its scale of 0 to 100, with its signature.
ROUGE is rouge-score's, with a tokenizer that keeps letters of every script: rouge-score's own drops
all letters outside a-z ("não" becomes "n" and "o"). For plain English both give the same score.
"""

import unicodedata
from importlib.metadata import version
from itertools import zip_longest
from typing import Any

from tunegate import Prediction, Predictions, Score
from tunegate.utils.optional_deps import require
from tunegate.utils.text import words_of

from ..stats import Array
from . import classification
from .metric import Metric, mean

ROUGE_TYPES = {"1": "rouge1", "2": "rouge2", "L": "rougeL", "Lsum": "rougeLsum"}


def exact_match(predictions: Predictions) -> Score:
    """Return the share of answers that are the reference, white space around both aside."""
    score = classification.accuracy(predictions)
    score.name, score.signature = "exact match", "the whole answer, white space around it aside"
    return score


def bleu(**options: Any) -> Metric:
    """Return corpus BLEU, 0 to 100; options are those of `sacrebleu.BLEU` (`tokenize="13a"`).

    Source: K. Papineni et al. (2002), ACL 311-318; M. Post (2018), arXiv:1804.08771.
    """
    return _sacrebleu_metric("BLEU", require("sacrebleu", "text").BLEU(**options))


def chrf(**options: Any) -> Metric:
    """Return corpus chrF2, 0 to 100; options: those of `sacrebleu.CHRF` (`word_order=2`: chrF++).

    Source: M. Popović (2015), WMT 392-395. It compares n-grams of letters, so that an inflected
    word counts in part; a letter with an accent is a letter of its own.
    """
    name = "chrF++" if options.get("word_order") == 2 else "chrF"
    return _sacrebleu_metric(name, require("sacrebleu", "text").CHRF(**options))


def _sacrebleu_metric(name: str, scorer: Any) -> Metric:
    """Wrap a metric of sacrebleu, whose corpus scores are computed from sums over sentences."""
    scorer._force = True  # no warnings about references that end in " ."

    def statistics(predictions: Predictions) -> Array:
        import numpy as np

        answers = [p.got for p in predictions]
        references = zip_longest(*((p.expected, *p.references) for p in predictions))
        rows = scorer._extract_corpus_statistics(answers, [*map(list, references)])
        return np.array(rows, dtype=np.float64)

    def combine(sums: Array, n: int) -> Array:
        import numpy as np

        flat = sums.reshape(-1, sums.shape[-1])
        # BLEU needs lists of integers: with NumPy floats its 0/0 would not raise.
        counts = np.rint(flat).astype(int) if name == "BLEU" else flat
        scores = [scorer._compute_score_from_stats(row).score for row in counts.tolist()]
        return np.array(scores).reshape(sums.shape[:-1])

    def extremes(rows: Array) -> tuple[Array, Array]:
        """Return a row of which no n-gram matches, long rather than short, and a mean row."""
        row = (rows * rows.sum(axis=1, keepdims=True)).sum(axis=0, keepdims=True)
        worst = row / max(rows.sum(), 1)
        worst[:, slice(2, 6) if name == "BLEU" else slice(2, None, 3)] = 0  # the matches
        return worst, rows.mean(axis=0, keepdims=True)

    scorer._extract_corpus_statistics(["a"], [["a"]])  # the signature counts the references
    signature = f"{name}|{scorer.get_signature().format(short=False)}"
    return Metric(name, statistics, combine, signature, extremes=extremes, scale=(0.0, 100.0))


def rouge(kind: str = "L") -> Metric:
    """Return ROUGE as the mean F-measure over the examples, 0 to 1; kind is 1, 2, L or Lsum.

    Lsum splits at line ends: each line counts as a sentence. Source: C.-Y. Lin (2004), ROUGE, ACL
    workshop 74-81. An answer that is missing counts 0. Raises ValueError for another kind.
    """
    if kind not in ROUGE_TYPES:
        raise ValueError(f"ROUGE kind is {kind!r}; one of {', '.join(ROUGE_TYPES)} is valid")
    name = ROUGE_TYPES[kind]
    library = require("rouge_score.rouge_scorer", "text")
    scorer = library.RougeScorer([name], tokenizer=Tokenizer())

    def value(p: Prediction) -> float:
        references = () if p.error else (p.expected, *p.references)
        return max((scorer.score(r, p.got)[name].fmeasure for r in references), default=0.0)

    words_text = "stem:no|words:unicode, or letters where no spaces are, lower-cased"
    signature = f"ROUGE-{kind}|F, mean|{words_text}|rouge-score {version('rouge-score')}"
    return mean(f"ROUGE-{kind}", value, signature=signature)


class Tokenizer:
    """Splits a text into the words of any script (`utils.text`), lower-cased, in NFC."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words."""
        return words_of(unicodedata.normalize("NFC", text).lower().replace("_", " "))
