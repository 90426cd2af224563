"""The logged requests are like those that the candidate was trained on."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from tunegate import Dataset, Finding, Limits, check, proportion
from tunegate.config.schema import Shadow
from tunegate.utils.text import words_of
from tunegate_checks.data import splits

# The commonest words of a language; yours can be added.
COMMON_WORDS = {
    "en": "the and is to of that it for you my with have was not this what are please",
    "pt": "que não de um uma para com eu meu minha por mais você está isso foi como",
    "es": "que de no el la los un una para con mi por más está es cómo pero",
    "fr": "le la les des est pas je vous que une dans pour avec mon sur ce et",
    "de": "der die das und ist nicht ich ein eine mit zu mein für auf den wie",
    "it": "che di non il la un una per con mio è sono come più ma del",
    "nl": "de het een en niet ik van is dat mijn voor met op te zijn",
}


def language_of(text: str) -> str:
    """Return the language of which a text has most common words; "" where none is ahead."""
    words = {*words_of(text.lower())}
    counts = Counter({name: len(words & {*some.split()}) for name, some in COMMON_WORDS.items()})
    (first, most), (_, next_most) = counts.most_common(2)
    return first if most > next_most else ""


@check(name="shadow.languages")
def languages(train: Dataset, traffic: Dataset, *, limit: float) -> Iterator[Finding]:
    """Yield a finding where the languages of the prompts differ by a PSI above the limit."""
    expected, observed = (Counter(language_of(e.prompt) for e in s) for s in (train, traffic))
    sizes = len(train), len(traffic)
    yield from splits.shift_findings("languages", expected, observed, limit, sizes)


def test_labels_lengths_and_words(trained_on: Dataset, test: Dataset, limits: Limits) -> None:
    assert not splits.drift(trained_on, test, psi_limit=limits.psi, auc_limit=limits.drift_auc)


def test_languages(trained_on: Dataset, test: Dataset, limits: Limits) -> None:
    assert not languages(trained_on, test, limit=limits.psi)


def test_training_has_rows_like_it(trained_on: Dataset, test: Dataset, shadow: Shadow) -> None:
    """Share of requests farther from the nearest training row than 95 % of these from each other.

    Distances are those of the words of prompts, TF-IDF and cosine, of a sample of both sides.
    """
    sides = (side.drawn(splits.MAX_SAMPLE) for side in (trained_on, test))
    known, asked = ([e.prompt[: splits.READ_LETTERS] for e in side] for side in sides)
    words = TfidfVectorizer(tokenizer=words_of, token_pattern=None).fit(known)
    rows, requests = words.transform(known), words.transform(asked)
    among = (rows @ rows.T).toarray() - np.eye(len(known))
    usual = np.quantile(among.max(axis=1), 0.05)
    far = int(((requests @ rows.T).toarray().max(axis=1) < usual).sum())
    score = proportion("far from training", far, len(asked), higher_is_better=False)
    score.signature = f"similarity under {usual:.2f}"
    assert score <= shadow.far
