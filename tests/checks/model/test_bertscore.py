"""BERTScore is bert-score's own, and says what model made it; of a tiny random model, made here."""

from __future__ import annotations

import functools
import json
import logging
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from predicted import predicted

from tunegate_checks.model.bertscore import bertscore

pytest.importorskip("bert_score")

WORDS = ["the", "cat", "dog", "sat", "on", "mat", "urgente", "não", "é"]
PAIRS = [
    ("the cat sat on the mat", "the dog sat on the mat"),
    ("não é urgente", "é urgente"),
    ("the cat", "the cat"),
    ("the dog sat " * 12, "on the mat"),
    ("dog", "cat cat cat cat cat cat"),
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a BERT of two layers with random weights."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("encoder")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]), "utf-8")
    BertTokenizer(
        str(folder / "vocab.txt"), strip_accents=False, model_max_length=64
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(special) + len(WORDS), hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=16, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    return folder


def test_the_private_names_of_bert_score_are_where_they_were(encoder: Path) -> None:
    from bert_score import BERTScorer

    scorer = BERTScorer(model_type=str(encoder), num_layers=2)
    assert scorer._model.config.max_position_embeddings == 64
    assert scorer._tokenizer.model_max_length == 64
    assert "rescaled:en" in bertscore("roberta-large", rescale="en").signature  # its table is there


TEXTS = st.lists(st.sampled_from([*WORDS, "unknown"]), min_size=1, max_size=30).map(" ".join)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
@example(PAIRS)
def test_it_is_that_of_bert_score(encoder: Path, pairs: list[tuple[str, str]]) -> None:
    from bert_score import score

    want, got = zip(*pairs, strict=True)
    known = score(list(got), list(want), model_type=str(encoder), num_layers=2, device="cpu")[2]
    metric = bertscore(str(encoder), layers=2, batch=2, device="cpu")
    rows = metric.statistics(predicted(pairs))
    assert rows[:, 0] == pytest.approx(known.numpy(), abs=1e-5)
    assert float(metric(predicted(pairs))) == pytest.approx(float(known.mean()), abs=1e-5)


def test_a_rescaled_score_is_measured_from_the_baseline(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bert_score

    copy = str(tmp_path / "encoder")
    shutil.copytree(encoder, copy)
    baseline = tmp_path / "encoder.tsv"
    baseline.write_text("LAYER,P,R,F\n0,0.1,0.1,0.1\n1,0.2,0.2,0.2\n2,0.5,0.5,0.4\n")
    with_it = functools.partial(bert_score.BERTScorer, baseline_path=str(baseline))
    monkeypatch.setattr(bert_score, "BERTScorer", with_it)
    plain = bertscore(copy, layers=2, device="cpu")
    scaled = bertscore(copy, layers=2, device="cpu", rescale="en")
    rows = predicted(PAIRS)
    expected = (plain.statistics(rows) - 0.4) / (1 - 0.4)
    assert scaled.statistics(rows)[:, 0] == pytest.approx(expected[:, 0], abs=1e-5)
    assert "|rescaled:en|" in scaled.signature


def test_blanks_and_errors_score_0(encoder: Path) -> None:
    rows = predicted([("the cat", " \n"), ("the cat", "the cat"), ("", "")], errors=[1])
    score = bertscore(str(encoder), layers=2, device="cpu")(rows)
    assert float(score) == pytest.approx(1 / 3)
    assert score.best_case == pytest.approx(2 / 3)


def test_texts_longer_than_the_model_are_cut(encoder: Path, tmp_path: Path) -> None:
    """A tokenizer that does not know the model's limit takes it for 10^30: bert-score overflows."""
    copy = tmp_path / "encoder"
    shutil.copytree(encoder, copy)
    config = json.loads((copy / "tokenizer_config.json").read_text())
    del config["model_max_length"]
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    score = bertscore(str(copy), layers=1, device="cpu")(predicted([("cat " * 500, "dog " * 90)]))
    assert 0 < float(score) <= 1


def test_the_signature_names_the_model_and_its_digest(encoder: Path, tmp_path: Path) -> None:
    one = bertscore(str(encoder), layers=2).signature
    name, layer, scaled, idf, _ = one.split("|")
    assert (layer, scaled, idf) == ("layer 2", "not rescaled", "no idf")
    assert name.startswith(f"{encoder}@")
    copy = tmp_path / "encoder"
    shutil.copytree(encoder, copy)
    digests = [name[-12:]]
    digests.append(bertscore(str(copy), layers=2).signature.split("|")[0][-12:])
    (copy / "model.safetensors").write_bytes(b"other weights")
    digests.append(bertscore(str(copy), layers=2).signature.split("|")[0][-12:])
    (copy / "vocab.txt").rename(copy / "words.txt")
    digests.append(bertscore(str(copy), layers=2).signature.split("|")[0][-12:])
    assert digests[0] == digests[1]
    assert len({*digests}) == 3  # other weights, and another name


def test_mistakes_are_told_in_one_line(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"^a folder needs layers=: how many of its layers"):
        bertscore(str(encoder))
    with pytest.raises(ValueError, match="which bert-score does not know, needs layers="):
        bertscore("no/such-model")
    with pytest.raises(ValueError, match=r"layers=3: .*between 0 and 2"):
        bertscore(str(encoder), layers=3, device="cpu")(predicted(PAIRS))
    with pytest.raises(ValueError, match=r"no 'en' baseline for .*: leave rescale out"):
        bertscore(str(encoder), layers=2, rescale="en")
    with pytest.raises(ValueError, match="cannot be opened: "):
        bertscore(str(tmp_path), layers=2)(predicted(PAIRS))
    with monkeypatch.context() as broken:
        broken.setattr("bert_score.BERTScorer", _fail)
        with pytest.raises(ValueError, match=r"^BERTScore model 'x' cannot be opened: no weights$"):
            bertscore("x", layers=7)(predicted(PAIRS))
    monkeypatch.setitem(sys.modules, "bert_score.utils", None)
    with pytest.raises(ImportError, match=r"pip install 'tunegate\[bertscore\]'$"):
        bertscore("roberta-large")


def _fail(**_: object) -> None:
    raise OSError(" no weights\nand a page of advice")
