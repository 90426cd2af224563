"""Review: has somebody who knows the field read what a model wrote, before another learns it?

A random sample of n rows finds an error rate to within about 1 / sqrt(n): 10 % of 3,000 rows are
300, which tell 5 % wrong from 9 %. `tunegate review sample` draws it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tunegate.checking.decorator import check
from tunegate.data.dataset import Dataset
from tunegate.results.finding import Finding

from ..review.sample import is_generated
from ..review.status import REVIEWS_FOLDER, ReviewStatus, review_status


@check(name="review")
def find(
    dataset: Dataset,
    *,
    folder: Path | str = REVIEWS_FOLDER,
    generated: bool = False,
    share: float = 0.10,
    errors: float = 0.05,
) -> Iterator[Finding]:
    """A person has reviewed a random sample of what was generated, and found little wrong.

    Generated is the whole dataset where `generated` says so, else the rows with a field
    `"generated": true`. Of these at least `share` must be reviewed, with at most `errors` of the
    reviewed ones wrong (both 0..1). Only the sheets in `folder` count that were drawn from these
    very bytes, and hold the rows that were drawn. A hint says what was reviewed, and by whom: the
    receipt keeps it beside the dataset's digest.
    """
    status = review_status(dataset, Path(folder), generated=generated)
    is_required = generated or any(map(is_generated, dataset))
    for fault in status.faults:
        yield Finding(None, None, "sheet", fault)
    for other in [*status.pending, *status.other_sheets]:
        yield Finding(None, None, "sheet", other, hint=True)
    if is_required and len(dataset):
        for shortfall in _shortfalls(
            _file_in_project(dataset, Path(folder)), status, share, errors
        ):
            # Accepted for these bytes, it holds for no others: nor does a review.
            yield replace(shortfall, about=f"{dataset.digest} {shortfall.evidence}")
    if status.verdicts or not is_required:
        yield Finding(None, None, "reviewed", status.summary(), hint=True)


def _file_in_project(dataset: Dataset, folder: Path) -> Path:
    """Return the file as it is named in the project, which is where the folder stands."""
    file, root = dataset.path, folder.resolve().parent
    return file.relative_to(root) if root in file.parents else file if file.name else Path("FILE")


def _shortfalls(file: Path, status: ReviewStatus, share: float, errors: float) -> Iterator[Finding]:
    if status.share < share:
        reviewed_text = f"{len(status.verdicts):,} of {status.n:,} generated rows reviewed"
        more = "" if share <= 0.1 else f" --share {share:g}"  # which is what it draws by itself
        draw = f"tunegate review sample {file}{more}"
        unfinished = [f"finish {sheet.partition(': ')[0]}" for sheet in status.pending]
        unfinished += ["put the sheet right"] if status.faults else []
        too_few_text = f"{reviewed_text}, {100 * share:g} % needed: {[*unfinished, draw][0]}"
        yield Finding(None, None, "too few", too_few_text)
    if status.errors > errors:
        evidence = f"{status.summary()}; at most {100 * errors:g} % may be"
        yield Finding(None, None, "errors", evidence)
