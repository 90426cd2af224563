"""Review: has somebody who knows the field read what a model wrote, before another learns it?

A random sample of n rows finds an error rate to within about 1 / sqrt(n): 10 % of 3,000 rows are
300, which tell 5 % wrong from 9 %. `tunegate review sample` draws it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tunegate.checking import check
from tunegate.dataset import Dataset
from tunegate.findings import Finding

from ..reviewing.reviews import FOLDER, Reviewed, reviewed
from ..reviewing.sample import is_generated


@check(name="review")
def find(
    dataset: Dataset,
    *,
    folder: Path | str = FOLDER,
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
    found = reviewed(dataset, Path(folder), generated=generated)
    needed = generated or any(map(is_generated, dataset))
    for fault in found.faults:
        yield Finding(None, None, "sheet", fault)
    for other in [*found.pending, *found.others]:
        yield Finding(None, None, "sheet", other, hint=True)
    if needed and len(dataset):
        for lack in _lacking(_file(dataset, Path(folder)), found, share, errors):
            # Accepted for these bytes, it holds for no others: nor does a review.
            yield replace(lack, about=f"{dataset.digest} {lack.evidence}")
    if found.verdicts or not needed:
        yield Finding(None, None, "reviewed", found.told(), hint=True)


def _file(dataset: Dataset, folder: Path) -> Path:
    """Return the file as it is named in the project, which is where the folder stands."""
    file, root = dataset.path, folder.resolve().parent
    return file.relative_to(root) if root in file.parents else file if file.name else Path("FILE")


def _lacking(file: Path, found: Reviewed, share: float, errors: float) -> Iterator[Finding]:
    if found.share < share:
        have = f"{len(found.verdicts):,} of {found.n:,} generated rows reviewed"
        more = "" if share <= 0.1 else f" --share {share:g}"  # which is what it draws by itself
        draw = f"tunegate review sample {file}{more}"
        begun = [f"finish {sheet.partition(': ')[0]}" for sheet in found.pending]
        begun += ["put the sheet right"] if found.faults else []
        needed = f"{have}, {100 * share:g} % needed: {[*begun, draw][0]}"
        yield Finding(None, None, "too few", needed)
    if found.errors > errors:
        evidence = f"{found.told()}; at most {100 * errors:g} % may be"
        yield Finding(None, None, "errors", evidence)
