"""Opens the judges of `[judge]`: paid models, asked and cached like every other model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..interfaces.model import Answer, ModelUnknown, Request, hold_to_budget
from ..models.judge_panel import Judge, JudgePanel
from ..models.predict import cached_answers
from ..models.spec import open_model
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

    A judge that fails while it is asked (a server that is down, weights that do not load) answers
    each request with its error. Raises ModelUnknown for a spec that opens no model.
    """
    if not settings.models or settings.rubric is None:
        return None

    def open_judge(spec: str) -> Judge:
        model = hold_to_budget(budget, open_model(spec, root, openers))

        def ask(requests: Sequence[Request]) -> dict[int, Answer]:
            record_judge(state, model.digest)
            with show_progress(f"asking the judge {model.name}") as progress:
                try:
                    return cached_answers(model, requests, state, progress)
                except ModelUnknown as error:
                    return {r.row: Answer(r.row, error=str(error)) for r in requests}

        return Judge(model.name, model.digest, ask)

    return JudgePanel(
        judges=[open_judge(spec) for spec in settings.models],
        rubric=root / settings.rubric,
        labels=root / settings.labels if settings.labels else None,
        repetitions=settings.repetitions,
        kappa=settings.kappa,
        swap_consistency=settings.swap_consistency,
        fewest_labels=settings.fewest_labels,
        calibration_dir=state.path("judge", "standing").parent,
    )
