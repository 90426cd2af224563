"""How logged requests differ from training rows: labels, lengths, words, languages, distance."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import resources

from tunegate import Dataset, Finding, Score, check, proportion
from tunegate.utils.text import words_of

from .data import splits


@check(name="traffic.drift")
def drift(
    train: Dataset, traffic: Dataset, *, psi_limit: float = 0.25, auc_limit: float = 0.8
) -> Iterator[Finding]:
    """Yield each way in which traffic differs from training: `splits.drift`, and languages."""
    yield from splits.drift(train, traffic, psi_limit=psi_limit, auc_limit=auc_limit)
    expected, observed = (Counter(language_of(e.prompt) for e in s) for s in (train, traffic))
    sizes = len(train), len(traffic)
    yield from splits.shift_findings("languages", expected, observed, psi_limit, sizes)


def language_of(text: str) -> str:
    """Return the language of which a text has most common words (`text/languages.txt`), or ""."""
    words = {*words_of(text.lower())}
    counts = Counter({name: len(words & common) for name, common in _common_words().items()})
    (first, most), (_, next_most) = counts.most_common(2)
    return first if most > next_most else ""


@cache
def _common_words() -> dict[str, set[str]]:
    text = resources.files("tunegate_checks.text").joinpath("languages.txt").read_text("utf-8")
    return {line[:2]: {*line[2:].split()} for line in text.splitlines()}


def far_from_training(train: Dataset, traffic: Dataset) -> Score:
    """Return the share of requests farther from training than 95 % of its rows from each other.

    The distance to the nearest row is 1 less the cosine of TF-IDF, of the words of the prompts. Of
    each side as many rows as `splits.drift` looks at, drawn at random, are compared.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    sides = (side.drawn(splits.MAX_SAMPLE) for side in (train, traffic))
    known, asked = ([e.prompt[: splits.READ_LETTERS] for e in side] for side in sides)
    words = TfidfVectorizer(tokenizer=words_of, token_pattern=None).fit(known)
    rows, requests = words.transform(known), words.transform(asked)
    among = (rows @ rows.T).toarray() - np.eye(len(known))
    usual = np.quantile(among.max(axis=1), 0.05)
    far = int(((requests @ rows.T).toarray().max(axis=1) < usual).sum())
    signature = f"similarity under {usual:.2f}, cosine of TF-IDF: 5 % of training's rows have that"
    name = "far from training"
    return proportion(name, far, len(asked), higher_is_better=False, signature=signature)
