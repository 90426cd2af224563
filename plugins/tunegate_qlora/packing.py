"""The rows of a batch end to end in one sequence, without padding: the same steps, the same loss.

An attention that does not know where a row begins mixes rows without a word, and learns from what
the model never reads when it answers. So it is proven on the model itself, before the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import Any

import torch

from tunegate.encode import IGNORED, Row
from tunegate.protocols import TrainingFailed

from . import loss, methods, pairs
from .batches import LengthGrouped, narrowed
from .config import Compute, Settings
from .pairs import Item

Collate = Callable[[Sequence[Row]], dict[str, Any]]
ROWS = 3  # that the proof is made on: the second has a row before it and one behind it
# Three times what rounding came to in Llamas of 24 and 36 random layers (bfloat16: 0.035); rows
# that are mixed differ by 0.9 and more.
TOLERANCE: dict[Compute, float] = {"bfloat16": 0.1, "float16": 0.02, "float32": 0.001}


def computed(items: Sequence[Item], settings: Settings) -> tuple[int, float]:
    """Return the tokens that the model computes in the first epoch, and the share of padding."""
    batches = LengthGrouped(items, settings.batch, settings.seed)
    own = sum(len(row.ids) for row in pairs.rows(items))
    if settings.packing:
        return own, 0.0
    widths = (len(batch) * max(batches.lengths[i] for i in batch) for batch in batches)
    total = settings.sides * sum(widths)
    return total, 1 - own / total


def collator(*, narrow: bool) -> Collate:
    """Return a function that lays a batch's rows end to end, in one sequence.

    `labels` [1, 1 + k] and `logits_to_keep` [k] are as `batches.collator` makes them; a row's first
    token is no target, for it would be learnt from the row before. Rows are kept apart by
    `position_ids` [1, tokens], which start at 0 with each: sdpa, eager and flex make their mask of
    them where there is neither `attention_mask` nor a cache. Flash attention and recurrent layers
    go by `cu_seq_lens_*`, `max_length_*` and `seq_idx`.
    """
    import transformers

    hf: Any = transformers  # partly untyped
    flatten = hf.DataCollatorWithFlattening(return_flash_attn_kwargs=True, return_seq_idx=True)

    def collate(rows: Sequence[Row]) -> dict[str, Any]:
        batch: dict[str, Any] = flatten([{"input_ids": r.ids, "labels": r.labels} for r in rows])
        batch["use_cache"] = False
        return batch | narrowed(batch["labels"]) if narrow else batch

    return collate


def proven(model: Any, rows: Sequence[Row], settings: Settings) -> Collate:
    """Return the collator of packed rows, for a model that keeps them apart.

    Each of up to three rows must have, packed, the logits that it has by itself: at its first
    place, where another row shows most, and wherever it predicts a target. Their distance, as a
    share of their norm, may be what the format rounds: 0.1 in bfloat16, 0.02 in float16, 0.001 in
    float32. Raises TrainingFailed.
    """
    narrow = loss.narrows(methods.bare(model))
    collate = collator(narrow=narrow)
    some = nsmallest(min(ROWS, settings.batch), rows, key=lambda row: len(row.ids))
    worst = _difference(model, some, collate, narrow=narrow)
    if not worst <= TOLERANCE["float32" if settings.method == "full" else settings.compute]:
        raise TrainingFailed(_mixed(model, f"its logits differ by up to {100 * worst:.1f} %"))
    return collate


@torch.no_grad()
def _difference(model: Any, rows: Sequence[Row], collate: Collate, *, narrow: bool) -> float:
    """Return the greatest distance of packed logits from those apart, as a share of their norm."""
    training = model.training
    model.eval()
    try:
        packed = _logits(model, collate(rows), _places(rows), narrow=narrow)
        alone = [
            _logits(model, {"input_ids": torch.tensor([row.ids])}, _places([row]), narrow=narrow)
            for row in rows
        ]
    except (TypeError, ValueError, NotImplementedError) as error:  # it takes no packed rows
        raise TrainingFailed(_mixed(model, str(error))) from error
    finally:
        model.train(training)
    apart = torch.cat(alone)
    return float(((packed - apart).norm(dim=-1) / apart.norm(dim=-1)).max())


def _logits(
    model: Any, batch: dict[str, Any], places: torch.Tensor, *, narrow: bool
) -> torch.Tensor:
    """Return the logits [places, vocabulary] of the one sequence in a batch, in float32."""
    asked = {k: v for k, v in batch.items() if k != "labels"}
    asked |= {"logits_to_keep": places} if narrow else {}
    on = {k: v.to(model.device) if torch.is_tensor(v) else v for k, v in asked.items()}
    logits: torch.Tensor = model(**on).logits[0]
    return (logits if narrow else logits[places.to(logits.device)]).float()


def _places(rows: Sequence[Row]) -> torch.Tensor:
    """Return, of rows end to end, each row's first place and those that predict a target."""
    found, start = [], 0
    for row in rows:
        targets = (i for i, label in enumerate(row.labels[1:]) if i and label != IGNORED)
        found += [start, *(start + i for i in targets)]
        start += len(row.ids)
    return torch.tensor(found)


def _mixed(model: Any, why: str) -> str:
    config, kind = model.config, type(methods.bare(model)).__name__
    return (
        f"packing: {kind} with attention {config._attn_implementation!r} does not keep the rows of "
        f"a sequence apart ({why}). Set `packing = false`"
    )
