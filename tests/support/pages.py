"""Asks the local pages of `tunegate review` as a browser does."""

from __future__ import annotations

import http.client
from urllib.parse import parse_qs, urlencode, urlsplit


class Page:
    """A page, by the address that the command printed."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.token = parts.netloc, parse_qs(parts.query)["token"][0]

    def ask(
        self, method: str, path: str, body: str = "", **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, body or None, headers)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, text, reply.headers

    def show(self, **query: object) -> str:
        return self.ask("GET", f"/?{urlencode({'token': self.token, **query})}")[1]

    def save(self, **form: object) -> int:
        usual = {"token": self.token, "row": 1, "note": "", "correction": "", "verdict": ""}
        return self.ask("POST", "/", urlencode({**usual, **form}))[0]
