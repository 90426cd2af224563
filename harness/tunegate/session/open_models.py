"""Candidate, baseline, incumbent: which model plays which role, opened once, asked once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..interfaces import model as budgets
from ..interfaces.builtin_models import FileModel
from ..interfaces.model import ModelUnknown
from ..models import baseline, predict
from ..models import spec as models
from ..results.prediction import Predictions
from ..storage.registry import Registry, RegistryBroken, RegistryEntry

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..data.dataset import Dataset
    from ..interfaces.installed import ModelOpener
    from ..interfaces.model import Budget, Model
    from ..models.spec import Candidate
    from ..storage.state_dir import StateDir
    from ..utils.progress import ShowProgress


class SessionModels:
    """The models of one session, by role."""

    def __init__(
        self,
        root: Path,
        config: Config,
        candidate: Candidate | None,
        alias: str,
        openers: dict[str, ModelOpener],
        budget: Budget,
        state: StateDir,
        show_progress: ShowProgress,
    ) -> None:
        self.root, self.config, self.candidate, self.alias = root, config, candidate, alias
        self.openers, self.budget, self.state = openers, budget, state
        self.show_progress = show_progress
        self.model = cache(self._open)
        self.predictions = cache(self._predictions)
        self._promoted = cache(self._read_promoted)
        self.judged: dict[str, str] = {}  # the digest of the model whose predictions were given

    def spec(self, role: str) -> str:
        """Return the spec of the model that plays this role; raises ConfigError for none."""
        if role == "candidate":
            if self.candidate is None:
                raise ConfigError("no candidate: give --model latest, run:ID, a folder, ...")
            return self.candidate.spec
        if role == "incumbent":
            return str(self._incumbent()["model"])
        if self.candidate and self.candidate.run:
            return self.candidate.run.plan.base
        if self.config.baseline is None:
            raise ConfigError("no baseline: the candidate belongs to no run; set `baseline`")
        return models.model_spec(self.config.baseline, self.openers)

    def has_incumbent(self) -> bool:
        """Whether the alias points at a model yet."""
        return self._promoted() is not None

    def _read_promoted(self) -> RegistryEntry | None:
        return Registry(self.root).current(self.alias)

    def _incumbent(self) -> RegistryEntry:
        if (entry := self._promoted()) is None:
            raise ConfigError(f"no incumbent: {self.alias!r} was never promoted")
        return entry

    def _open(self, role: str) -> Model:
        model = models.open_model(self.spec(role), self.root, self.openers)
        if role == "incumbent" and model.digest != self._incumbent()["model_digest"]:
            raise ConfigError(
                f"the incumbent {model.name} is not the model that was promoted: it was changed "
                f"since; `tunegate rollback {self.alias}` goes back to the one before"
            )
        return budgets.hold_to_budget(self.budget, model)

    def _predictions(self, role: str, test: Dataset) -> Predictions:
        with self.show_progress(f"asking the {role}") as progress:
            if role == "baseline":
                return baseline.measure_baseline(
                    self.spec(role), test, self.state, self.openers, progress, self.budget
                )
            predictions = predict.predict(self.model(role), test, self.state, progress)
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
        with self.show_progress(f"asking the {role}") as progress:
            return predict.predict(self.model(role), dataset, self.state, progress)

    def cached(self, role: str, test: Dataset) -> Predictions | None:
        """Return what is in the cache, asking nothing: xdist's controller has asked nothing."""
        try:
            model = self.model(role)
        except (ConfigError, ModelUnknown, RegistryBroken):
            return None
        return predict.cached_predictions(model.name, model.digest, test, self.state)
