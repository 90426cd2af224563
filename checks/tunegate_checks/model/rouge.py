"""ROUGE: how much of the reference's words, pairs of words and longest sequences an answer has.

rouge-score's own, except for its tokenizer: that one drops every letter outside a-z ("não" becomes
"n" and "o"). Ours keeps letters of every script. For plain English both give the same score.
"""

from __future__ import annotations

import re
import unicodedata
from importlib.metadata import version
from typing import Any

from tunegate.extras import require
from tunegate.predictions import Prediction

from .metric import Metric, mean

ROUGE_TYPES = {"1": "rouge1", "2": "rouge2", "L": "rougeL", "Lsum": "rougeLsum"}
_WORDS = re.compile(r"[^\W_]+")


def rouge(kind: str = "L", *, stem: bool = False) -> Metric:
    """Return ROUGE as the mean F-measure over the examples, 0 to 1; kind is 1, 2, L or Lsum.

    Lsum splits at line ends, and takes each line for a sentence. `stem`: Porter's stemmer, which
    knows English only. Source: C.-Y. Lin (2004), ROUGE, ACL workshop 74-81. An answer that is
    missing counts 0. Raises ValueError for another kind.
    """
    if kind not in ROUGE_TYPES:
        raise ValueError(f"ROUGE kind is {kind!r}; one of {', '.join(ROUGE_TYPES)} is valid")
    name = ROUGE_TYPES[kind]
    library = require("rouge_score.rouge_scorer", "text")
    scorer = library.RougeScorer([name], tokenizer=Tokenizer(stem))

    def value(p: Prediction) -> float:
        return 0.0 if p.error else float(scorer.score(p.expected, p.got)[name].fmeasure)

    stemmer = "porter" if stem else "no"
    words_text = f"stem:{stemmer}|words:unicode, lower-cased"
    signature = f"ROUGE-{kind}|F, mean|{words_text}|rouge-score {version('rouge-score')}"
    return mean(f"ROUGE-{kind}", value, signature=signature)


class Tokenizer:
    """Words as runs of letters and digits of any script, lower-cased, accents kept (NFC)."""

    def __init__(self, stem: bool = False) -> None:
        self.stemmer: Any = None
        if stem:
            self.stemmer = require("nltk.stem.porter", "text").PorterStemmer()

    def tokenize(self, text: str) -> list[str]:
        """Return the words; those of more than three letters stemmed, as rouge-score does."""
        tokens = _WORDS.findall(unicodedata.normalize("NFC", text).lower())
        if self.stemmer is None:
            return tokens
        return [self.stemmer.stem(token) if len(token) > 3 else token for token in tokens]
