"""Pack the rows of a batch into one sequence without padding, with the same loss and steps.

An attention that ignores where a row begins lets a row read the one before it, and raises no error.
So `verified_collator` tests on the model itself, before the first step, that rows are kept apart.
"""

from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import Any

import torch

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.tokenization.encode import IGNORE_INDEX, EncodedRow

from ..config import Compute, Settings
from ..data.batches import narrow_labels
from ..model import weights
from ..model.architecture import hf

Collate = Callable[[Sequence[EncodedRow]], dict[str, Any]]
PROOF_ROWS = 3  # rows of the test: the second has one before it and one after it
# Three times the rounding measured in Llamas of 24 and 36 random layers (bfloat16: 0.035); where
# rows are mixed the difference is 0.9 and more.
TOLERANCE: dict[Compute, float] = {"bfloat16": 0.1, "float16": 0.02, "float32": 0.001}


def make_packing_collator(*, narrow: bool) -> Collate:
    """Return a function that lays a batch's rows end to end, in one sequence.

    `labels` [1, 1 + k] and `logits_to_keep` [k] are as `batches.make_collator` makes them; a row's
    first token is no target, since it would be predicted from the row before. `position_ids`
    [1, tokens] start at 0 with each row: sdpa, eager and flex attention derive their mask from them
    where there is neither `attention_mask` nor a cache. Flash attention and recurrent layers read
    `cu_seq_lens_*`, `max_length_*` and `seq_idx` instead.
    """
    flatten = hf.DataCollatorWithFlattening(return_flash_attn_kwargs=True, return_seq_idx=True)

    def collate(rows: Sequence[EncodedRow]) -> dict[str, Any]:
        batch: dict[str, Any] = flatten([{"input_ids": r.ids, "labels": r.labels} for r in rows])
        batch["use_cache"] = False
        return batch | narrow_labels(batch["labels"]) if narrow else batch

    return collate


def verified_collator(model: Any, rows: Sequence[EncodedRow], settings: Settings) -> Collate:
    """Return the collator of packed rows, after a test that the model keeps them apart.

    Up to three rows are computed packed and one by one. Raises TrainingFailed where the logits
    differ by more than the number format rounds (TOLERANCE), or the model takes no packed rows.
    """
    collate = make_packing_collator(narrow=weights.supports_logits_to_keep(model))
    sample_rows = nsmallest(min(PROOF_ROWS, settings.batch), rows, key=lambda row: len(row.ids))
    difference = max_logit_difference(model, sample_rows, collate)
    tolerance = TOLERANCE["float32" if settings.method == "full" else settings.compute]
    if not difference <= tolerance:  # also where it is NaN
        text = f"its logits differ by up to {100 * difference:.1f} %"
        raise TrainingFailed(_mixed_rows_message(model, text))
    return collate


@torch.no_grad()
def max_logit_difference(model: Any, rows: Sequence[EncodedRow], collate: Collate) -> float:
    """Return the greatest distance of packed logits from those of single rows, over the norm.

    Compared are the logits at each row's first position, where a row before it shows most, and at
    the positions that predict a target. The model is left in the mode that it was in.
    """
    training = model.training
    model.eval()
    try:
        packed_logits = _logits_at(model, collate(rows), _compared_positions(rows))
        row_logits = []
        for row in rows:
            batch = {"input_ids": torch.tensor([row.ids])}
            row_logits.append(_logits_at(model, batch, _compared_positions([row])))
    except (TypeError, ValueError, NotImplementedError) as error:  # the model takes no packed rows
        raise TrainingFailed(_mixed_rows_message(model, str(error))) from error
    finally:
        model.train(training)
    separate_logits = torch.cat(row_logits)
    distances = (packed_logits - separate_logits).norm(dim=-1)
    return float((distances / separate_logits.norm(dim=-1)).max())


def _logits_at(model: Any, batch: dict[str, Any], positions: torch.Tensor) -> torch.Tensor:
    """Return the logits [positions, vocabulary] of the one sequence in a batch, in float32."""
    narrow = weights.supports_logits_to_keep(model)
    inputs = {k: v for k, v in batch.items() if k != "labels"}
    inputs |= {"logits_to_keep": positions} if narrow else {}
    device_inputs = {k: v.to(model.device) if torch.is_tensor(v) else v for k, v in inputs.items()}
    logits: torch.Tensor = model(**device_inputs).logits[0]
    return (logits if narrow else logits[positions.to(logits.device)]).float()


def _compared_positions(rows: Sequence[EncodedRow]) -> torch.Tensor:
    """Return, of rows end to end, the first position of each and those that predict a target."""
    positions, start = [], 0
    for row in rows:
        targets = (i for i, label in enumerate(row.labels[1:]) if i and label != IGNORE_INDEX)
        positions += [start, *(start + i for i in targets)]
        start += len(row.ids)
    return torch.tensor(positions)


def _mixed_rows_message(model: Any, why: str) -> str:
    config, kind = model.config, type(weights.unwrap(model)).__name__
    return (
        f"packing: {kind} with attention {config._attn_implementation!r} does not keep the rows of "
        f"a sequence apart ({why}). Set `packing = false`"
    )
