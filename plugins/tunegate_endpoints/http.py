"""Sends one request over HTTP and maps whatever goes wrong to a Failure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from .providers import Failure, Provider, Reply
from .retry import Clock, failure_of_status
from .settings import Settings

MAX_REPLY_BYTES = 4 << 20  # an answer of a million tokens is smaller
CONNECT_SECONDS = 15.0


@dataclass
class Connection:
    """The pool of open connections to one server, and how it is asked."""

    http: aiohttp.ClientSession
    provider: Provider
    settings: Settings
    key: str
    clock: Clock

    def __post_init__(self) -> None:
        base, _, query = self.settings.base_url.partition("?")  # the path goes before the query
        self.url = URL(base.rstrip("/") + self.provider.path + (f"?{query}" if query else ""))
        bypass = proxy_bypass(self.url.host or "")
        self.proxy = None if bypass else getproxies().get(self.url.scheme)

    async def ask(self, body: Mapping[str, Any]) -> Reply | Failure:
        """Send one request and return its reply, or a Failure for any network or protocol error."""
        try:
            return await self._post(json.dumps(body).encode())
        except aiohttp.ClientSSLError as error:
            return Failure(f"{self.url.host}: {error}", fatal=True, reached=False)
        except aiohttp.ClientConnectorError as error:
            reason = error.strerror or str(error)
            return Failure(
                f"no connection to {self.url.host}: {reason}", retryable=True, reached=False
            )
        except aiohttp.ConnectionTimeoutError:
            reason = f"no connection to {self.url.host} within {CONNECT_SECONDS:g} s"
            return Failure(reason, retryable=True, reached=False)
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
        asking = self.http.post(self.url, data=data, allow_redirects=False, proxy=self.proxy)
        async with asking as response:
            body = await _read_body(response)
            if body is None:
                response.close()  # do not download the rest
                return Failure(f"the reply is longer than {MAX_REPLY_BYTES >> 20} MB", billed=True)
            if 200 <= response.status < 300:
                return self.provider.read_reply(body)
            return failure_of_status(response.status, response.headers, body, self.clock)


async def _read_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body; None where it is longer than MAX_REPLY_BYTES."""
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) > MAX_REPLY_BYTES:
            return None
    return bytes(received)


@asynccontextmanager
async def open_connection(
    provider: Provider, settings: Settings, key: str, clock: Clock
) -> AsyncIterator[Connection]:
    """Open a connection pool to a server, and close it at the end of the block."""
    timeout = aiohttp.ClientTimeout(total=settings.timeout, sock_connect=CONNECT_SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "tunegate"}
    headers |= provider.headers(key, settings.key_header)
    # AdaptiveLimit bounds what is in flight; a second bound here would hide the time spent waiting.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=headers, cookie_jar=jar
    ) as http:
        yield Connection(http, provider, settings, key, clock)
