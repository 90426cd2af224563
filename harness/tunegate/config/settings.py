"""From a table of the configuration to a record of settings, for plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..utils.text import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T", bound="BaseModel")


def parse_settings(model: type[T], values: Mapping[str, Any]) -> T:
    """Make a record of the values; raises ValueError naming each bad key or value, in one line."""
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        valid = sorted(model.model_fields)
        errors_by_key: dict[str, list[dict[str, Any]]] = {}
        for e in error.errors():
            errors_by_key.setdefault(str(e["loc"][0]), []).append(dict(e))
        raise ValueError(
            "; ".join(_error_text(k, es, valid) for k, es in errors_by_key.items())
        ) from None


def _error_text(key: str, errors: list[dict[str, Any]], valid: list[str]) -> str:
    if errors[0]["type"] == "missing":
        return f"`{key}` is missing"
    if errors[0]["type"] == "extra_forbidden":
        return f"unknown setting `{key}`{did_you_mean(key, valid)}; valid: {', '.join(valid)}"
    needs = " or ".join(dict.fromkeys(str(e["msg"]).removeprefix("Input ") for e in errors))
    return f"{key} = {errors[0]['input']!r}: the value {needs}"
