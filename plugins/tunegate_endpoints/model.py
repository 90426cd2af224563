"""Opens `openai:NAME` and `anthropic:NAME`: models behind an HTTP endpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tunegate.config import schema
from tunegate.interfaces.model import Answer, Budget, Model, ModelUnknown, Request
from tunegate.utils import optional_deps
from tunegate.utils.hashing import sha256_json
from tunegate.utils.masking import hide_key

from .async_bridge import iterate_async
from .providers import AnthropicProvider, OpenAIProvider, Provider
from .retry import Clock
from .settings import Settings, merge_settings


@dataclass
class Endpoint:
    """A model behind an endpoint. The key stands in no digest, cache or message."""

    name: str
    provider: Provider
    settings: Settings
    key: str = field(default="", repr=False)
    budget: Budget = field(default_factory=Budget)
    clock: Clock = field(default_factory=Clock)
    digest: str = field(init=False)
    temperature: float | str = field(init=False)  # "default": that of the server

    def __post_init__(self) -> None:
        # Of what makes the answers, not of the key or the speed. Nobody sees the weights: a server
        # that changes them under the same name goes unnoticed.
        s = self.settings
        self.temperature = s.temperature
        identity = [self.provider.name, s.base_url.rstrip("/"), s.model]
        self.digest = sha256_json({"endpoint": identity, "decoding": s.decoding})

    def with_budget(self, budget: Budget) -> Model:
        """Return the model, spending from this budget; raise ModelUnknown without prices."""
        s = self.settings
        if budget.cost is not None and (s.price_in is None or s.price_out is None):
            raise ModelUnknown(
                f"--max-cost needs the prices of {self.name}: set price_in and price_out, in USD "
                f'per million tokens, in [models."{self.name.partition(":")[2].partition("?")[0]}"]'
            )
        return replace(self, budget=budget)

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as it comes, in any order; latency is that of the try that succeeded.

        Raises ModelUnknown where no request can succeed: a wrong key, name or address.
        """
        if requests:
            yield from iterate_async(partial(self._ask, requests))

    async def _ask(self, requests: Sequence[Request], emit: Callable[[Answer], None]) -> None:
        from .dispatch import Dispatcher
        from .http import open_connection

        async with open_connection(
            self.provider, self.settings, self.key, self.clock
        ) as connection:
            await Dispatcher(connection, self.budget, emit).run(requests)


def open_endpoint(provider: Provider, rest: str, root: Path) -> Endpoint:
    """Open `PROVIDER:NAME`; raises ModelUnknown, ConfigError."""
    name = f"{provider.name}:{rest}"
    if missing := optional_deps.missing_packages(name, "endpoints", "aiohttp"):
        raise ModelUnknown(missing)
    tables = schema.load(root).models
    base = os.environ.get(provider.base_env) or provider.official_url
    try:
        settings, set_fields = merge_settings(rest, provider.name, base, provider.defaults, tables)
        return Endpoint(name, provider, settings, _key_of(provider, settings, set_fields))
    except ValueError as error:
        raise ModelUnknown(f"{provider.name}:{rest.partition('?')[0]}: {error}") from None


open_openai = partial(open_endpoint, OpenAIProvider())
open_anthropic = partial(open_endpoint, AnthropicProvider())


def _key_of(provider: Provider, settings: Settings, set_fields: frozenset[str]) -> str:
    """Return the API key, "" for none; raise ValueError where its variable is not set.

    A server other than the provider's own gets a key only where `key_env` names the variable.
    """
    is_elsewhere = "base_url" in set_fields and not settings.base_url.startswith(
        provider.official_url
    )
    variable = settings.key_env
    if variable is None:
        variable = "" if is_elsewhere else provider.key_env
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ValueError(f"no key: the environment variable {variable} is not set (key_env)")
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"the environment variable {variable} holds something that is no key")
    hide_key(key)
    return key
