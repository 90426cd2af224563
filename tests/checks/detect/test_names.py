"""Names that a language model finds: ordinary findings of the kind `name`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate import ConfigError, Dataset
from tunegate.utils.optional_deps import MissingDependency
from tunegate_checks.data import pii
from tunegate_checks.detect import engine
from tunegate_checks.detect.engine import personal_spans

TEXT = "Ontem vimos Zuleide e o Caio na feira, tel 11987654321"


def fake(text: str) -> list[tuple[int, int]]:
    return [
        (i, i + len(name)) for name in ("Zuleide", "Caio", "11987") if (i := text.find(name)) >= 0
    ]


def test_names_are_findings_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine._BACKENDS, "fake", lambda model: fake)
    assert [s.kind for s in personal_spans(TEXT)] == ["phone"]
    found = personal_spans(TEXT, names="fake:x")
    assert [TEXT[s.start : s.end] for s in found] == ["Zuleide", "Caio", "11987654321"]
    assert [s.kind for s in found] == ["name", "name", "phone"]
    data = Dataset.of([{"messages": [{"role": "user", "content": TEXT}]}])
    assert pii.find(data, names="fake:x").kinds == {"name": 2, "phone": 1}
    assert pii.find(data, names="fake:x", ignore=["name"]).kinds == {"phone": 1}
    escaped = personal_spans('{"r": "oi\\nZuleide"}', names="fake:x")
    assert [(s.start, s.end) for s in escaped] == [(11, 18)]


@pytest.mark.parametrize("spec", ["spacy", "spacy:", "en_core_web_sm", "gliner:x"])
def test_a_model_that_is_none_is_named_with_the_valid_ones(spec: str) -> None:
    with pytest.raises(ConfigError, match="valid: spacy:en_core_web_sm, transformers:FOLDER"):
        personal_spans("x", names=spec)


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spacy", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tunegate\[names\]'"):
        personal_spans("x", names="spacy:en_core_web_sm")


@pytest.mark.slow
def test_a_folder_of_transformers(tmp_path: Path) -> None:
    """The labels of a tiny model without layers are those of its embeddings."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "zuleide", "caio", "ontem", "vimos", "e"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=4, num_hidden_layers=0, num_attention_heads=1,
        intermediate_size=4, num_labels=2, id2label={0: "O", 1: "B-PER"},
    )  # fmt: skip
    model = transformers.BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in (p for n, p in model.named_parameters() if "LayerNorm" not in n):
            parameter.zero_()
        model.bert.embeddings.word_embeddings.weight[:, 0] = torch.tensor(
            [9.0 if word in ("zuleide", "caio") else -9.0 for word in words]
        )
        model.classifier.weight[1, 0] = 9.0
    model.save_pretrained(tmp_path)
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    found = personal_spans("Ontem vimos Zuleide e Caio", names=f"transformers:{tmp_path}")
    assert [(s.kind, s.start, s.end) for s in found] == [("name", 12, 19), ("name", 22, 26)]
    far = "ontem " * 600 + "vimos Zuleide"
    (last,) = personal_spans(far, names=f"transformers:{tmp_path}")
    assert far[last.start : last.end] == "Zuleide"
    with pytest.raises(ConfigError, match="no model that labels tokens"):
        personal_spans("x", names=f"transformers:{tmp_path / 'absent'}")
