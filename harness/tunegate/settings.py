"""From a table of the configuration to a record of settings, for plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .project import nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T", bound="BaseModel")


def settle(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a record of the values; raises ValueError naming each bad key or value, in one line."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        valid = sorted(kind.model_fields)
        wrong: dict[str, list[dict[str, Any]]] = {}
        for e in error.errors():
            wrong.setdefault(str(e["loc"][0]), []).append(dict(e))
        raise ValueError("; ".join(_told(k, es, valid) for k, es in wrong.items())) from None


def _told(key: str, errors: list[dict[str, Any]], valid: list[str]) -> str:
    if errors[0]["type"] == "missing":
        return f"`{key}` is missing"
    if errors[0]["type"] == "extra_forbidden":
        return f"unknown setting `{key}`{nearest(key, valid)}; valid: {', '.join(valid)}"
    needs = " or ".join(dict.fromkeys(str(e["msg"]).removeprefix("Input ") for e in errors))
    return f"{key} = {errors[0]['input']!r}: the value {needs}"
