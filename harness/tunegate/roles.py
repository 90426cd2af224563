"""Candidate, baseline, incumbent: which model plays which role, opened once, asked once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from . import baseline, budget, console, models, predict
from .predictions import Predictions
from .project import ConfigError
from .protocols import ModelUnknown
from .registry import Entry, Registry, RegistryBroken
from .sources import FileModel

if TYPE_CHECKING:
    from .dataset import Dataset
    from .protocols import Model
    from .session import GateSession


class Roles:
    """The models of one session, by role."""

    def __init__(self, session: GateSession) -> None:
        self.session = session
        self.model = cache(self._open)
        self.predictions = cache(self._predictions)
        self._promoted = cache(self._read_promoted)
        self.judged: dict[str, str] = {}  # the digest of the model whose predictions were given

    def spec(self, role: str) -> str:
        """Return the spec of the model that plays this role; raises ConfigError for none."""
        candidate = self.session.candidate
        if role == "candidate":
            if candidate is None:
                raise ConfigError("no candidate: give --model latest, run:ID, a folder, ...")
            return candidate.spec
        if role == "incumbent":
            return str(self._incumbent()["model"])
        if candidate and candidate.run:
            return candidate.run.plan.base
        if self.session.config.baseline is None:
            raise ConfigError("no baseline: the candidate belongs to no run; set `baseline`")
        return models.model_spec(self.session.config.baseline, self.session.extensions.openers)

    def has_incumbent(self) -> bool:
        """Whether the alias points at a model yet."""
        return self._promoted() is not None

    def _read_promoted(self) -> Entry | None:
        return Registry(self.session.root).current(self.session.alias)

    def _incumbent(self) -> Entry:
        if (entry := self._promoted()) is None:
            raise ConfigError(f"no incumbent: {self.session.alias!r} was never promoted")
        return entry

    def _open(self, role: str) -> Model:
        session = self.session
        model = models.open_model(self.spec(role), session.root, session.extensions.openers)
        if role == "incumbent" and model.digest != self._incumbent()["model_digest"]:
            raise ConfigError(
                f"the incumbent {model.name} is not the model that was promoted: it was changed "
                f"since; `tunegate rollback {session.alias}` goes back to the one before"
            )
        return budget.within(session.budget, model)

    def _predictions(self, role: str, test: Dataset) -> Predictions:
        session = self.session
        with self.shown(f"asking the {role}") as progress:
            if role == "baseline":
                return baseline.measure(
                    self.spec(role), test, session.state, session.extensions.openers, progress,
                    session.budget,
                )  # fmt: skip
            predictions = predict.predict(self.model(role), test, session.state, progress)
        if role == "candidate":
            self.judged["predictions"] = self.model(role).digest
        return predictions

    def ask(self, dataset: Dataset, role: str = "candidate") -> Predictions:
        """Put rows of a check's own making to a model, in one batch, through the cache.

        Empty where there are no rows, and where the answers stand in a file: it cannot be asked
        anything new. Raises ConfigError, ModelUnknown.
        """
        if not len(dataset) or isinstance(self.model(role), FileModel):
            return Predictions([])
        with self.shown(f"asking the {role}") as progress:
            return predict.predict(self.model(role), dataset, self.session.state, progress)

    @contextmanager
    def shown(self, what: str) -> Iterator[predict.Progress]:
        """Show a bar with what was spent, where pytest captures what is printed too."""
        capture = self.session.pytest_config.pluginmanager.get_plugin("capturemanager")
        through = capture.global_and_fixture_disabled() if capture else nullcontext()
        spent = self.session.budget
        with through, console.bar(what, lambda: spent.spent) as progress:
            yield progress

    def recalled(self, role: str) -> Predictions | None:
        """Return what is in the cache, asking nothing: xdist's controller has asked nothing."""
        session = self.session
        try:
            model, test = self.model(role), session.splits.get("test")
        except (ConfigError, ModelUnknown, RegistryBroken):
            return None
        return predict.recall(model.name, model.digest, test, session.state)
