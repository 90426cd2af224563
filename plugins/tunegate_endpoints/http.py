"""One request over HTTP: what is sent, and what may come back instead of an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from .clock import Clock
from .protocols import Wire
from .retry import judged
from .settings import Settings
from .trouble import Reply, Trouble

LARGEST = 4 << 20  # bytes of a reply: an answer of a million tokens is smaller
CONNECT = 15.0  # seconds


class Line:
    """A server, its address and key, over connections that stay open."""

    def __init__(
        self, http: aiohttp.ClientSession, wire: Wire, settings: Settings, clock: Clock
    ) -> None:
        self.http, self.wire, self.clock = http, wire, clock
        self.url = address(settings.base_url, wire.path)
        self.seconds, self.proxy = settings.timeout, _proxy(self.url)

    async def ask(self, body: Mapping[str, Any]) -> Reply | Trouble:
        """Send one request; whatever happens on the way is trouble, told in a line."""
        try:
            return await self._ask(json.dumps(body).encode())
        except aiohttp.ClientSSLError as error:
            return Trouble(f"{self.url.host}: {error}", every=True, heard=False)
        except aiohttp.ClientConnectorError as error:
            why = error.strerror or str(error)
            return Trouble(f"no connection to {self.url.host}: {why}", again=True, heard=False)
        except aiohttp.ConnectionTimeoutError:
            why = f"no connection to {self.url.host} within {CONNECT:g} s"
            return Trouble(why, again=True, heard=False)
        except TimeoutError:
            why = f"no answer within {self.seconds:g} s (timeout)"
            return Trouble(why, again=True, most=2, pushed=True, billed=True, heard=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"the connection was cut: {error or type(error).__name__}"
            return Trouble(why, again=True, billed=True)

    async def _ask(self, data: bytes) -> Reply | Trouble:
        asking = self.http.post(self.url, data=data, allow_redirects=False, proxy=self.proxy)
        async with asking as response:
            received = await _read(response)
            if received is None:
                response.close()  # nobody waits for the rest
                return Trouble(f"the reply is longer than {LARGEST >> 20} MB", billed=True)
            if 200 <= response.status < 300:
                return self.wire.read(received)
            return judged(response.status, response.headers, received, self.clock)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body, None where it is longer than anything that could be an answer."""
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) > LARGEST:
            return None
    return bytes(received)


@asynccontextmanager
async def line(wire: Wire, settings: Settings, key: str, clock: Clock) -> AsyncIterator[Line]:
    """Open the connections to a server, and close them."""
    timeout = aiohttp.ClientTimeout(total=settings.timeout, sock_connect=CONNECT)
    headers = {"Content-Type": "application/json", "User-Agent": "tunegate"}
    headers |= wire.headers(key, settings.key_header)
    # The window bounds what is in flight; a second bound here would hide the time spent waiting.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=headers, cookie_jar=jar
    ) as http:
        yield Line(http, wire, settings, clock)


def address(base_url: str, path: str) -> URL:
    """Return the address of a request: the path goes before the query that a base may have."""
    base, _, query = base_url.partition("?")
    return URL(base.rstrip("/") + path + (f"?{query}" if query else ""))


def _proxy(url: URL) -> str | None:
    """Return the proxy that the environment names for this host; looked up once, not each time."""
    host = urlsplit(str(url)).hostname or ""
    return None if proxy_bypass(host) else getproxies().get(url.scheme)
