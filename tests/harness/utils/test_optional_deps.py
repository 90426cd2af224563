"""What is missing is named, with the command that installs it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from tunegate.utils.optional_deps import (
    MissingDependency,
    install_command,
    missing_packages,
    require,
)

ROOT = Path(__file__).parents[3]


def test_what_is_there_is_returned_and_not_told_of() -> None:
    assert require("json", "text") is json
    assert missing_packages("who", "text", "json", "re") == ""


def test_what_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(
        MissingDependency, match=r"^no_such is not installed: pip install 'tunegate\[text\]'$"
    ):
        require("no_such.inner", "text")
    told = missing_packages("who", "qlora", "json", "no_such", "nor_such")
    assert told == "who needs no_such, nor_such: pip install 'tunegate[qlora]'"


def test_every_extra_that_is_named_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    sources = [p for part in ("harness", "checks", "plugins") for p in (ROOT / part).rglob("*.py")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    named = {*re.findall(r"""(?:install_command|require)\((?:[^)]*, )?['"](\w+)['"]\)""", text)}
    assert {"text", "qlora", "parquet"} <= named <= {*project["optional-dependencies"]}


def test_the_command() -> None:
    assert install_command("fast") == "pip install 'tunegate[fast]'"
