"""Texts that share words are one cluster, whatever their order."""

from __future__ import annotations

import pytest

from tunegate.data.clusters import MAX_CLUSTERS, cluster_texts, fit_words

CARDS = [f"my new card is late, it should arrive on day {n}" for n in range(10)]
FEES = [f"a fee of {n} was charged twice for this transfer" for n in range(10)]


def test_wrong_answers_that_share_words_are_one_cluster_with_their_share() -> None:
    texts = [*CARDS, *FEES]
    wrong = [*range(6), *range(10, 13)]
    first, second = cluster_texts(texts, wrong)
    assert (sorted(first.rows), first.n) == ([*range(6)], 10)
    assert (sorted(second.rows), second.n) == ([10, 11, 12], 10)
    assert {*second.words} <= {"fee", "was", "charged", "twice", "for", "this", "transfer"}
    assert cluster_texts(texts, wrong) == [first, second]


def test_no_words_and_nothing_wrong_are_no_cluster() -> None:
    assert cluster_texts(["?!", "..."], [0, 1]) == []
    assert cluster_texts(CARDS, []) == []
    assert cluster_texts([], []) == []
    with pytest.raises(ValueError):
        fit_words(["?!"])


def test_one_text_again_and_again_is_one_cluster() -> None:
    (only,) = cluster_texts(["the same thing"] * 50, range(50))
    assert (len(only.rows), only.n) == (50, 50)


def test_there_are_few_clusters_however_many_are_wrong() -> None:
    texts = [f"{word} about {n}" for n in range(30) for word in ("late card", "fee", "refund x")]
    assert len(cluster_texts(texts, range(len(texts)))) <= MAX_CLUSTERS


def test_letters_of_scripts_without_spaces_name_a_cluster() -> None:
    first, *_ = cluster_texts(["银行卡丢失", "银行卡被盗", "hello you", "退款没有到"], [0, 1])
    assert all(len(word) == 1 for word in first.words)
