"""Opens the judges of `[judge]`: models that are paid, asked and cached like every other model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..interfaces import model as budgets
from ..interfaces.model import Answer, ModelUnknown, Request
from ..models import predict
from ..models import spec as models
from ..models.judge_panel import Judge, JudgePanel
from ..storage.answer_cache import record_judge

if TYPE_CHECKING:
    from ..config.schema import Judge as Settings
    from ..interfaces.installed import ModelOpener
    from ..interfaces.model import Budget
    from ..storage.state_dir import StateDir
    from ..utils.progress import ShowProgress


def open_judges(
    settings: Settings,
    root: Path,
    openers: dict[str, ModelOpener],
    budget: Budget,
    state: StateDir,
    show_progress: ShowProgress,
) -> JudgePanel | None:
    """Open the judges that the settings name; None where they name none.

    Raises ModelUnknown.
    """
    if not settings.models or settings.rubric is None:
        return None

    def opened(spec: str) -> Judge:
        model = budgets.hold_to_budget(budget, models.open_model(spec, root, openers))

        def ask(requests: Sequence[Request]) -> dict[int, Answer]:
            record_judge(state, model.digest)
            with show_progress(f"asking the judge {model.name}") as progress:
                try:
                    return predict.cached_answers(model, requests, state, progress)
                except (
                    ModelUnknown
                ) as error:  # a server that is not there, weights that do not load
                    return {r.row: Answer(r.row, error=str(error)) for r in requests}

        return Judge(model.name, model.digest, ask)

    return JudgePanel(
        [opened(spec) for spec in settings.models],
        root / settings.rubric,
        root / settings.labels if settings.labels else None,
        settings.repetitions, settings.kappa, settings.swap_consistency, settings.fewest_labels,
        state.path("judge", "standing").parent,
    )  # fmt: skip
