"""The settings of an endpoint: defaults, `[models.PROTOCOL]`, `[models.NAME]`, then the spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tunegate.config import explain

Whole = Annotated[int, Field(ge=1)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("need an address such as http://localhost:8000/v1")
    if parts.username or parts.password:
        raise ValueError("no user or password in the address: name the key's variable in key_env")
    return url


def _variable(name: str) -> str:
    if not re.fullmatch(r"([A-Za-z_]\w*)?", name):
        raise ValueError("need the NAME of an environment variable, never the key itself")
    return name


class Settings(BaseModel):
    """How an endpoint is asked. The first seven make its answers, and so its digest."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: Annotated[str, Field(min_length=1)]
    """The name that the server knows the model by; NAME of the spec where it is not set."""

    base_url: Annotated[str, AfterValidator(_address)]
    """The address up to `/v1`; a query behind it (Azure's `?api-version=...`) stays behind it."""

    temperature: Annotated[float, Field(ge=0, le=2)] | Literal["default"] = 0.0
    """`default` leaves it out of the request: some reasoning models take no other."""

    max_tokens: Whole = 1024
    """The longest answer in tokens, reasoning included; a longer one is cut off."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls it: `max_completion_tokens` at OpenAI."""

    seed: int | None = None
    """Sent where it is set."""

    extra: dict[str, Any] = {}
    """More fields of the request's body, such as `{reasoning_effort = "low"}`."""

    key_env: Annotated[str, AfterValidator(_variable)] | None = None
    """The environment variable that holds the key; "" sends none."""

    key_header: str | None = None
    """The header that carries the key, such as Azure's `api-key`."""

    connections: Annotated[int, Field(ge=1, le=1000)] = 20
    """The most requests in flight; fewer while the server pushes back."""

    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds that one answer may take."""

    tries: Whole = 6
    """How often one answer is asked for."""

    price_in: Price | None = None
    """USD per million tokens of the prompt."""

    price_out: Price | None = None
    """USD per million tokens of the answer."""

    @property
    def decoding(self) -> dict[str, Any]:
        """What makes the answers, beside protocol, address and model."""
        return self.model_dump(include={"temperature", "max_tokens", "seed", "extra"})


def settle(
    rest: str, protocol: str, defaults: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]
) -> tuple[Settings, frozenset[str]]:
    """Return the settings of `PROTOCOL:NAME?key=value&...`, and which of them somebody said.

    Raises ValueError naming each bad key or value, and where it stands.
    """
    name, _, query = rest.partition("?")
    if not name:
        raise ValueError(f"name a model, such as {protocol}:NAME")
    named = {f"[models.{table}] ": tables.get(table, {}) for table in (protocol, name)}
    if name != protocol and "model" in tables.get(protocol, {}):
        raise ValueError(f"[models.{protocol}] holds for every model: no `model` there")
    said: dict[str, Any] = {}
    overruled = dict(parse_qsl(query, keep_blank_values=True))
    for where, values in {"environment: ": {}, **named, "": overruled}.items():
        _check(values, defaults, where)
        if "base_url" in values:  # a key goes to the server that it was named for
            said = {k: v for k, v in said.items() if not k.startswith("key_")}
        said |= values
    return Settings.model_validate({"model": name, **defaults, **said}), frozenset(said)


def _check(values: Mapping[str, Any], defaults: Mapping[str, Any], where: str) -> None:
    try:
        Settings.model_validate({"model": "-", **defaults, **values})
    except ValidationError as error:
        raise ValueError("; ".join(where + _told(dict(e)) for e in error.errors())) from None


def _told(error: dict[str, Any]) -> str:
    key = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return explain(error, Settings)
    # The value is not echoed where somebody may have put a key or a password into it.
    hidden = key.startswith("key_") or "@" in str(error["input"])
    value = "" if hidden else f" = {error['input']!r}"
    return f"{key}{value}: {error['msg'].removeprefix('Value error, ')}"
