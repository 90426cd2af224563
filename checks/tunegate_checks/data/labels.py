"""Labels: identical contexts must have one label, and a label should fit its prompt.

For classification and other short replies. Replies in prose are not compared: two of them may
answer the same question in different words.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tunegate import Dataset, Example, Finding, check
from tunegate.checking.decorator import rows_fingerprint
from tunegate.data import comparison
from tunegate.data.splitting import stratified_group_split
from tunegate.results.score import Unmeasurable
from tunegate.similarity import connected_groups, pairs
from tunegate.utils.text import word_pattern

from ..stats import Array
from ..text.display import diff, quote_line

# Of the mean of the label's rows. At a tenth, of the hints on examples/triage with 1 % of the
# labels swapped a third are wrong, and two thirds of those on banking77.
MAX_OWN_PROBABILITY = 0.01
MIN_ROWS_PER_LABEL = 1.5
MAX_ROWS = 20_000  # their near-duplicates take seconds; the time grows with the square
READ_LETTERS = 1_000  # of each prompt


@check(name="labels.contradictions")
def contradictions(dataset: Dataset, *, similarity: float = 0.95) -> Iterator[Finding]:
    """Yield each row whose label contradicts that of a row with an identical context.

    "contradiction": the model is given the same, to the letter (`Example.context`: system message,
    earlier turns, pictures, tools), and must answer another label; one finding for each row whose
    label is not the commonest of its context (in a tie, the first label). Labels that differ in
    case or punctuation are one. Where the replies are no labels of classes, since hardly two rows
    have the same one, as where people chat, it is a hint. Of labels of classes "near contradiction"
    is a hint too, of similar prompts, since one letter may make the difference: those whose
    `tunegate.similarity.ratio`, without case, reaches `similarity`, 0..1.
    """
    labelled = [e for e in dataset if comparison.is_label(e.label)]
    label_of = {e.row: comparison.folded_text(e.label) for e in labelled}
    is_hint = not _are_classes(labelled, label_of)
    reported: set[int] = set()
    by_context = [*comparison.group_indices(labelled, lambda e: e.context).values()]
    for indices in by_context:
        examples = [labelled[k] for k in indices]
        (commonest, _), *others = Counter(label_of[e.row] for e in examples).most_common()
        if not others:
            continue
        first = next(e for e in examples if label_of[e.row] == commonest)
        these = rows_fingerprint(examples)
        for example in examples:
            if label_of[example.row] != commonest:
                reported.add(example.row)
                evidence = f"{_two_labels_text(example, first)}: {quote_line(example.prompt)}"
                yield example.finding("contradiction", evidence, hint=is_hint, fingerprint=these)
    if is_hint:  # answers: to another question, another one is expected
        return
    # One row for each context: those that still share one have the same label.
    rest = [[k for k in indices if labelled[k].row not in reported] for indices in by_context]
    unique = [labelled[first] for first in sorted(indices[0] for indices in rest)]
    near_reported: set[int] = set()
    texts = comparison.comparison_texts(unique)[0]
    ask_alike = comparison.question_comparer(texts, similarity)
    for i, j, _ in pairs(texts, similarity):
        first, later = sorted((unique[i], unique[j]), key=lambda e: e.row)
        is_new = label_of[later.row] != label_of[first.row] and later.row not in near_reported
        if is_new and later.setting == first.setting and ask_alike(i, j):
            near_reported.add(later.row)
            evidence = f"{_two_labels_text(later, first)}: {diff(later.prompt, first.prompt)}"
            yield later.hint("near contradiction", evidence)


def _are_classes(labelled: Sequence[Example], label_of: Mapping[int, str]) -> bool:
    """Tell whether short replies are the labels of classes, and not what people say in a chat.

    They are if MIN_ROWS_PER_LABEL rows or more have the same label, on average. Of few rows, which
    show too little, they are unless half of them end as sentences do.
    """
    if len({*label_of.values()}) * MIN_ROWS_PER_LABEL <= len(labelled):
        return True
    sentences = sum(e.label.endswith((".", "!", "?", "…")) for e in labelled)
    return len(labelled) < comparison.MIN_ROWS and 2 * sentences < len(labelled)


def _two_labels_text(this: Example, other: Example) -> str:
    return f"{quote_line(this.label, 24)}, but {quote_line(other.label, 24)} on line {other.line}"


@check(name="labels.errors")
def errors(dataset: Dataset, *, folds: int = 5, seed: int = 0) -> Iterator[Finding]:
    """Yield hints at labels that a model, not trained on the row, confidently predicts otherwise.

    Confident learning (C. Northcutt, L. Jiang, I. Chuang 2021, *Confident Learning: Estimating
    Uncertainty in Dataset Labels*, JAIR 70:1373-1411): a row counts as another class if its
    out-of-fold probability of that class is at least the mean over the rows with that label, and
    that of its own label at most a hundredth of that label's mean. The model is multinomial naive
    Bayes on TF-IDF of words and word pairs of the first 1,000 letters: of the fast models the one
    that ranks swapped labels best. Near-duplicates and rows of one group stay in one fold. Labels
    with fewer rows than `folds` are left out. Of more than 20,000 rows a random sample of 20,000 is
    examined, and a hint says so.

    docs/checks.md has its precision and recall (`python benchmarks/label_errors.py`).
    """
    rows: Sequence[Example] = dataset
    if len(dataset) > MAX_ROWS:
        sample = random.Random(seed).sample(range(len(dataset)), MAX_ROWS)
        rows = [dataset[k] for k in sorted(sample)]
    counts = comparison.label_counts(rows)
    examples = [e for e in rows if counts[e.label] >= folds]
    if len(names := sorted({e.label for e in examples})) < 2:
        return
    if len(rows) < len(dataset):
        evidence = f"looked at {len(rows):,} of the {len(dataset):,} rows, drawn at random"
        yield Finding.dataset_hint("label", evidence)
    labels = [names.index(e.label) for e in examples]
    try:
        probabilities = _out_of_fold_probabilities(examples, labels, folds, seed)
    except Unmeasurable as error:
        yield Finding.dataset_hint("label", f"not judged: {error}")
        return
    for index, other in confident_errors(probabilities, labels):
        example, own = examples[index], labels[index]
        odds = f"{probabilities[index][other]:.2f} against {probabilities[index][own]:.2f}"
        wrong_label = f"{quote_line(example.label, 24)} reads like {quote_line(names[other], 24)}"
        yield example.hint("label", f"{wrong_label} ({odds}): {quote_line(example.prompt)}")


def missed_labels(*datasets: Dataset) -> list[tuple[int, int]]:
    """Return how many labels of each the model of `errors` misses, of how many; Unmeasurable."""
    drawn = [dataset.drawn(MAX_ROWS) for dataset in datasets]
    names = [*comparison.label_counts([example for rows in drawn for example in rows])]
    known = [[example for example in rows if example.label in names] for rows in drawn]
    if len(names) < 2 or not all(known):
        raise Unmeasurable("the replies are no labels of classes")
    examples = [example for rows in known for example in rows]
    labels = [names.index(e.label) for e in examples]
    missed = iter(_out_of_fold_probabilities(examples, labels, 5, 0).argmax(axis=1) != labels)
    return [(int(sum(next(missed) for _ in rows)), len(rows)) for rows in known]


def _out_of_fold_probabilities(
    examples: Sequence[Example], label_indices: Sequence[int], folds: int, seed: int
) -> Array:
    """Return (rows, K) probabilities of the classes 0 to K - 1, by a model not trained on the row.

    Near-duplicates and groups stay in one fold. Raises Unmeasurable where there is too little data.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB

    texts = [text[:READ_LETTERS] for text in comparison.comparison_texts(examples)[0]]
    near = [*connected_groups(texts, 0.85), *comparison.rows_together(examples)]
    if (n := len(groups := comparison.connected(len(texts), near))) < folds:
        raise Unmeasurable(f"all rows are near-duplicates of {n:,}; {folds} are needed")
    pattern = word_pattern()
    if not any(map(pattern.search, texts)):
        raise Unmeasurable("the prompts have no words to learn from, such as pictures alone")
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=pattern.pattern, sublinear_tf=True)
    labels, features = np.asarray(label_indices), words.fit_transform(texts)
    probabilities: Array = np.zeros((len(texts), labels.max() + 1))
    shares = {str(fold): 1 / folds for fold in range(folds)}
    for held_out in stratified_group_split([*map(str, labels)], groups, shares, seed).values():
        trained = np.setdiff1d(np.arange(len(texts)), held_out)
        model = MultinomialNB(alpha=0.03).fit(features[trained], labels[trained])
        # A class whose rows are all near-duplicates is in one fold: `classes_` may lack it here.
        probabilities[np.ix_(held_out, model.classes_)] = model.predict_proba(features[held_out])
    return probabilities


def confident_errors(
    probabilities: Array, label_indices: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield (row, class) for each row whose label is in doubt, and the class it is taken for.

    These are the entries off the diagonal of the confident joint, without those whose probability
    of their own label is above MAX_OWN_PROBABILITY. The probabilities are (rows, K), out of fold.
    """
    import numpy as np

    labels = np.asarray(label_indices)
    mean_probability = np.array([p[labels == k].mean() for k, p in enumerate(probabilities.T)])
    confident = np.where(probabilities >= mean_probability, probabilities, 0.0)
    best = confident.argmax(axis=1)
    own_probability = probabilities[np.arange(len(labels)), labels]
    is_doubtful = own_probability < MAX_OWN_PROBABILITY * mean_probability[labels]
    is_doubtful &= (confident.max(axis=1) > 0) & (best != labels)
    yield from ((int(k), int(best[k])) for k in np.flatnonzero(is_doubtful))
