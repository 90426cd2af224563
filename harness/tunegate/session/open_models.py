"""Opens the models of a session (candidate, baseline, incumbent, judges) and asks each once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..config.data_files import DataFiles
from ..config.schema import Config
from ..data.dataset import Dataset
from ..errors import ConfigError
from ..interfaces.builtin_models import FileModel
from ..interfaces.installed import ModelOpener
from ..interfaces.model import Answer, Budget, Model, ModelUnknown, Request, hold_to_budget
from ..models import predict
from ..models.evaluation import measure_baseline
from ..models.spec import Candidate, model_spec, open_model
from ..results.prediction import Predictions
from ..storage.answer_cache import record_judge
from ..storage.registry import Registry, RegistryEntry
from ..storage.state_dir import StateDir
from ..utils.progress import ShowProgress

COMPARED = "compare."


@dataclass(eq=False)
class SessionModels:
    """The models of one session, by role.

    Roles are "candidate", "baseline", "incumbent", COMPARED before a name of `[compare]`, and any
    model spec. `model(role)` opens a model and `predictions(role, test)` asks it, each once for the
    same arguments, the candidate until the `rules` decide; `stopped` is what a scorecard says of
    that. `judged` holds the candidate's digest under "predictions" once a test has predictions.
    """

    root: Path
    config: Config
    candidate: Candidate | None
    alias: str
    openers: dict[str, ModelOpener]
    budget: Budget
    state: StateDir
    show_progress: ShowProgress
    limit: int = 0
    repeat: int = 1
    # With whether a pass may come early.
    rules: tuple[Sequence[predict.StoppingRule], bool] = ((), False)
    stopped: dict[str, Any] = field(default_factory=dict)
    judged: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started = time.time()
        self.model = cache(self._open)
        self.predictions = cache(self._predictions)

    @cached_property
    def promoted(self) -> RegistryEntry | None:
        """The promotion in force of the alias, whose model is the incumbent; None before it."""
        return Registry(self.root).current(self.alias)

    @property
    def has_baseline(self) -> bool:
        """Whether there is a baseline: the base of the candidate's run, or a configured one."""
        return bool(self.candidate and self.candidate.run) or "baseline" in self.config.compared

    def spec(self, role: str) -> str:
        """Return the spec of the model that plays this role; raises ConfigError for none."""
        if role == "candidate":
            if self.candidate is None:
                raise ConfigError("no candidate: give --model latest, run:ID, a folder, ...")
            return self.candidate.spec
        if role == "incumbent":
            if self.promoted is None:
                raise ConfigError(f"no incumbent: {self.alias!r} was never promoted")
            return str(self.promoted["model"])
        if role == "baseline" and self.candidate and self.candidate.run:
            return self.candidate.base
        is_spec = role != "baseline" and not role.startswith(COMPARED)
        spec = role if is_spec else self.config.compared.get(role.removeprefix(COMPARED))
        if spec is None:
            raise ConfigError("no baseline: the candidate belongs to no run; set `baseline`")
        return spec if spec in self.config.strategies else model_spec(spec, self.openers)

    def _open(self, role: str) -> Model:
        model = open_model(self.spec(role), self.root, self.openers)
        # The registry is read for this role alone: a broken one must not keep a candidate closed.
        promoted = self.promoted if role == "incumbent" else None
        if promoted and model.digest != promoted["model_digest"]:
            changed = "is not the model that was promoted: it was changed since"
            advice = f"`tunegate registry rollback {self.alias}` goes back to the one before"
            raise ConfigError(f"the incumbent {model.name} {changed}; {advice}")
        return hold_to_budget(self.budget, model)

    def check(self) -> None:
        """Open the candidate and the models of `[compare]`: a spec that opens nothing ends here."""
        if isinstance(self.model("candidate"), FileModel) and (self.limit or self.repeat > 1):
            raise ConfigError("--limit and --repeat need a model that is asked: a file is read")
        for name in self.config.compare:
            try:
                self.model(COMPARED + name)
            except ModelUnknown as error:
                raise ModelUnknown(f"compare.{name}: {error}") from None

    def digest_now(self, role: str) -> str:
        """Open the model of a role once more and return the digest that it has now."""
        return open_model(self.spec(role), self.root, self.openers).digest

    def _predictions(self, role: str, test: Dataset) -> Predictions:
        model, state = self.model(role), self.state
        rows, times = self._asked_of(role, test)
        with self.show_progress(f"asking the {role}") as progress:
            if role == "baseline" and not self.limit:
                rule = self.config.label_rule
                return measure_baseline(model, self.spec(role), test, rule, state, progress)
            if role == "candidate" and self.rules[0] and not isinstance(model, FileModel):
                until = predict.predict_until(model, rows, state, *self.rules, progress)
                predictions, self.stopped = until
            else:
                predictions = predict.predict(model, rows, state, progress, times=times)
        if role == "candidate":
            self.judged["predictions"] = model.digest
        return predictions

    def ask(self, dataset: Dataset, role: str = "candidate") -> Predictions:
        """Do what `predict.Ask` says; none where no model has the role. Raises ConfigError."""
        lacks_model = role == "baseline" and not self.has_baseline
        lacks_model |= role == "incumbent" and self.promoted is None
        if lacks_model or not len(dataset) or isinstance(self.model(role), FileModel):
            return Predictions([])
        with self.show_progress(f"asking the {role}") as progress:
            return predict.predict(self.model(role), dataset, self.state, progress)

    def cached(self, role: str, test: Dataset) -> Predictions | None:
        """Return predictions out of the cache, for a gate that asked no model; None for none."""
        try:
            model = self.model(role)
            if isinstance(model, FileModel):
                return predict.predict(model, test, self.state)
        except ConfigError:
            return None
        rows, times = self._asked_of(role, test)
        return predict.cached_predictions(model.name, model.digest, rows, self.state, times=times)

    def _asked_of(self, role: str, test: Dataset) -> tuple[Dataset, int]:
        """Return the rows that a model is asked, and how often: the lines of a file answer all."""
        if role == "candidate" and (stop := self.stopped.get("stopped")):
            return test.drawn(stop["rows"], stop["seed"]), 1
        draws = self.limit and not isinstance(self.model(role), FileModel)
        rows = test.drawn(self.limit) if draws else test
        return rows, self.repeat if role == "candidate" else 1

    def cached_note(self, splits: DataFiles) -> str:
        """Return how many answers were cached before the session, and since when; "" for none."""
        notes = []
        for role in ("candidate", "baseline") if "test" in splits.paths else ():
            predictions = self.cached(role, splits.get("test")) or ()
            kept = [p.asked_at for p in predictions if not p.error and p.asked_at < self.started]
            if kept:
                age = timedelta(seconds=int(self.started - min(kept))) if min(kept) else "unknown"
                notes.append(f"{len(kept):,} of {len(predictions):,} of the {role}, age {age}")
        return "; ".join([*notes, "--fresh asks anew"]) if notes else ""

    def judges(self) -> predict.JudgePanel | None:
        """Open the judges of `[judge]`; None where it names none; raises ModelUnknown.

        One that fails while asked (server down, no weights) answers each request with its error.
        """
        settings, state = self.config.judge, self.state
        if not settings.models or settings.rubric is None:
            return None

        def open_judge(spec: str) -> predict.Judge:
            model = hold_to_budget(self.budget, open_model(spec, self.root, self.openers))

            def ask(requests: Sequence[Request]) -> dict[int, Answer]:
                record_judge(state, model.digest)
                with self.show_progress(f"asking the judge {model.name}") as progress:
                    try:
                        return predict.cached_answers(model, requests, state, progress)
                    except ModelUnknown as error:
                        return {r.row: Answer(r.row, error=str(error)) for r in requests}

            return predict.Judge(model.name, model.digest, ask)

        return predict.JudgePanel(
            judges=[open_judge(spec) for spec in settings.models],
            rubric=self.root / settings.rubric,
            labels=self.root / settings.labels if settings.labels else None,
            **settings.model_dump(exclude={"models", "rubric", "labels"}),
        )
