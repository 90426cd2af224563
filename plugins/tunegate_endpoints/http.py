"""Sends one request over HTTP and maps whatever goes wrong to a Failure."""

import json
from asyncio import IncompleteReadError
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from tunegate.interfaces.model import ModelUnknown

from .providers import Provider
from .reply import Clock, Failure, Reply, failure_of_status, status_in
from .settings import Settings

MAX_REPLY_BYTES = 4 << 20  # an answer of a million tokens is smaller
CONNECT_SECONDS = 15.0


@dataclass
class Connection:
    """The pool of open connections to one server, and how it is asked."""

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
            except IncompleteReadError as whole:
                body = whole.partial
            if response.status == 404 and url.path == "/chat/completions":  # without its /v1
                self.url = url.with_path("/v1/chat/completions").with_query(url.query)
                return Failure("404", retryable=True)
            if 200 <= (status := response.status) < 300:
                result = self.provider.read_reply(body)
                if isinstance(result, Reply) or not (status := status_in(body)):
                    return result
            return failure_of_status(status, response.headers, body, self.clock)


@asynccontextmanager
async def open_connection(
    provider: Provider, settings: Settings, headers: Mapping[str, str], clock: Clock
) -> AsyncIterator[Connection]:
    """Open a connection pool for the block; raise ModelUnknown for a proxy of no use."""
    timeout = aiohttp.ClientTimeout(total=settings.timeout, sock_connect=CONNECT_SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "tunegate", **headers}
    # AdaptiveLimit bounds what is in flight; a second bound here would hide the time spent waiting.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=headers, cookie_jar=jar
    ) as http:
        yield Connection(http, provider, settings, clock)


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
