"""What the author of a trainer or a model implements, and how installed ones are found."""

from .model import Answer, Budget, Model, ModelUnknown, PricedModel, Request
from .trainer import Plan, Problem, Trained, Trainer, TrainingFailed

__all__ = ["Answer", "Budget", "Model", "ModelUnknown", "Plan", "PricedModel", "Problem"]
__all__ += ["Request", "Trained", "Trainer", "TrainingFailed"]
