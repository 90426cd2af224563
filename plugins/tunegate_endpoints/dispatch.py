"""Sends many requests concurrently, with retries, an adaptive limit and a budget in USD.

No library that was looked at joins an adaptive limit, `Retry-After` and a budget that is reserved
before each request; retry libraries (stamina, tenacity) know each request by itself.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import count
from typing import Any, get_args
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from tunegate.interfaces.model import Answer, Budget, ModelUnknown, Request
from tunegate.utils.masking import KeyEchoes, mask
from tunegate.utils.text import cut, one_line

from . import providers
from .providers import Clock, Failure, Provider, Reply, Usage
from .settings import MaxTokensField, Settings

MAX_REPLY_BYTES = 4 << 20  # an answer of a million tokens is smaller
CONNECT_SECONDS = 15.0
# Answers that failed one after another, without a success between them: the server is gone.
MAX_FAILED_IN_A_ROW = 20
INITIAL_IN_FLIGHT = 20  # requests in flight at the start, where so many may be
TEMPLATE_TOKENS = 64  # tokens that a chat template puts around a prompt, at most
# Of the dearest, 8 tiles for gpt-4o-mini: https://platform.openai.com/docs/guides/images-vision
PICTURE_TOKENS = 48_169
_PICTURE_DATA = re.compile(r'(?<="data": ")[^"]+|(?<=")data:image[^"]+')
MAX_ERROR_LETTERS = 300  # of a server's message in an error


@dataclass
class Connection:
    """The open connections to one server, and how to ask it; ModelUnknown for an unusable proxy."""

    http: aiohttp.ClientSession
    provider: Provider
    settings: Settings
    clock: Clock

    def __post_init__(self) -> None:
        base, _, query = self.settings.base_url.partition("?")  # the path goes before the query
        self.url = URL(self.provider.address(base.rstrip("/")) + (f"?{query}" if query else ""))
        self.proxy = proxy_for(self.url)
        self.via = f" through the proxy {self.proxy.with_user(None)}" if self.proxy else ""

    async def ask(self, body: Mapping[str, Any]) -> Reply | Failure:
        """Send one request and return its reply, or a Failure for any network or protocol error."""
        host = f"{self.url.host}{self.via}"
        try:
            return await self._post(json.dumps(body).encode())
        except aiohttp.ClientSSLError as error:
            return Failure(f"{host}: {error}", fatal=True, reached=False)
        except aiohttp.ClientHttpProxyError as error:  # it opens no tunnel
            reason = f"no connection to {host}: {error.status} {error.message}"
            return Failure(reason, retryable=error.status >= 500, reached=False)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Failure(f"no connection to {host}: {reason}", retryable=True, reached=False)
        except TimeoutError:
            reason = f"no answer within {self.settings.timeout:g} s (timeout)"
            return Failure(
                reason, retryable=True, max_tries=2, overloaded=True, billed=True, reached=False
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = f"the connection was cut: {error or type(error).__name__}"
            return Failure(reason, retryable=True, billed=True)

    async def _post(self, data: bytes) -> Reply | Failure:
        """Post the body and read the reply; network errors are raised as aiohttp raises them."""
        url = self.url
        asking = self.http.post(url, data=data, allow_redirects=False, proxy=self.proxy)
        async with asking as response:
            try:
                await response.content.readexactly(MAX_REPLY_BYTES + 1)
                response.close()  # do not download the rest
                return Failure(f"the reply is longer than {MAX_REPLY_BYTES >> 20} MB", billed=True)
            except asyncio.IncompleteReadError as whole:
                body = whole.partial
            if response.status == 404 and url.path == "/chat/completions":  # without its /v1
                self.url = url.with_path("/v1/chat/completions").with_query(url.query)
                return Failure("404", retryable=True)
            if 200 <= (status := response.status) < 300:
                result = self.provider.read_reply(body)
                if isinstance(result, Reply) or not (status := providers.status_in(body)):
                    return result
            return providers.failure_of_status(status, response.headers, body, self.clock)


def open_session(settings: Settings, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """Return a pool of connections that sends these headers, to be used in an `async with`."""
    timeout = aiohttp.ClientTimeout(total=settings.timeout, sock_connect=CONNECT_SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "tunegate", **headers}
    # AdaptiveLimit bounds what is in flight; a second bound here would hide the time spent waiting.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
    return aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=headers, cookie_jar=aiohttp.DummyCookieJar()
    )


def proxy_for(url: URL) -> URL | None:
    """Return the proxy that the environment names for an address, None for none.

    `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` name it, and `NO_PROXY` hosts, domains, addresses
    and networks (`10.0.0.0/8`) without one. Raises ModelUnknown for one that does not speak HTTP.
    """
    host, proxies = url.host or "", getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address or proxy_bypass(host):
        return None
    for entry in proxies.get("no", "").split(","):
        with suppress(ValueError):  # a name
            if ip_address(host) in ip_network(entry.strip(), strict=False):
                return None
    with suppress(ValueError):  # no address
        proxy = URL(address if "://" in address else f"http://{address}")
        if proxy.scheme in ("http", "https") and proxy.host:
            return proxy
    remedy = f"set {url.scheme.upper()}_PROXY to one that does, or NO_PROXY={host}"
    raise ModelUnknown(f"{host}: the proxy that the environment names speaks no HTTP: {remedy}")


class AdaptiveLimit:
    """A congestion window: a bound on the requests in flight.

    It doubles each round trip until the server first reports overload; from then on it grows by
    one a round trip and halves at each overload, once for requests that were in flight together.
    Source: TCP's congestion control, RFC 5681, section 3.1, after D.-M. Chiu and R. Jain (1989),
    Computer Networks and ISDN Systems 17:1-14.
    """

    def __init__(self, max_in_flight: int, clock: Clock) -> None:
        self.max_in_flight, self.clock = max_in_flight, clock
        self.window = float(min(INITIAL_IN_FLIGHT, max_in_flight))
        self.in_flight = self.round = 0
        self.is_doubling = True
        self.paused_until = 0.0  # `Clock.now` before which no request starts
        self._queue: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Wait for room and for the end of a pause; return the round, which `leave` wants."""
        while True:
            if (pause := self.paused_until - self.clock.now()) > 0:
                await self.clock.sleep(pause)
            elif self.in_flight < int(self.window):
                self.in_flight += 1
                return self.round
            else:
                slot = asyncio.get_running_loop().create_future()
                self._queue.append(slot)
                await slot

    def leave(self, round_entered: int, *, overloaded: bool = False, good: bool = False) -> None:
        """Free the place of a request; `overloaded` shrinks the window, `good` lets it grow."""
        self.in_flight -= 1
        if overloaded and round_entered == self.round:
            self.round += 1
            self.window, self.is_doubling = max(1.0, self.window / 2), False
        elif good:
            grown = self.window + (1.0 if self.is_doubling else 1.0 / self.window)
            self.window = min(float(self.max_in_flight), grown)
        for _ in range(min(len(self._queue), int(self.window) - self.in_flight)):
            slot = self._queue.popleft()
            if not slot.done():  # a cancelled waiter is done
                slot.set_result(None)

    def pause(self, seconds: float) -> None:
        """Let no request start for so many seconds."""
        self.paused_until = max(self.paused_until, self.clock.now() + seconds)


