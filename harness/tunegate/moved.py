"""Names the new import where a user's suite or conftest imports a module by its name before 0.2.

Standard library only: pytest imports this module at every start-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

# The module's old name, and the import that replaces it.
REPLACEMENTS = {
    "tunegate.checking.check": "from tunegate import check",
    "tunegate.config.Limits": "from tunegate import Limits",
    "tunegate.dataset": "from tunegate import Dataset, Example",
    "tunegate.extraction": "from tunegate import LabelRule  # was Rule",
    "tunegate.findings": "from tunegate import Finding, Findings",
    "tunegate.jury": "from tunegate import JudgePanel  # was Jury",
    "tunegate.predictions": "from tunegate import Ask, Prediction, Predictions",
    "tunegate.project": "from tunegate import ConfigError",
    "tunegate.protocols": "from tunegate.interfaces import Answer, Model, Plan, Trained, Trainer",
    "tunegate.recipe": "from tunegate import TokenizationSpec  # was Recipe",
    "tunegate.score": "from tunegate import Score, proportion",
    "tunegate.similar": "from tunegate.similarity import connected_groups, nearest, pairs",
    "tunegate_checks.model.averages": "from tunegate_checks.model import classification",
    "tunegate_checks.model.forgetting": "from tunegate_checks.model import improvement",
    "tunegate_checks.model.holm": "from tunegate_checks.model.compare import HolmFamily",
    "tunegate_checks.model.memory": "from tunegate_checks.model import answer_quality, "
    "memorization",
    "tunegate_checks.model.metamorphic": "from tunegate_checks.model import perturbations",
    "tunegate_checks.model.rouge": "from tunegate_checks.model import overlap",
}


class MovedModules:
    """A finder on `sys.meta_path` that answers the import of an old name with the new import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ImportError for an old name; return None for any other."""
        if name in REPLACEMENTS:
            # Without the argument `name`: with it, `from tunegate.config import Limits` hides it.
            raise ModuleNotFoundError(f"{name} has moved; write: {REPLACEMENTS[name]}")
        return None
