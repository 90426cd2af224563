"""`--each-example`: one pytest item per test example, named so that it keeps its name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..utils.hashing import sha256_json

if TYPE_CHECKING:
    import pytest

    from ..data.dataset import Dataset

EACH_EXAMPLE_FILE = "test_each_example.py"  # in a suite; collected only where it is asked for


def is_requested(config: pytest.Config, suite: Path | None) -> bool:
    """Return whether `--each-example` was given; raises ConfigError where it can run nothing."""
    if not config.getoption("each_example"):
        return False
    if suite is None or not config.getoption("model"):
        raise ConfigError("--each-example goes with a model suite and --model MODEL")
    if not (suite / EACH_EXAMPLE_FILE).is_file():
        raise ConfigError(
            f"--each-example runs {suite / EACH_EXAMPLE_FILE}, which is not there; `tunegate init` writes it"
        )
    return True


def parametrize_predictions(metafunc: pytest.Metafunc, test: Dataset) -> None:
    """Run a test that asks for `prediction` once per test example."""
    metafunc.parametrize("prediction", range(len(test)), ids=example_ids(test), indirect=True)


def example_ids(test: Dataset) -> list[str]:
    """Return a name for each example that depends on what it says, not on where it stands.

    Eight hexadecimal digits; an example that stands there twice gets `-2` behind it.
    """
    seen: Counter[str] = Counter()
    ids = []
    for example in test:
        name = sha256_json([example.system, example.text])[:8]
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids
