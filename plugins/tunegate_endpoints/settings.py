"""The settings of an endpoint: defaults, `[models.PROTOCOL]`, `[models.NAME]`, then the spec."""

import re
from collections.abc import Callable, Mapping
from string import Template
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tunegate.config.schema import explain_error

PositiveInt = Annotated[int, Field(ge=1)]
_SECRETS = ("key_", "headers")  # what the names of fields with secrets begin with
MaxTokensField = Literal["max_tokens", "max_completion_tokens"]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _checked_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("need an address such as http://localhost:8000/v1")
    if parts.username or parts.password:
        raise ValueError("no user or password in the address: name the key's variable in key_env")
    return url


def _checked_variable(name: str) -> str:
    if not re.fullmatch(r"([A-Za-z_]\w*)?", name):
        raise ValueError("need the NAME of an environment variable, never the key itself")
    return name


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        template, is_plain = Template(value), value.isascii() and value.isprintable()
        if not (re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII) and is_plain):
            raise ValueError(f"{name!r}: a header has a name without spaces, and printable ASCII")
        is_secret = re.search("key|token|secret|auth|cookie|passw", name, re.IGNORECASE)
        if not template.is_valid() or (is_secret and not template.get_identifiers()):
            raise ValueError(f"{name}: need an environment variable as $NAME; a dollar is $$")
    return headers


class Settings(BaseModel):
    """How an endpoint is asked. The first seven and `headers` make its answers, and its digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The name that the server knows the model by; NAME of the spec where it is not set.
    model: Annotated[str, Field(min_length=1)]
    # The address up to `/v1`; a query behind it (Azure's `?api-version=...`) stays behind it.
    base_url: Annotated[str, AfterValidator(_checked_address)]
    # `default` leaves it out of the request: some reasoning models take no other.
    temperature: Annotated[float, Field(ge=0, le=2)] | Literal["default"] = 0.0
    # The longest answer in tokens, reasoning included; a longer one is cut off.
    max_tokens: PositiveInt = 1024
    # What the server calls it: `max_completion_tokens` at OpenAI.
    max_tokens_field: MaxTokensField = "max_tokens"
    seed: int | None = None  # sent where it is set
    # More fields of the request's body, such as `{reasoning_effort = "low"}`.
    extra: dict[str, Any] = {}
    # The environment variable that holds the key; "" sends none.
    key_env: Annotated[str, AfterValidator(_checked_variable)] | None = None
    key_header: str | None = None  # the header that carries the key, such as Azure's `api-key`
    # More headers; `$NAME` in a value is that environment variable, as for a second key.
    headers: Annotated[dict[str, str], AfterValidator(_checked_headers)] = {}
    # The most requests in flight; fewer while the server pushes back.
    connections: Annotated[int, Field(ge=1, le=1000)] = 20
    timeout: Annotated[float, Field(gt=0)] = 120.0  # seconds that one answer may take
    tries: PositiveInt = 6  # how often one answer is asked for
    price_in: Price | None = None  # USD per million tokens of the prompt
    # USD per million tokens of the prompt that the server had in its cache; else `price_in`.
    price_cached: Price | None = None
    price_out: Price | None = None  # USD per million tokens of the answer, reasoning included

    @property
    def decoding(self) -> dict[str, Any]:
        """What makes the answers, beside protocol, address and model."""
        decoding = self.model_dump(include={"temperature", "max_tokens", "seed", "extra"})
        return {**decoding, **({"headers": self.headers} if self.headers else {})}

    def price(self, prompt_tokens: int, tokens: int, cached: int = 0) -> float:
        """Return what tokens cost in USD, those `cached` of the prompt too; no price is 0."""
        price_in = self.price_in or 0.0
        cost = prompt_tokens * price_in + tokens * (self.price_out or 0.0)
        if self.price_cached is not None:
            cost -= cached * (price_in - self.price_cached)
        return cost / 1_000_000


def merge_settings(
    rest: str, protocol: str, base_url: str, defaults_at: Callable[[str], Mapping[str, Any]],
    tables: Mapping[str, Mapping[str, Any]],
) -> tuple[Settings, frozenset[str]]:  # fmt: skip
    """Return the settings of `PROTOCOL:NAME?key=value&...`, and the names of those that were set.

    `defaults_at` gives those at an address. Raises ValueError naming each bad key or value.
    """
    name, _, query = rest.partition("?")
    if not name:
        raise ValueError(f"name a model, such as {protocol}:NAME")
    tables_by_source = {f"[models.{table}] ": tables.get(table, {}) for table in (protocol, name)}
    if name != protocol and "model" in tables.get(protocol, {}):
        raise ValueError(f"[models.{protocol}] holds for every model: no `model` there")
    values_set: dict[str, Any] = {}
    query_values = dict(parse_qsl(query, keep_blank_values=True))
    for source, values in {"environment: ": {}, **tables_by_source, "": query_values}.items():
        try:
            Settings.model_validate({"model": "-", "base_url": base_url, **values})
        except ValidationError as error:
            lines = []
            for e in error.errors():
                # A value is not shown where somebody may have put a key or a password into it.
                is_hidden = str(e["loc"][0]).startswith(_SECRETS) or "@" in str(e["input"])
                lines.append(source + explain_error(dict(e), Settings, show_value=not is_hidden))
            raise ValueError("; ".join(lines)) from None
        if "base_url" in values:  # a key goes to the server that it was named for
            values_set = {k: v for k, v in values_set.items() if not k.startswith(_SECRETS)}
        values_set |= values
    url = values_set.get("base_url", base_url)
    merged = {"model": name, "base_url": url, **defaults_at(url), **values_set}
    return Settings.model_validate(merged), frozenset(values_set)
