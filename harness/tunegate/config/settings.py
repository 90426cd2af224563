"""Validates tables of settings with pydantic, and explains its errors."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ..utils.text import did_you_mean

T = TypeVar("T", bound=BaseModel)


def parse_settings(model: type[T], values: Mapping[str, Any]) -> T:
    """Return a plugin's settings with defaults; raises ValueError naming each bad key or value."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        # A value of a union has an error for each of its types: one message for each key.
        by_key = groupby(error.errors(), key=lambda e: str(e["loc"][0]))
        errors_by_key = {key: [*errors] for key, errors in by_key}
    messages, valid = [], sorted(model.model_fields)
    for key, errors in errors_by_key.items():
        if errors[0]["type"] == "missing":
            said = " ".join((model.model_fields[key].description or "").split()).rstrip(".")
            messages.append(f"`{key}` is missing" + f": {said[:1].lower()}{said[1:]}" * bool(said))
        elif errors[0]["type"] == "extra_forbidden":
            hint = did_you_mean(key, valid)
            messages.append(f"unknown setting `{key}`{hint}; valid: {', '.join(valid)}")
        else:
            needs = dict.fromkeys(str(e["msg"]).removeprefix("Input ") for e in errors)
            messages.append(f"{key} = {errors[0]['input']!r}: the value {' or '.join(needs)}")
    raise ValueError("; ".join(messages))


def explain_error(error: Any, model: type[BaseModel], *, show_value: bool = True) -> str:
    """Return a line for an item of pydantic's `errors()`: key, value (`show_value`), valid ones."""
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(message)
    *tables, key = [str(part) for part in error["loc"]]
    path = ".".join([*tables, key])
    if error["type"] == "missing":
        return f"{path} is missing"
    if error["type"] != "extra_forbidden":
        return f"{path} = {error['input']!r}: {message}" if show_value else f"{path}: {message}"
    for table in tables:
        if table in model.model_fields:  # else a place in a list, or a key in a dict, of tables
            annotation = model.model_fields[table].annotation
            types = [t for t in (annotation, *get_args(annotation)) if isinstance(t, type)]
            model = next((t for t in types if issubclass(t, BaseModel)), model)
    valid = [field.alias or name for name, field in model.model_fields.items()]
    return f"unknown key {path!r}{did_you_mean(key, valid)}; valid here: {', '.join(valid)}"
