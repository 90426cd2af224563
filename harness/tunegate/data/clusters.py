"""Groups texts by the words that they share, such as the questions that a model gets wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..utils.text import is_latin, word_pattern

MAX_CLUSTERS = 8
MAX_WORDS = 3  # that name a cluster


@dataclass(frozen=True, slots=True)
class Cluster:
    """Chosen texts with words in common: their indices, the most typical one first."""

    words: tuple[str, ...]  # those that tell it from all texts
    rows: list[int]
    n: int  # texts, chosen or not, that are nearer to this cluster than to the others


def fit_words(texts: Sequence[str]) -> Any:
    """Return a TF-IDF vectorizer that knows the words of the texts; ValueError for none."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=word_pattern().pattern, sublinear_tf=True).fit(texts)


def cluster_texts(texts: Sequence[str], chosen: Sequence[int]) -> list[Cluster]:
    """Part the chosen texts into clusters by k-means, the largest first; the same each time.

    Their number is the root of half the chosen ones, at most MAX_CLUSTERS.
    """
    import numpy as np
    from sklearn.cluster import KMeans

    different = len({texts[i] for i in chosen})
    size = min(max(round(math.sqrt(different / 2)), 1), MAX_CLUSTERS)
    try:
        words = fit_words(texts if different else ())
    except ValueError:  # such as pictures alone
        return []
    features, names = words.transform(texts), words.get_feature_names_out()
    model = KMeans(size, random_state=0, n_init=5).fit(features[chosen])
    distances, nearest = model.transform(features[chosen]), model.predict(features)
    mean, found = np.asarray(features.mean(axis=0))[0], list[Cluster]()
    for k, center in enumerate(model.cluster_centers_):
        telling = (
            names[i] for i in np.argsort(mean - center, kind="stable") if center[i] > mean[i]
        )
        named = (
            name for name in telling if name.isalpha() and (len(name) > 2 or not is_latin(name))
        )
        order = np.argsort(distances[:, k], kind="stable")
        rows = [chosen[i] for i in order if model.labels_[i] == k]
        found.append(Cluster((*islice(named, MAX_WORDS),), rows, int((nearest == k).sum())))
    return sorted(found, key=lambda cluster: (-len(cluster.rows), cluster.words))
