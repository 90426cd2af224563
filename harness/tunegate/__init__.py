"""tunegate: fine-tuning gates as ordinary pytest.

The public names below are loaded when first used: pytest imports this package at every start-up.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

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


class MovedModules:
    """Answers the import of a module's old name, in a suite or conftest, with the new import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ImportError for an old name; return None for any other."""
        if name.startswith("tunegate"):
            import tomllib
            from pathlib import Path

            table = Path(__file__).with_name("moved_modules.toml").read_text("utf-8")
            if new := tomllib.loads(table).get(name):
                # Without the argument `name`: it would hide `from tunegate.config import Limits`.
                raise ModuleNotFoundError(f"{name} has moved; write: {new}")
        return None


# Last, so that it is asked only for modules that nothing else finds.
sys.meta_path.append(MovedModules())
