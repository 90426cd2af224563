"""For testing one's own checks: `pip install 'tunegate[hypothesis]'`."""

from ..utils.optional_deps import require

require("hypothesis", "hypothesis")

from ..mutation.faults import faults  # noqa: E402
from .strategies import datasets, rows  # noqa: E402

__all__ = ["datasets", "faults", "rows"]
