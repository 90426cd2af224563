"""`--each-example`: one pytest item per test example, named so that it keeps its name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from .project import ConfigError
from .sealed import digest_of

if TYPE_CHECKING:
    import pytest

    from .dataset import Dataset

FILE = "test_each_example.py"  # in a suite; collected only where it is asked for


def wanted(config: pytest.Config, suite: Path | None) -> bool:
    """Return whether `--each-example` was given; raises ConfigError where it can run nothing."""
    if not config.getoption("each_example"):
        return False
    if suite is None or not config.getoption("model"):
        raise ConfigError("--each-example goes with a model suite and --model MODEL")
    if not (suite / FILE).is_file():
        raise ConfigError(
            f"--each-example runs {suite / FILE}, which is not there; `tunegate init` writes it"
        )
    return True


def parametrize(metafunc: pytest.Metafunc, test: Dataset) -> None:
    """Run a test that asks for `prediction` once per test example."""
    metafunc.parametrize("prediction", range(len(test)), ids=names(test), indirect=True)


def names(test: Dataset) -> list[str]:
    """Return a name for each example that depends on what it says, not on where it stands.

    Eight hexadecimal digits; an example that stands there twice gets `-2` behind it.
    """
    seen: Counter[str] = Counter()
    found = []
    for example in test:
        name = digest_of([example.system, example.text])[:8]
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return found
