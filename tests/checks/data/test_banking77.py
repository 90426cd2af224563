"""The known truth about a public dataset, where it lies beside the project."""

import csv
import sys
from pathlib import Path

import pytest

from tunegate.data.dataset import Dataset
from tunegate.similarity import search
from tunegate_checks.data import leakage

ROOT = Path(__file__).parents[3]
DATA = ROOT / "../shared/data"
pytestmark = pytest.mark.skipif(
    not (DATA / "banking77_train.csv").exists(), reason="banking77 is not here"
)


def questions(split: str) -> list[str]:
    with open(DATA / f"banking77_{split}.csv", newline="", encoding="utf-8") as file:
        return [row["text"].lower() for row in csv.DictReader(file)]


def test_960_of_the_test_questions_stand_in_the_training_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import banking77

    paths = banking77.to_chat(DATA, tmp_path)
    train, test = (Dataset.read(paths[split], split) for split in ("train", "test"))
    found = leakage.find(train, test)
    leaked = [f for f in found if f.kind in ("exact", "near")]
    others = [
        int(f.evidence.split(" more:")[0].split(", ")[-1]) for f in leaked if " more:" in f.evidence
    ]
    assert (len(leaked), len(leaked) + sum(others)) == (960, 1852)


@pytest.mark.parametrize("fast", [False, True])
def test_both_engines_find_the_same_4476_pairs(fast: bool) -> None:
    if fast:
        pytest.importorskip("numba")
    texts = sorted({" ".join(q.split()) for split in ("train", "test") for q in questions(split)})
    assert len(texts) == 13_071
    assert sum(1 for _ in search.pairs(texts, 0.85, fast=fast)) == 4_476
    assert "numba" in sys.modules or not fast
