"""tunegate: fine-tuning gates as ordinary pytest.

The names below are loaded when first used: pytest imports this package at every start-up.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking.decorator import check as check
    from .data.dataset import Dataset as Dataset
    from .data.dataset import Example as Example
    from .models.predict import Ask as Ask
    from .results.finding import Finding as Finding
    from .results.finding import Findings as Findings
    from .results.prediction import Predictions as Predictions
    from .results.score import Score as Score
    from .results.score import Unmeasurable as Unmeasurable

__version__ = "0.1.0"

_MODULE_OF = {
    "Ask": "models.predict",
    "Dataset": "data.dataset",
    "Example": "data.dataset",
    "Finding": "results.finding",
    "Findings": "results.finding",
    "Predictions": "results.prediction",
    "Score": "results.score",
    "Unmeasurable": "results.score",
    "check": "checking.decorator",
}
__all__ = [*_MODULE_OF, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tunegate' has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value
