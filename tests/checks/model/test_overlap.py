"""BLEU and chrF are sacrebleu's to the last digit, and carry its signature."""

import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicted import predicted

from tunegate import Predictions
from tunegate_checks.model import compare, overlap

pytest.importorskip("sacrebleu")

words = st.sampled_from(
    ["the", "a", "cat", "sat", "on", "não", "é", "urgente", ",", ".", "!", "3.5"]
)
texts = st.lists(words, max_size=12).map(" ".join)
rows = st.lists(st.tuples(texts.filter(bool), texts), min_size=1, max_size=12)
KINDS = ["BLEU", "chrF", "chrF++"]
OPTIONS = {"BLEU": {}, "chrF": {}, "chrF++": {"word_order": 2}}


def metric(kind: str):  # type: ignore[no-untyped-def]
    return (overlap.bleu if kind == "BLEU" else overlap.chrf)(**OPTIONS[kind])


@pytest.mark.parametrize("name", ["BLEU", "CHRF"])
def test_the_private_names_of_sacrebleu_are_where_they_were(name: str) -> None:
    import sacrebleu

    scorer = getattr(sacrebleu, name)()
    assert isinstance(scorer._force, bool)
    text = "the cat sat on the mat"
    (sums,) = scorer._extract_corpus_statistics([text], [[text]])
    assert scorer._compute_score_from_stats(sums).score == pytest.approx(100)


@settings(max_examples=25, deadline=None)
@given(rows, st.sampled_from(KINDS))
def test_the_score_and_signature_are_those_of_sacrebleu(
    pairs: list[tuple[str, str]], kind: str
) -> None:
    import sacrebleu

    scorer = sacrebleu.BLEU() if kind == "BLEU" else sacrebleu.CHRF(**OPTIONS[kind])
    want, got = zip(*pairs, strict=True)
    known = scorer.corpus_score(list(got), [list(want)])
    score = metric(kind)(predicted(pairs))
    assert float(score) == pytest.approx(known.score)
    assert score.signature == f"{kind}|{scorer.get_signature().format()}"
    assert 0 <= score.low <= score.high <= 100 + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_resamples_are_scored_as_sacrebleu_scores_a_corpus(kind: str) -> None:
    import numpy as np

    pairs = [(f"the {i} cat sat on the mat", f"the {i % 3} dog sat on a mat") for i in range(9)]
    chosen = [0, 0, 3, 5, 5, 5, 8, 8, 1]
    this = metric(kind)
    statistics = this.statistics(predicted(pairs))
    counts = np.bincount(chosen, minlength=9).astype(float)
    resampled = this.combine((counts @ statistics)[None, :], 9)
    assert resampled == pytest.approx([float(this(predicted([pairs[i] for i in chosen])))])


def test_a_missing_answer_counts_as_an_empty_one_and_then_as_right() -> None:
    pairs = [("the cat sat on the mat", "the cat sat on the mat")] * 4
    score = overlap.chrf()(predicted(pairs, errors=[0]))
    assert score.best_case == pytest.approx(100)
    assert float(score) < 100


def test_a_full_stop_apart_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    overlap.bleu()(predicted([("the cat sat .", "the cat sat .")] * 120))
    assert caplog.text == ""


def test_two_models_are_compared_by_it() -> None:
    want = [f"ticket {i} goes to the team of returns" for i in range(60)]
    good = predicted(
        [(w, w.replace("goes", "is sent") if i % 2 else w) for i, w in enumerate(want)]
    )
    bad = predicted([(w, w.replace("goes to", "returns from")) for w in want])
    assert compare.superior(good, bad, overlap.bleu())
    assert not compare.not_inferior(bad, good, overlap.chrf(), margin=1)


def test_exact_match() -> None:
    score = overlap.exact_match(predicted([("a b", " a b\n"), ("a b", "a  b")]))
    assert (score.name, float(score)) == ("exact match", 0.5)


def test_without_sacrebleu_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(
        ImportError, match=r"^sacrebleu is not installed: pip install 'tunegate\[text\]'$"
    ):
        overlap.bleu()


@pytest.mark.parametrize("kind", KINDS)
def test_several_references_are_those_of_sacrebleu(kind: str) -> None:
    """A row may have one more than another: sacrebleu takes None for none."""
    import sacrebleu

    scorer = sacrebleu.BLEU() if kind == "BLEU" else sacrebleu.CHRF(**OPTIONS[kind])
    rows = [
        *predicted([("the cat sat on the mat", "a cat sat on a mat"), ("no", "no, not at all")])
    ]
    rows[0] = replace(rows[0], references=["a cat sat on a mat", "one cat sits"])
    known = scorer.corpus_score(
        [p.got for p in rows],
        [[p.expected for p in rows], [rows[0].references[0], None], [rows[0].references[1], None]],
    )
    assert float(metric(kind)(Predictions(rows))) == pytest.approx(known.score)


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_row_that_was_not_seen_has_no_match_and_the_length_of_a_long_one(
    kind: str,
) -> None:
    """The columns are those of sacrebleu: two lengths and four times matches, four times n-grams;
    for chrF n-grams of the answer, of the reference, and matches, for each n.
    """
    import numpy as np

    pairs = [("the cat sat on the mat", "the cat sat on a mat"), ("no", "no, not at all, no")]
    rows = metric(kind).statistics(predicted(pairs))
    worst, best = metric(kind).extremes(rows)
    is_match = [k in range(2, 6) if kind == "BLEU" else k % 3 == 2 for k in range(rows.shape[1])]
    weighted = np.average(rows, axis=0, weights=rows.sum(axis=1))
    assert worst[0].tolist() == pytest.approx(np.where(is_match, 0, weighted).tolist())
    assert best[0].tolist() == pytest.approx(rows.mean(axis=0).tolist())
    assert metric(kind).value(worst) == 0
