"""The configuration: `tunegate.toml`, or `[tool.tunegate]` in pyproject.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .project import ConfigError, nearest, read_table
from .suites import USUAL


class Section(BaseModel):
    """A table of the configuration; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """The files of the three splits, relative to the configuration."""

    train: str | None = None
    validation: str | None = None
    test: str | None = None


class Suites(Section):
    """The folders whose tests are the gates, relative to the configuration."""

    data: str = USUAL["data"]
    model: str = USUAL["model"]


def _share(default: float) -> Any:
    return Field(default=default, ge=0, le=1)


class Limits(Section):
    """What the suites hold data and models to. `own` is for limits of your own checks."""

    # Data: format, size and splits.
    fewest_examples: int = 10
    largest_mb: float = 512
    smallest_test: int = 100
    validation_low: float = _share(0.15)
    validation_high: float = _share(0.20)
    psi: float = 0.25
    drift_auc: float = _share(0.8)
    # Data: duplicates, leakage, balance.
    similarity: float = _share(0.85)
    near_duplicates: float = _share(0.02)
    rarest_class: float = _share(0.1)
    # Models.
    accuracy: float = _share(0.95)
    macro_f1: float = _share(0.90)
    improvement: float = Field(default=0.0, ge=-1, le=1)
    own: dict[str, float] = {}

    def __repr__(self) -> str:
        """Return a short form: pytest shows it beside every failed comparison."""
        return "<limits>"


class Config(Section):
    """Everything a project says about its gates."""

    task: Literal["style", "qa", "classification", "code"] = "classification"
    baseline: str | None = None  # for candidates that belong to no run: any model spec
    data: Data = Data()
    suites: Suites = Suites()
    limits: Limits = Limits()
    train: dict[str, dict[str, Any]] = {}


def load(root: Path) -> Config:
    """Read the configuration of the project at `root`.

    Raises ConfigError naming the file, the key or value that is wrong, and the valid ones.
    """
    path, table = read_table(root)
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        lines = [f"{path}: {explain(e, Config)}" for e in error.errors()]
        raise ConfigError("\n".join(lines)) from None


def explain(error: Any, model: type[BaseModel]) -> str:
    """Turn one of pydantic's errors into a line that names the key and what is valid."""
    *table, key = [str(part) for part in error["loc"]]
    dotted = ".".join([*table, key])
    if error["type"] != "extra_forbidden":
        return f"{dotted} = {error['input']!r}: {error['msg']}"
    valid = _fields(model, table)
    return f"unknown key {dotted!r}{nearest(key, valid)}; valid here: {', '.join(valid)}"


def _fields(model: type[BaseModel], table: list[str]) -> list[str]:
    for name in table:
        inner = model.model_fields[name].annotation if name in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
