"""Opens `openai:NAME` and `anthropic:NAME`: models behind an HTTP endpoint."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from string import Template
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tunegate.config import schema
from tunegate.interfaces.model import Answer, Budget, Model, ModelUnknown, Request
from tunegate.utils import optional_deps
from tunegate.utils.files import sha256_json
from tunegate.utils.masking import hide_key
from tunegate.utils.text import did_you_mean

from .providers import AnthropicProvider, Clock, OpenAIProvider, Provider
from .settings import Settings, merge_settings

T = TypeVar("T")


@dataclass
class Endpoint:
    """A model behind an endpoint; no digest, cache or message holds `key` or `variables`."""

    name: str
    provider: Provider
    settings: Settings
    key: str = field(default="", repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    budget: Budget = field(default_factory=Budget)
    clock: Clock = field(default_factory=Clock)
    digest: str = field(init=False)
    temperature: float | str = field(init=False)  # "default": that of the server

    def __post_init__(self) -> None:
        # Of what makes the answers, not of the key or the speed. Nobody sees the weights: where a
        # server changes them under the same name, `Answer.served_by` may tell.
        s = self.settings
        self.temperature = s.temperature
        identity = [self.provider.name, s.base_url.rstrip("/"), s.model]
        self.digest = sha256_json({"endpoint": identity, "decoding": s.decoding})

    def with_budget(self, budget: Budget) -> Model:
        """Return the model, spending from this budget; raise ModelUnknown without prices."""
        s = self.settings
        if budget.cost is not None and (s.price_in is None or s.price_out is None):
            table = f'[models."{self.name.partition(":")[2].partition("?")[0]}"]'
            remedy = f"set price_in and price_out, in USD per million tokens, in {table}"
            raise ModelUnknown(f"--max-cost needs the prices of {self.name}: {remedy}")
        return replace(self, budget=budget)

    def sampled(self, temperature: float, schema: Mapping[str, Any]) -> Model:
        """Return the model at a temperature, unless another is set, in JSON of a schema."""
        s = self.settings
        extra = {**s.extra, **(self.provider.json_form(schema, s.extra) if schema else {})}
        own = s.temperature if "temperature" in s.model_fields_set else temperature
        return replace(self, settings=s.model_copy(update={"temperature": own, "extra": extra}))

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as it comes; latency is of the last try; raises ModelUnknown."""
        if requests:
            yield from iterate_async(partial(self._ask, requests))

    async def _ask(self, requests: Sequence[Request], emit: Callable[[Answer], None]) -> None:
        from .dispatch import Connection, Dispatcher, open_session

        headers = self.provider.headers(self.key, self.settings.key_header)
        for header, value in self.settings.headers.items():
            headers[header] = Template(value).substitute(self.variables)
        secrets = [self.key, *self.variables.values()]
        async with open_session(self.settings, headers) as http:
            connection = Connection(http, self.provider, self.settings, self.clock)
            await Dispatcher(connection, self.budget, emit, secrets).run(requests)


def iterate_async(work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> Iterator[T]:
    """Run `work(emit)` in a thread of its own and yield what it emits; raise what it raises.

    A thread, because the caller's may hold an event loop already (a notebook does) and may take
    its time with each value. Closing the iterator cancels the work and waits until it has ended.
    """
    values: SimpleQueue[Any] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(values.put))
    task.add_done_callback(values.put)  # the task itself marks the end of the values

    def run_loop() -> None:
        asyncio.set_event_loop(loop)
        try:
            with suppress(BaseException):  # raised below, by `task.result()`
                loop.run_until_complete(task)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    thread = threading.Thread(target=run_loop, name="endpoint", daemon=True)
    thread.start()
    try:
        while (value := values.get()) is not task:
            yield value
        task.result()
    finally:
        with suppress(RuntimeError):  # the loop is closed when the work has ended
            loop.call_soon_threadsafe(task.cancel)
        thread.join()


def open_endpoint(provider: Provider, rest: str, root: Path) -> Endpoint:
    """Open `PROVIDER:NAME`; raises ModelUnknown, ConfigError."""
    name = f"{provider.name}:{rest}"
    if missing := optional_deps.missing_packages(name, "endpoints", "aiohttp"):
        raise ModelUnknown(missing)
    config = schema.load(root)
    base = os.environ.get(provider.base_env) or provider.official_url
    try:
        known = provider.name, base, provider.defaults, config.models
        settings, set_fields = merge_settings(rest, *known)
        if "base_url" not in set_fields:
            _check_known(provider, rest.partition("?")[0], config)
        official, asked = urlsplit(provider.official_url), urlsplit(settings.base_url)
        is_elsewhere = "base_url" in set_fields and official[:2] != asked[:2]
        # Another server gets a key by `key_env` alone, and none by "".
        usual = "" if is_elsewhere else provider.key_env
        variable = usual if settings.key_env is None else settings.key_env
        key = _variable(variable, "key_env") if variable else ""
        templates = map(Template, settings.headers.values())
        variables = {v: _variable(v, "headers") for t in templates for v in t.get_identifiers()}
        return Endpoint(name, provider, settings, key, variables)
    except ValueError as error:
        raise ModelUnknown(f"{provider.name}:{rest.partition('?')[0]}: {error}") from None


open_openai = partial(open_endpoint, OpenAIProvider())
open_anthropic = partial(open_endpoint, AnthropicProvider())


def _variable(name: str, setting: str) -> str:
    """Return a variable of the environment; raise ValueError where it is not set, or no key."""
    if not (key := os.environ.get(name, "").strip()):
        raise ValueError(f"no key: the environment variable {name} is not set ({setting})")
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"the environment variable {name} holds something that is no key")
    hide_key(key)
    return key


def _check_known(provider: Provider, name: str, config: schema.Config) -> None:
    """Raise ValueError for a name without a table of its own that may be a misspelt table's.

    It would go to the provider, who is paid. Two of three make it known: the configuration names
    it, it is named as the provider's own models are (`gpt-...`), and it is near no table's name.
    """
    # A strategy has `of`, a program `command`, the table of vLLM `command` or `options`.
    named = sorted(config.models.keys() - {"openai", "anthropic"})
    tables = [t for t in named if not config.models[t].keys() & {"of", "command", "options"}]
    near, spec = did_you_mean(name, tables), f"{provider.name}:{name}"
    # Baseline and judges are whole specs; the base of a training is a name.
    written = config.model_dump_json(exclude={"models", "limits"})
    is_mentioned = f'"{spec}"' in written or f'"{spec}?' in written
    is_own, is_base = name.startswith(provider.own_models), f'"base":"{name}"' in written
    is_known = name in config.models or name.startswith("ft:") or is_base
    if tables and not is_known and sum((is_mentioned, is_own, not near)) < 2:
        raise ValueError(f'no table [models."{name}"]{near}; write one, empty or with its prices')
