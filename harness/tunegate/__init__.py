"""tunegate: fine-tuning gates as ordinary pytest.

The public names below are loaded when first used: pytest imports this package at every start-up.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .moved import MovedModules

if TYPE_CHECKING:
    from .checking.decorator import check as check
    from .config.schema import Limits as Limits
    from .data.dataset import Dataset as Dataset
    from .data.dataset import Example as Example
    from .errors import ConfigError as ConfigError
    from .models.judge_panel import JudgePanel as JudgePanel
    from .models.predict import Ask as Ask
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

_MODULE_OF = {
    "Ask": "models.predict",
    "ConfigError": "errors",
    "Dataset": "data.dataset",
    "Example": "data.dataset",
    "Finding": "results.finding",
    "Findings": "results.finding",
    "JudgePanel": "models.judge_panel",
    "LabelRule": "results.labels",
    "Limits": "config.schema",
    "Prediction": "results.prediction",
    "Predictions": "results.prediction",
    "Score": "results.score",
    "TokenizationSpec": "tokenization.spec",
    "Unmeasurable": "results.score",
    "check": "checking.decorator",
    "proportion": "results.score",
}
__all__ = [*_MODULE_OF, "__version__"]

# Last, so that it is asked only for modules that nothing else finds.
sys.meta_path.append(MovedModules())


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tunegate' has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value
