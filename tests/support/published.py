"""Holds real files and outputs to the schemas that tools/schemas.py publishes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import schemas


def check(name: str, value: Any) -> None:
    """Hold a value to a schema that allows no key that it does not name."""
    validator = Draft202012Validator(schemas.schema_of(name, strict=True))
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
    assert not errors, (name, errors[:5])
