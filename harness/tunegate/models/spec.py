"""Resolves what `--model` names to a model spec and the run that made it, and opens specs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from ..config.schema import load
from ..errors import ConfigError
from ..interfaces.installed import Installed, ModelOpener
from ..interfaces.model import Model, ModelUnknown
from ..storage.registry import Registry
from ..storage.state_dir import Run, RunNotFound, SealBroken, StateDir, find_finished
from .strategies import open_strategy

RUN_SPECS = ("run:", "vllm:")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The model that a session scores."""

    spec: str  # it opens the model
    run: Run | None  # it made the model; without one it may be scored, and never promoted
    digest: str = ""  # the one of the run's record, or that its record would hold
    checkpoint: str = ""  # the model's name in that record; behind "?" stands its decoding

    @property
    def base(self) -> str:
        """The base of the run, with the decoding of this model; "" where there is no run."""
        return with_query(self.run.plan.base, self.checkpoint.partition("?")[2]) if self.run else ""


def resolve_candidate(
    option: str, state: StateDir, installed: Callable[[], Installed] = Installed
) -> Candidate:
    """Resolve the value of `--model`: `latest`, `run:ID@CHECKPOINT`, `alias:NAME`, a model spec.

    A query (`run:ID?max_new_tokens=400`) makes the same model answer otherwise; `vllm:ID` is short
    for `run:ID?engine=vllm`. A spec (`openai:ft:...`, an adapter's folder) is looked up in the
    records of all runs whose seals hold. Raises ModelUnknown where a run or checkpoint is named
    that is not there, or an alias that nothing was promoted to.
    """
    if option.startswith("alias:"):
        if (entry := Registry(state.root).current(option.removeprefix("alias:"))) is None:
            raise ModelUnknown(f"--model {option}: nothing was promoted to it")
        option = entry["model"]
    if option.startswith("vllm:"):
        option = with_query(f"run:{option.removeprefix('vllm:')}", "engine=vllm")
    run_text, _, query = option.removeprefix("run:").partition("?")
    name, _, checkpoint = run_text.partition("@")
    if option.startswith("run:") or name == "latest":
        try:
            run = find_finished(state, name)
            name = with_query(checkpoint, query)
            if query and name not in run.record.get("checkpoints", {}):
                return decode_otherwise(run, name, query, installed())
            spec, digest = run.model_of(name)
        except (RunNotFound, SealBroken) as error:
            raise ModelUnknown(f"--model {option}: {error}") from None
        return Candidate(spec, run, digest, name)
    for path in state.runs.glob("*/run.json"):
        run = Run(state, path.parent.name)
        try:
            models = {n: run.model_of(n) for n in ["", *run.record.get("checkpoints", {})]}
        except SealBroken:
            continue
        for name, (spec, digest) in models.items():
            if spec in (option, f"folder:{option}"):
                return Candidate(spec, run, digest, name)
    return Candidate(option, None)


def decode_otherwise(run: Run, name: str, query: str, installed: Installed) -> Candidate:
    """Return a model of a run with other decoding, not recorded; raises ModelUnknown."""
    valid = getattr(installed.trainers.get(run.plan.trainer), "decoding", {})
    for key, _ in parse_qsl(query, keep_blank_values=True):
        if key not in valid:
            names = ", ".join(valid) or "none"
            raise ModelUnknown(f"run:{run.id}?{query}: {key!r} is no decoding; valid: {names}")
    (spec, digest), root = run.model_of(name.partition("?")[0]), run.state.root
    if open_model(spec, root, installed.openers).digest != digest:
        raise ModelUnknown(f"run:{run.id}: its model is not the one that was trained")
    spec = with_query(spec, query)
    return Candidate(spec, run, open_model(spec, root, installed.openers).digest, name)


def with_query(spec: str, query: str) -> str:
    """Return a spec with the settings of a query, sorted; without a query, the spec as it is."""
    place, _, own = spec.partition("?")
    settings = dict(parse_qsl(f"{own}&{query}", keep_blank_values=True))
    return f"{place}?{urlencode(sorted(settings.items()))}" if query else spec


def model_spec(base: str, openers: dict[str, ModelOpener]) -> str:
    """Return a base model as a spec: `folder:` is put before a path or the name on a model hub."""
    is_spec = base.partition(":")[0] in openers or base.startswith(RUN_SPECS)
    return base if is_spec else f"folder:{base}"


def open_model(spec: str, root: Path, openers: dict[str, ModelOpener]) -> Model:
    """Open a model by its spec `SCHEME:REST`, a strategy, or a folder; raises ModelUnknown."""
    scheme, colon, rest = spec.partition(":")
    if colon and scheme in openers:
        return openers[scheme](rest, root)
    if spec.startswith(RUN_SPECS) or spec == "latest":  # `resolve_candidate` reads those of --model
        named = "name its model instead, such as folder:.tunegate/runs/ID/adapter"
        raise ModelUnknown(f"{spec}: only --model takes a run; {named}")
    if spec in (config := load(root)).strategies:
        return open_strategy(spec, root, config, lambda of: open_model(of, root, openers))
    if (root / spec).is_dir() and "folder" in openers:
        return openers["folder"](spec, root)
    schemes = ", ".join([*sorted(config.strategies), *(f"{s}:..." for s in sorted(openers))])
    raise ModelUnknown(f"no model {spec!r}; valid: latest, run:ID, a folder, {schemes}")


def open_unchanged(
    spec: str, digest: str, run: str, root: Path, openers: dict[str, ModelOpener]
) -> Model:
    """Open the model of a run; raises ConfigError where it is not the one that was trained."""
    model = open_model(spec, root, openers)
    if model.digest != digest:
        raise ConfigError(f"{run}: its model was changed since it was trained")
    return model
