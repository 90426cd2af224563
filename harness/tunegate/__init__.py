"""tunegate: fine-tuning gates as ordinary pytest.

The names below are loaded when first used: pytest imports this package at every start-up.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import check as check
    from .dataset import Dataset as Dataset
    from .dataset import Example as Example
    from .findings import Finding as Finding
    from .findings import Findings as Findings
    from .predictions import Ask as Ask
    from .predictions import Predictions as Predictions
    from .score import Score as Score
    from .score import Unmeasurable as Unmeasurable

__version__ = "0.1.0"

_MODULE_OF = {
    "Ask": "predictions",
    "Dataset": "dataset",
    "Example": "dataset",
    "Finding": "findings",
    "Findings": "findings",
    "Predictions": "predictions",
    "Score": "score",
    "Unmeasurable": "score",
    "check": "checking",
}
__all__ = [*_MODULE_OF, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tunegate' has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value
