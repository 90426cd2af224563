"""BERTScore: similarity by a model's token embeddings; the signature names it and its digest."""

import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tunegate.results.prediction import Predictions
from tunegate.utils.files import sha256_bytes, sha256_file
from tunegate.utils.optional_deps import require

from ..stats import Array, average
from .metric import Metric

EXTRA = "bertscore"


def bertscore(
    model: str, *, layers: int | None = None, rescale: str = "", batch: int = 64,
    device: str | None = None,
) -> Metric:  # fmt: skip
    """Return the mean BERTScore F1 over the examples, as a metric.

    `model`: a folder with an encoder and its tokenizer, or a name on a hub, which bert-score
    downloads; `layers`: how many of its layers to use, which a folder, and a model that bert-score
    does not know, must say. `rescale`: a language ("en") whose baseline of bert-score's the score
    is rescaled by, so that unrelated sentences score about 0; only for models it knows. A blank
    or missing answer scores 0. Source: T. Zhang et al. (2020), ICLR, arXiv:1904.09675.
    Raises ValueError naming what is wrong with model, layers or rescaling.
    """
    is_folder = os.path.isdir(model)
    if layers is None:
        layers_of_model: dict[str, int] = require("bert_score.utils", EXTRA).model2layers
        if model not in layers_of_model:
            subject = "a folder" if is_folder else f"{model!r}, which bert-score does not know,"
            needed = "needs layers=: how many of its layers to use, such as 9 of 12"
            raise ValueError(f"{subject} {needed}")
    used_layers = layers_of_model[model] if layers is None else layers
    if rescale:
        library = require("bert_score", EXTRA)
        baselines = Path(str(library.__file__)).parent / "rescale_baseline" / rescale
        if not (baselines / f"{model}.tsv").is_file():
            missing = f"bert-score has no {rescale!r} baseline for {model!r}"
            raise ValueError(f"{missing}: leave rescale out")
    rescale_text = f"rescaled:{rescale}" if rescale else "not rescaled"
    model_text = model
    if is_folder:
        files = sorted(path for path in Path(model).iterdir() if path.is_file())
        parts = (p.name.encode() + b"\0" + bytes.fromhex(sha256_file(p)) for p in files)
        model_text += f"@{sha256_bytes(b''.join(parts))[:12]}"
    versions = f"bert-score {version('bert-score')}, transformers {version('transformers')}"

    def statistics(predictions: Predictions) -> Array:
        """Return F1 per example, n x 1; batches are sorted by length: little is padding."""
        import numpy as np

        texts = [(p.got.strip(), p.expected.strip()) for p in predictions]
        is_equal = [not p.error and a == b for p, (a, b) in zip(predictions, texts, strict=True)]
        values = np.array(is_equal, dtype=np.float64).reshape(-1, 1)
        # bert-score 0.3.13 fails on blank texts with transformers 5; they score 0, or 1 if equal.
        nonblank = [i for i, pair in enumerate(texts) if all(pair)]
        nonblank.sort(key=lambda i: max(map(len, texts[i])), reverse=True)
        scorer = _scorer(model, used_layers, rescale, device)
        if nonblank:
            answers, references = ([texts[i][side] for i in nonblank] for side in (0, 1))
            values[nonblank, 0] = scorer.score(answers, references, batch_size=batch)[2].numpy()
        return values

    signature = f"{model_text}|layer {used_layers}|{rescale_text}|no idf|{versions}"
    return Metric("BERTScore", statistics, average, signature)


@cache
def _scorer(model: str, layers: int, rescale: str, device: str | None) -> Any:
    """Open a model; cached, since a session scores candidate, baseline and slices with it."""
    library = require("bert_score", EXTRA)
    try:
        scorer = library.BERTScorer(
            model_type=model, num_layers=layers, device=device,
            lang=rescale or None, rescale_with_baseline=bool(rescale),
        )  # fmt: skip
    except AssertionError as error:
        raise ValueError(f"layers={layers}: {error}") from None
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"BERTScore model {model!r} cannot be opened: {reason}") from None
    # A tokenizer that does not know its limit gives 10^30: texts are cut where the model ends.
    max_positions = getattr(scorer._model.config, "max_position_embeddings", 512)
    scorer._tokenizer.model_max_length = min(scorer._tokenizer.model_max_length, max_positions)
    return scorer
