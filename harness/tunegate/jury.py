"""The jury: the models of `[judge]`, opened, paid, asked and cached like every other model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .protocols import Answer, ModelUnknown, Request

if TYPE_CHECKING:
    from .session import GateSession
    from .state import State

_ASKED = "asked-"  # an empty file for each judge that was ever asked, named after its digest


@dataclass(frozen=True, slots=True)
class Juror:
    """One judge: `ask` returns its answers by row; what it answered once is not asked again."""

    name: str
    digest: str
    ask: Callable[[Sequence[Request]], dict[int, Answer]]


@dataclass(frozen=True, slots=True, repr=False)
class Jury:
    """Who judges by which rubric, and what it takes until that may close a gate.

    Each juror is asked `repetitions` times. `labels` is the file of human labels; `kappa`,
    `swap_consistency` and `fewest_labels` are the limits of the standing, whose last measurement is
    kept in the folder `memory`.
    """

    jurors: Sequence[Juror]
    rubric: Path
    labels: Path | None = None
    repetitions: int = 1
    kappa: float = 0.6
    swap_consistency: float = 0.8
    fewest_labels: int = 30
    memory: Path | None = None

    def __repr__(self) -> str:
        """Return a short form: pytest shows it beside every failed comparison."""
        return f"<jury: {', '.join(juror.name for juror in self.jurors)}>"


def summon(session: GateSession) -> Jury | None:
    """Open the judges that the configuration names; None where it names none.

    Raises ModelUnknown.
    """
    said, root = session.config.judge, session.root
    if not said.models or said.rubric is None:
        return None
    return Jury(
        [_juror(spec, session) for spec in said.models],
        root / said.rubric,
        root / said.labels if said.labels else None,
        said.repetitions, said.kappa, said.swap_consistency, said.fewest_labels,
        session.state.path("judge", "standing").parent,
    )  # fmt: skip


def _juror(spec: str, session: GateSession) -> Juror:
    from . import budget, models, predict

    opened = models.open_model(spec, session.root, session.extensions.openers)
    model = budget.within(session.budget, opened)

    def ask(requests: Sequence[Request]) -> dict[int, Answer]:
        session.state.path("judge", f"{_ASKED}{model.digest}").touch(mode=0o600)
        with session.roles.shown(f"asking the judge {model.name}") as progress:
            try:
                return predict.ask(model, requests, session.state, progress)
            except ModelUnknown as error:  # a server that is not there, weights that do not load
                return {r.row: Answer(r.row, error=str(error)) for r in requests}

    return Juror(model.name, model.digest, ask)


def forget(state: State) -> int:
    """Remove everything that judges answered, whose reasons quote what they read.

    Returns how many answers are gone. Nobody could tell which of them are about one dataset.
    """
    from .answers import Answers

    asked = [(path.name.removeprefix(_ASKED),) for path in state.folder.glob(f"judge/{_ASKED}*")]
    if not asked:
        return 0
    answers = Answers(state.path("answers.sqlite"))
    try:
        before = answers.db.total_changes
        answers.db.executemany("delete from answers where model = ?", asked)
        removed = answers.db.total_changes - before
        answers.db.execute("vacuum")  # sqlite leaves deleted text in the file otherwise
        return removed
    finally:
        answers.close()
