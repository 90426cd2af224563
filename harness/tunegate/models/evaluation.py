"""What is kept of models that were asked: evaluations without a run, baselines; and their names."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..interfaces.builtin_models import FileModel
from ..interfaces.model import Model, ModelUnknown
from ..results.labels import LabelRule
from ..results.prediction import Predictions
from ..results.session_results import predictions_summary
from ..storage.state_dir import Run, RunNotFound, StateDir, find_finished, read_unverified
from ..utils.files import sha256_json
from ..utils.masking import mask
from ..utils.progress import Progress
from ..utils.timestamps import time_key
from .predict import cached_predictions, predict

Json = dict[str, Any]
# The keys that readers of a scorecard need.
SCORECARD_KEYS = {
    *("scores", "test", "gate", "model_digest", "made", "inventory", "removed"),
    *("predictions", "baseline", "incumbent"),
}
RECORD_KEYS = {"model", "digest", "test", "n", "right", "errors"}  # of a baseline


class Evaluation(Run):
    """The folder `evaluations/ID` of the scorecards of a model without a run, on one test set."""

    def __init__(self, state: StateDir, name: str) -> None:
        super().__init__(state, name)
        self.folder = state.folder / "evaluations" / name

    @classmethod
    def of(cls, state: StateDir, card: Mapping[str, Any]) -> Self:
        """Return the evaluation that a scorecard belongs to."""
        about = [card["candidate"], card["model_digest"], card["test"]["digest"]]
        return cls(state, sha256_json(about)[:12])

    @cached_property
    def record(self) -> Json:
        """The model, as a run records its own; raises ConfigError for a harmed scorecard."""
        *_, card = read_scorecards(self).values()
        return {"model": card["candidate"], "digest": card["model_digest"], "figures": {}}

    @property
    def spec(self) -> str:
        """What `--model` names it by."""
        return str(self.record["model"])

    def __str__(self) -> str:
        return f"evaluation {self.id}"


def read_scorecards(run: Run) -> dict[Path, Json]:
    """Return the scorecards by path, the newest last; raises ConfigError for one that is none."""
    paths = (run.folder / "scorecards").glob("*.json")
    cards = {path: read_object(path, SCORECARD_KEYS) for path in paths}
    return dict(sorted(cards.items(), key=lambda item: time_key(item[0], item[1]["made"])))


def read_object(path: Path, required_keys: set[str]) -> Json:
    """Read a JSON object without its seal; raises ConfigError where one of the keys is missing."""
    value = read_unverified(path)
    if not required_keys <= value.keys():
        raise ConfigError(f"{path} is not what tunegate wrote there: it cannot be read")
    return {key: v for key, v in value.items() if key != "seal"}


def kept_predictions(run: Run, card: Mapping[str, Any], test: Dataset) -> Predictions | None:
    """Return the predictions behind a scorecard, of a file or from the cache; None for none."""
    state, digest, candidate = run.state, str(card["model_digest"]), card.get("candidate", "")
    if candidate.startswith("file:"):
        try:
            model = FileModel(candidate.removeprefix("file:"), state.root)
            return predict(model, test, state) if model.digest == digest else None
        except ModelUnknown:
            return None
    if not (state.folder / "answers.sqlite").is_file():
        return None
    part = card.get("limit") or card.get("stopped")
    rows = test.drawn(part["rows"], part.get("seed", 0)) if part else test
    times = card["repeat"]["times"] if "repeat" in card else 1
    return cached_predictions(run.spec, digest, rows, state, times=times)


def judged_answers(run: Run, test: Dataset) -> Predictions:
    """Return the kept answers of a model to a test set, asking nothing; raises ConfigError."""
    digest, cards = str(run.record["digest"]), read_scorecards(run).values()
    key = digest, test.digest
    about = [card for card in cards if (card["model_digest"], card["test"]["digest"]) == key]
    predictions = kept_predictions(run, about[-1] if about else {"model_digest": digest}, test)
    # Of a test set that it was not judged on some rows may be known, from another: not all of them.
    if predictions is None or (predictions.errors and not about):
        asked = f"pytest suites/model --model {run.spec}"
        raise ConfigError(f"{run} was never asked about test set {test.digest[:12]}: {asked}")
    return predictions


def other_answers(run: Run, name: str, own: Predictions, test: Dataset) -> tuple[str, Predictions]:
    """Return name and kept answers, to the rows of `own`, of another model or of the "baseline"."""
    if name != "baseline":
        other = find_judged(run.state, name)
        return str(other), judged_answers(other, test)
    record = read_unverified(run.folder / "run.json").get("baseline") or {}
    answers = cached_predictions(name, record.get("digest", ""), test, run.state)
    lacking = {p.row for p in answers.errors} & {p.row for p in own} if answers else ()
    if answers and (not lacking or recall_baseline(run.state, run.plan.base, test.identity)):
        return name, answers
    raise ConfigError(f"--against baseline: the base of {run} was not asked all of the test set")


def find_judged(state: StateDir, name: str) -> Run:
    """Return what this name stands for: a run, or the newest evaluation of a model without one.

    A run has its id or the beginning of it, an evaluation that too, or the spec of its model.
    `latest` is what was trained or judged last. Raises RunNotFound unless the name fits one.
    """
    runs: list[Run] = []
    try:
        runs = [find_finished(state, name)]
        if name != "latest":
            return runs[0]
    except RunNotFound as error:
        unknown = str(error)
    ids = {path.parents[1].name for path in state.folder.glob("evaluations/*/scorecards/*.json")}
    judged = sorted((Evaluation(state, id_) for id_ in ids), key=_age)
    runs += [e for e in judged if name == "latest" or e.spec == mask(name)][-1:]
    runs = runs or [e for e in judged if name and e.id.startswith(name)]
    if len(runs) == 1 or (runs and name == "latest"):
        return max(runs, key=_age)
    specs = ", ".join(dict.fromkeys(e.spec for e in judged)) or "none"
    raise RunNotFound(f"{unknown}; models judged without a run: {specs}")


def _age(run: Run) -> tuple[datetime, int]:
    """Return when something was trained or judged last, as a key that sorts the newest last."""
    ages = [time_key(path, card["made"]) for path, card in read_scorecards(run).items()]
    return max(ages if isinstance(run, Evaluation) else [*ages, run.age])


def measure_baseline(
    model: Model, spec: str, test: Dataset, rule: LabelRule, state: StateDir, progress: Progress
) -> Predictions:
    """Put the test set to the base model, opened by `spec`, and record how many are right."""
    predictions = predict(model, test, state, progress)
    record = {**predictions_summary(predictions, rule), "model": mask(spec), "digest": model.digest}
    state.write_sealed(_record_path(state, spec, test.identity), record)
    return predictions


def recall_baseline(
    state: StateDir, spec: str, test_identity: str, *, sealed: bool = False
) -> dict[str, Any] | None:
    """Return the record of this base model on this test set; None where it was not measured.

    It holds `model`, `digest`, `test`, `n`, `right` and `errors`. Older versions wrote it without a
    seal: with `sealed`, such a record is none. Raises SealBroken where it was changed.
    """
    path = _record_path(state, spec, test_identity)
    if not path.exists():
        return None
    try:
        record: Any = json.loads(path.read_bytes())
    except ValueError:
        record = None
    if not isinstance(record, dict) or "seal" in record:
        return state.read_sealed(path, f"remove {path}: it is measured again")
    return record if record.keys() >= RECORD_KEYS and not sealed else None


def _record_path(state: StateDir, spec: str, test_identity: str) -> Path:
    return state.path("baselines", f"{sha256_json(spec)[:12]}-{test_identity[:12]}.json")
