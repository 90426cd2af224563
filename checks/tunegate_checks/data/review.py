"""Review: people must have read a random sample of the rows that a model wrote.

n random rows tell an error rate to within about 1 / sqrt(n): 300 of 3,000 tell 5 % wrong from 9 %.
"""

from collections.abc import Iterator
from pathlib import Path

from tunegate import Dataset, Finding, check

from ..review.sheet import is_generated
from ..review.status import REVIEWS_FOLDER, review_status


@check(name="review")
def find(
    dataset: Dataset, *, folder: Path | str = REVIEWS_FOLDER, generated: bool = False,
    share: float = 0.10, errors: float = 0.05,
) -> Iterator[Finding]:  # fmt: skip
    """Yield a finding where too few generated rows were reviewed, or too many of them are wrong.

    A sheet counts if it was drawn from exactly these bytes and holds the rows that were drawn. A
    hint says what was reviewed and by whom; the receipt keeps it beside the dataset's digest.

    The sheets are in `folder`. `generated`: a model wrote the whole dataset; else only the rows
    with a field `"generated": true` must be reviewed. At least the `share` of the generated rows
    must be, and at most the share `errors` of those may be wrong, 0..1.
    """
    status = review_status(dataset, Path(folder), generated=generated)
    is_required = generated or any(map(is_generated, dataset))
    for fault in status.faults:
        yield Finding.of_dataset("sheet", fault)
    for uncounted in [*status.pending, *status.other_sheets]:
        yield Finding.dataset_hint("sheet", uncounted)
    shortfalls: list[tuple[str, str]] = []
    if is_required and len(dataset) and status.share < share:
        # The command names the file relative to the project, which is the folder's parent.
        file, root = dataset.path, Path(folder).resolve().parent
        file = file.relative_to(root) if root in file.parents else file
        option = "" if share <= 0.1 else f" --share {share:g}"  # 0.1 is the command's default
        draw = f"tunegate review sample {file if file.name else 'FILE'}{option}"
        unfinished = [f"finish {sheet.partition(': ')[0]}" for sheet in status.pending]
        unfinished += ["put the sheet right"] if status.faults else []
        reviewed = f"{len(status.verdicts):,} of {status.n:,} generated rows reviewed"
        needed = f"{100 * share:g} % needed: {[*unfinished, draw][0]}"
        shortfalls.append(("too few", f"{reviewed}, {needed}"))
    if is_required and len(dataset) and status.errors > errors:
        shortfalls.append(("errors", f"{status.summary()}; at most {100 * errors:g} % may be"))
    for kind, evidence in shortfalls:
        # With the digest an accepted finding is accepted for these bytes alone.
        yield Finding.of_dataset(kind, evidence, fingerprint=f"{dataset.digest} {evidence}")
    if status.verdicts or not is_required:
        yield Finding.dataset_hint("reviewed", status.summary())