@dataclass
class Dispatcher:
    """Answers the requests of one call of `Endpoint.answers`; `emit` gets each as it comes."""

    connection: Connection
    budget: Budget
    emit: Callable[[Answer], None]
    secrets: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.settings, self.clock = self.connection.settings, self.connection.clock
        self.limit = AdaptiveLimit(self.settings.connections, self.clock)
        # An answer is kept, and shown. A key without a digit can be words: "not-needed".
        self.echoes = KeyEchoes(s for s in self.secrets if any(map(str.isdigit, s)))
        self.overrun = 1.0  # the most that a request cost, as a multiple of its estimate
        self.stop_reason = ""  # why no further request is sent
        self.failed_in_a_row = 0  # answers given up since the last one that came
        self.server_answered = self.got_answer = False
        self.in_flight = 0
        self.settled = asyncio.Event()

    async def run(self, requests: Sequence[Request]) -> None:
        """Emit an answer for each request; raises ModelUnknown where none can succeed."""
        queue = iter(requests)  # the workers share it

        async def work() -> None:
            for request in queue:
                self.emit(await self._answer(request))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(len(requests), self.settings.connections)):
                    group.create_task(work())
        except BaseExceptionGroup as stopped:  # the first stopped the others
            raise stopped.exceptions[0] from None

    async def _answer(self, request: Request) -> Answer:
        """Return the answer to one request, with an error where all tries failed."""
        try:
            body = self.connection.provider.body(self.settings, request.messages, request.tools)
        except ValueError as error:
            return Answer(request.row, error=str(error))
        for tries in count(1):
            result = await self._send(request, body)
            if isinstance(result, Answer):
                return result
            if not result.retryable or tries >= min(self.settings.tries, result.max_tries):
                return self._give_up(request, result, tries)
            if result.retry_after:  # a server that asks one request to wait asks them all
                self.limit.pause(result.retry_after)
            else:
                await self.clock.sleep(providers.backoff(tries, self.clock.random()))
        raise AssertionError("count() never ends")

    async def _send(self, request: Request, body: dict[str, Any]) -> Answer | Failure:
        """Try a request once, within the limit and the budget."""
        round_entered, most = await self.limit.enter(), self._max_cost(body)
        estimate = most * self.overrun
        if not await self._reserve(estimate):
            self.limit.leave(round_entered)
            return Answer(request.row, error=self.stop_reason)
        start, result = self.clock.now(), None
        try:
            result = await self.connection.ask(body)
        finally:  # also when cancelled: the server may have billed the request
            cost = 0.0 if isinstance(result, Failure) and not result.billed else estimate
            usage = result.usage if result else Usage()
            if usage.prompt is not None and usage.answer is not None:
                cost = self.settings.price(usage.prompt, usage.answer, usage.cached)
            self.overrun = max(self.overrun, cost / most) if most else 1.0
            self.budget.charge(estimate, cost)
            self.in_flight -= 1
            self.settled.set()
            overloaded = isinstance(result, Failure) and result.overloaded
            self.limit.leave(round_entered, overloaded=overloaded, good=isinstance(result, Reply))
        self.server_answered |= isinstance(result, Reply) or result.reached
        if isinstance(result, Reply):
            self.failed_in_a_row, self.got_answer, seconds = 0, True, self.clock.now() - start
            hide, calls = self.echoes.hide, json.dumps(result.tool_calls, ensure_ascii=False)
            return Answer(
                request.row, hide(result.text), seconds, usage.answer or 0, cost,
                prompt_tokens=usage.prompt or 0, finish=result.finish, served_by=result.served_by,
                tool_calls=result.tool_calls if hide(calls) == calls else [{"name": hide(calls)}],
                reasoning=hide(result.reasoning),
            )  # fmt: skip
        return result

    def _max_cost(self, body: dict[str, Any]) -> float:
        """Return what a request can cost at most, in USD; 0 where no price is known.

        A byte-level tokenizer makes no more tokens than there are bytes; the body has them all,
        pictures aside. `extra` may ask for a longer answer than `max_tokens`, and for several.
        """
        if not self.settings.price_in and not self.settings.price_out:
            return 0.0
        text = json.dumps(body, ensure_ascii=False)
        if pictures := text.count('"type": "image'):
            text = _PICTURE_DATA.sub("", text)
        tokens = len(text.encode("utf-8", "replace")) + pictures * PICTURE_TOKENS + TEMPLATE_TOKENS
        longest = [providers.token_count(body.get(name)) or 0 for name in get_args(MaxTokensField)]
        answers = providers.token_count(body.get("n")) or 1
        return self.settings.price(tokens, max(longest) * answers)

    async def _reserve(self, estimate: float) -> bool:
        """Return whether the estimate fits the budget, once requests in flight have left room."""
        while not self.stop_reason:
            if self.budget.reserve(estimate):
                self.in_flight += 1
                return True
            if not self.in_flight:
                self.stop_reason = self.budget.mark_exhausted()
                break
            self.settled.clear()
            await self.settled.wait()
        return False

    def _give_up(self, request: Request, failure: Failure, tries: int) -> Answer:
        """Return the answer that says why, keys masked; ModelUnknown where none can succeed."""
        reason, tries_text = failure.reason, f" ({tries} tries)" if tries > 1 else ""
        status, colon, server_text = reason.partition(": ")
        if tries > 1 and status.isdigit():
            reason, tries_text = f"{status} after {tries} tries{colon}{server_text}", ""
        reason = cut(one_line(mask(reason, quotes=True)), MAX_ERROR_LETTERS, " ...") + tries_text
        if failure.fatal or not self.server_answered:
            url, via = self.connection.url.with_query(None), self.connection.via
            raise ModelUnknown(f"{url}{via}: {reason}")
        # A request that is refused for itself (too long, say) tells nothing about the server.
        self.failed_in_a_row += failure.retryable or not self.got_answer
        if self.failed_in_a_row >= MAX_FAILED_IN_A_ROW:
            failures = f"{self.failed_in_a_row} answers failed one after another"
            self.stop_reason = f"not asked: {failures}: {reason}"
        return Answer(request.row, error=reason)
