"""What the author of a trainer or a model implements, and how installed ones are found.

`from tunegate.interfaces import Trainer, Plan, Trained, ...`: the names are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Answer as Answer
    from .model import Budget as Budget
    from .model import Model as Model
    from .model import ModelUnknown as ModelUnknown
    from .model import PricedModel as PricedModel
    from .model import Request as Request
    from .trainer import Plan as Plan
    from .trainer import Problem as Problem
    from .trainer import Trained as Trained
    from .trainer import Trainer as Trainer
    from .trainer import TrainingFailed as TrainingFailed

_MODULE_OF = {
    **dict.fromkeys(
        ("Answer", "Budget", "Model", "ModelUnknown", "PricedModel", "Request"), "model"
    ),
    **dict.fromkeys(("Plan", "Problem", "Trained", "Trainer", "TrainingFailed"), "trainer"),
}
__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tunegate.interfaces' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
