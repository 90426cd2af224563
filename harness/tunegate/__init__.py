"""tunegate: fine-tuning gates as ordinary pytest.

The public names below are loaded when first used: pytest imports this package at every start-up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking.decorator import check as check
    from .config.schema import Limits as Limits
    from .data.dataset import Dataset as Dataset
    from .data.dataset import Example as Example
    from .errors import ConfigError as ConfigError
    from .models.predict import Ask as Ask
    from .models.predict import JudgePanel as JudgePanel
    from .results.finding import Finding as Finding
    from .results.finding import Findings as Findings
    from .results.labels import LabelRule as LabelRule
    from .results.prediction import Prediction as Prediction
    from .results.prediction import Predictions as Predictions
    from .results.score import Score as Score
    from .results.score import Unmeasurable as Unmeasurable
    from .results.score import proportion as proportion
    from .tokenization.spec import TokenizationSpec as TokenizationSpec

__version__ = "0.1.0"

_NAMES = {
    "checking.decorator": "check", "config.schema": "Limits", "data.dataset": "Dataset Example",
    "errors": "ConfigError", "models.predict": "Ask JudgePanel",
    "results.finding": "Finding Findings", "results.labels": "LabelRule",
    "results.prediction": "Prediction Predictions", "tokenization.spec": "TokenizationSpec",
    "results.score": "Score Unmeasurable proportion",
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = [*_MODULE_OF, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tunegate' has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value
