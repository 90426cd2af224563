"""Serve a page to people at this machine: on loopback alone, to those who have the token.

Another page in the same browser can send requests here too: the names in Host and Origin, which it
cannot choose, and the token, which it does not know, keep it out.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

MAX_BODY = 1 << 20  # bytes of a form
HEADERS = {
    "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
}  # fmt: skip
POLICY = (
    "default-src 'none'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'"
)


class Desk(Protocol):
    """What a page shows and saves; neither is called twice at a time."""

    def view(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the template for the query of a URL; raises ValueError."""

    def save(self, form: Mapping[str, str]) -> None:
        """Save a form; raises ValueError for what it cannot hold."""


class PageServer(ThreadingHTTPServer):
    """A server of one page; `address` is what a person opens."""

    daemon_threads = True

    def __init__(self, desk: Desk, port: int = 0) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        super().__init__(("127.0.0.1", port), Handler)
        self.desk, self.token, self.lock = desk, secrets.token_urlsafe(18), Lock()
        self.hosts = [f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")]
        self.address = f"http://{self.hosts[0]}/?token={self.token}"
        loader = PackageLoader("tunegate_checks.review", ".")
        environment = Environment(loader=loader, undefined=StrictUndefined, autoescape=True)
        self.template = environment.get_template("page.html")


class Handler(BaseHTTPRequestHandler):
    """Answers GET with the page, and POST, which saves a form, with the way back to it."""

    server: PageServer
    timeout = 30  # seconds; a connection that says nothing is closed

    def do_GET(self) -> None:
        """Show the page of the query."""
        self._answer(dict(parse_qsl(urlsplit(self.path).query)), self._show)

    def do_POST(self) -> None:
        """Save the form, and lead to the row that it names; with `stay`, only save it."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            return self._reply(413, b"a form of 1 MB at most is needed")
        text = self.rfile.read(int(length)).decode("utf-8", "replace")
        return self._answer(dict(parse_qsl(text, keep_blank_values=True)), self._save)

    def _show(self, query: Mapping[str, str]) -> None:
        nonce, values = secrets.token_urlsafe(12), self.server.desk.view(query)
        page = self.server.template.render(values, token=self.server.token, nonce=nonce)
        policy = {"Content-Security-Policy": POLICY.format(nonce)}
        self._reply(200, page.encode("utf-8", "replace"), {**HEADERS, **policy})

    def _save(self, form: Mapping[str, str]) -> None:
        self.server.desk.save(form)
        there = {"token": self.server.token, "who": form["who"], "row": form.get("go", "")}
        self._reply(204 if "stay" in form else 303, headers={"Location": f"/?{urlencode(there)}"})

    def _answer(self, fields: Mapping[str, str], act: Callable[[Mapping[str, str]], None]) -> None:
        if not self._is_allowed(fields):
            return self._reply(403, b"open the address that the command printed")
        try:
            with self.server.lock:
                act(fields)
        except (ValueError, KeyError, OSError) as error:
            self._reply(400, str(error).encode("utf-8", "replace"))

    def _is_allowed(self, fields: Mapping[str, str]) -> bool:
        hosts, origin = self.server.hosts, self.headers.get("Origin")
        is_ours = origin is None or origin in [f"http://{host}" for host in hosts]
        token = fields.get("token", "").encode("utf-8", "replace")
        is_known = hmac.compare_digest(token, self.server.token.encode())
        return self.headers.get("Host") in hosts and is_ours and is_known

    def _reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {"Content-Type": "text/plain; charset=utf-8"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a URL holds the token."""
