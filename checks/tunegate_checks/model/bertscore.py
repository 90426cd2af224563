"""BERTScore: how well the words of answer and reference match in meaning, as a model has it.

A score means nothing without that model: its name and digest stand in the signature.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.extras import needed
from tunegate.predictions import Predictions

from .metric import Metric, average

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

EXTRA = "bertscore"


def bertscore(
    model: str,
    *,
    layers: int | None = None,
    rescale: str = "",
    batch: int = 64,
    device: str | None = None,
) -> Metric:
    """Return the mean BERTScore F1 over the examples, as a metric.

    `model`: a folder with an encoder and its tokenizer, or a name on a hub, which bert-score
    downloads; `layers`: how many of its layers to use, which a folder, and a model that bert-score
    does not know, must say. `rescale`: a language ("en") whose baseline of bert-score's the score
    is rescaled by, so that unrelated sentences score about 0; only for models it knows. A blank
    or missing answer scores 0. Source: T. Zhang et al. (2020), ICLR, arXiv:1904.09675.
    Raises ValueError naming what is wrong with model, layers or rescaling.
    """
    folder = os.path.isdir(model)
    layers = layers if layers is not None else _usual(model)
    if rescale:
        _rescalable(model, rescale)
    scaled = f"rescaled:{rescale}" if rescale else "not rescaled"
    which = f"{model}@{_digest(Path(model))[:12]}" if folder else model
    versions = f"bert-score {version('bert-score')}, transformers {version('transformers')}"

    def statistics(predictions: Predictions) -> Array:
        scorer = _scorer(model, layers, rescale, device)
        return _scored(scorer, predictions, batch)

    signature = f"{which}|layer {layers}|{scaled}|no idf|{versions}"
    return Metric("BERTScore", statistics, average, signature)


def _usual(model: str) -> int:
    known: dict[str, int] = needed("bert_score.utils", EXTRA).model2layers
    if model not in known:
        what = "a folder" if os.path.isdir(model) else f"{model!r}, which bert-score does not know,"
        raise ValueError(f"{what} needs layers=: how many of its layers to use, such as 9 of 12")
    return known[model]


def _rescalable(model: str, language: str) -> None:
    library = needed("bert_score", EXTRA)
    home = Path(str(library.__file__)).parent / "rescale_baseline" / language
    if not (home / f"{model}.tsv").is_file():
        raise ValueError(
            f"bert-score has no {language!r} baseline for {model!r}: leave rescale out"
        )


def _digest(folder: Path) -> str:
    """Return the digest of what the model is made of: every file, by name and bytes."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        whole.update(path.name.encode() + b"\0")
        with open(path, "rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


@cache
def _scorer(model: str, layers: int, rescale: str, device: str | None) -> Any:
    """Open a model once; a session scores candidate, baseline and slices with it."""
    library = needed("bert_score", EXTRA)
    try:
        scorer = library.BERTScorer(
            model_type=model, num_layers=layers, device=device,
            lang=rescale or None, rescale_with_baseline=bool(rescale),
        )  # fmt: skip
    except AssertionError as error:
        raise ValueError(f"layers={layers}: {error}") from None
    except (OSError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise ValueError(f"BERTScore model {model!r} cannot be opened: {why}") from None
    _bound(scorer)
    return scorer


def _bound(scorer: Any) -> None:
    """Cut texts where the model ends: a tokenizer that does not know its limit says 10^30."""
    most = getattr(scorer._model.config, "max_position_embeddings", 512)
    scorer._tokenizer.model_max_length = min(scorer._tokenizer.model_max_length, most)


def _scored(scorer: Any, predictions: Predictions, batch: int) -> Array:
    """Return F1 per example, n x 1; batches are sorted by length, so that little is padding."""
    import numpy as np

    texts = [(p.got.strip(), p.expected.strip()) for p in predictions]
    # bert-score 0.3.13 fails on blanks with transformers 5; of no words none can match.
    places = [i for i, pair in enumerate(texts) if all(pair)]
    places.sort(key=lambda i: max(map(len, texts[i])), reverse=True)
    alike = [not p.error and a == b for p, (a, b) in zip(predictions, texts, strict=True)]
    values = np.array(alike, dtype=np.float64).reshape(-1, 1)
    if places:
        said, wanted = ([texts[i][side] for i in places] for side in (0, 1))
        values[places, 0] = scorer.score(said, wanted, batch_size=batch)[2].numpy()
    return values
