"""Review a sheet in the browser, row by row; each key is saved.

Several people may review: who comes after the first gets a sheet beside it. Ctrl-C ends it.

$ tunegate review serve reviews/train-1f0c2d3e4a5b-0.csv
"""

import argparse
import hmac
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qsl, urlencode

from tunegate.utils.files import sha256_bytes
from tunegate.utils.masking import unmasked

from .sheet import CALLS_MARK, CUT_MARK, MAX_CELL_LETTERS, VERDICTS, Sheet, read_sheet, save_sheet

MAX_BODY = 1 << 20  # bytes of a form
HEADERS = {
    "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
}  # fmt: skip
POLICY = "default-src 'none'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
POLICY += "frame-ancestors 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'"


def arguments(parser: argparse.ArgumentParser) -> None:
    what = "that `tunegate review sample` drew"
    parser.add_argument("sheet", type=Path, metavar="SHEET", help=what)


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C; raises ValueError, OSError for what is no sheet."""
    with ReviewServer(args.sheet) as server:
        server.serve_until_interrupted()
    print("\nnext  tunegate review status; corrections: tunegate fix --only review")


class PageServer(ThreadingHTTPServer):
    """Shows pages of a template on loopback alone; its subclasses say what is shown and saved."""

    daemon_threads = True
    page: Callable[[Mapping[str, str], str], str]  # of a query, with its nonce; ValueError
    save: Callable[[Mapping[str, str]], None]  # a form; ValueError

    def __init__(self, template: str) -> None:
        from jinja2 import Environment, PackageLoader

        self.token, self.lock = secrets.token_urlsafe(18), Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        self.hosts = [f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")]
        self.address = f"http://{self.hosts[0]}/?token={self.token}"
        environment = Environment(loader=PackageLoader(__package__, "."), autoescape=True)
        self.template = environment.get_template(template)

    def serve_until_interrupted(self) -> None:
        """Print the address, and serve until Ctrl-C."""
        # The token would be masked as the key that it is.
        print(f"open  {self.address}", file=unmasked(sys.stdout), flush=True)
        with suppress(KeyboardInterrupt):
            self.serve_forever()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that has gone before it was answered."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class ReviewServer(PageServer):
    """Shows the rows of a sheet to each reviewer, and saves what they say."""

    def __init__(self, path: Path) -> None:
        self.path, self.saved_by = path, dict[tuple[Path, int], str]()  # the last page of a row
        read_sheet(path)  # raises where it is none
        super().__init__("sheet.html")

    def sheet_of(self, who: str) -> Sheet:
        """Return a reviewer's sheet: the one that was drawn, or a copy where it is another's."""
        drawn = read_sheet(self.path)
        if {e.reviewer for e in drawn.entries} <= {"", who}:
            return drawn
        name = "".join(filter(str.isalnum, who))[:20] + f"-{sha256_bytes(who.encode())[:6]}"
        path = self.path.with_stem(f"{self.path.stem}-{name}")
        blank = tuple(
            replace(e, correction="", verdict="", reviewer="", note="") for e in drawn.entries
        )
        return read_sheet(path) if path.exists() else replace(drawn, path=path, entries=blank)

    def page(self, query: Mapping[str, str], nonce: str) -> str:
        """Return a reviewer's row, by default the first that is open, or what asks for a name."""
        who = query.get("who", "").strip()
        sheet = self.sheet_of(who)
        entries = sheet.entries
        open_rows = [n for n, e in enumerate(entries) if not e.verdict]
        n = number_in(query.get("row") or str([*open_rows, len(entries) - 1][0] + 1), len(entries))
        return str(self.template.render(
            file=self.path.name, who=who, n=n + 1, total=len(entries), left=len(open_rows),
            entry=entries[n], token=self.token, nonce=nonce, page=secrets.token_hex(8),
            after=self.saved_by.get((sheet.path, n), ""),
        ))  # fmt: skip

    def save(self, form: Mapping[str, str]) -> None:
        """Save what the form says of a row in the reviewer's sheet; raises ValueError."""
        who, verdict = form["who"].strip(), form.get("verdict", "")
        sheet = self.sheet_of(who)
        n = number_in(form["row"], len(sheet.entries))
        page, key = form.get("page", ""), (sheet.path, n)
        if self.saved_by.get(key, page) not in (page, form.get("after")):
            raise ValueError(f"row {n + 1} was changed in another tab: load this page again")
        drawn = sheet.entries[n]
        # A browser sends \n or \r\n for each line end of a text.
        texts = (re.sub(r"\r\n?", "\n", t) for t in (drawn.reply, form["note"], form["correction"]))
        reply, note, correction = map(str.strip, texts)
        correction = "" if correction == reply else correction
        if not who or verdict not in ("", *VERDICTS):
            raise ValueError(f"a name is needed, and of {', '.join(VERDICTS)} one or none")
        too_long = max(map(len, (who, note, correction))) > MAX_CELL_LETTERS
        is_text = reply and not reply.startswith(CALLS_MARK) and CUT_MARK not in reply + correction
        if too_long or (correction and not is_text):
            raise ValueError("too long, cut, or the reply is no text: correct it in the file")
        verdict = "wrong" if correction else verdict
        entry = replace(drawn, correction=correction, verdict=verdict, reviewer=who, note=note)
        save_sheet(replace(sheet, entries=(*sheet.entries[:n], entry, *sheet.entries[n + 1 :])))
        self.saved_by[key] = page


def number_in(text: str, total: int) -> int:
    """Return the index of the row with this number, from 1; raises ValueError."""
    if not text.isdecimal() or not 1 <= int(text) <= total:
        raise ValueError(f"row {text[:20]!r}: 1 to {total} is valid")
    return int(text) - 1


class Handler(BaseHTTPRequestHandler):
    """Answers GET with a page, and POST, which saves a form, with the way to the next."""

    server: PageServer
    timeout = 30  # seconds; a connection that says nothing is closed

    def do_GET(self) -> None:
        """Show the page of the query."""
        self._answer(self.path.partition("?")[2], self._show)

    def do_POST(self) -> None:
        """Save the form, and lead to the row that it names; with `stay`, only save it."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:
            self.close_connection = True
            return self._reply(413, "a form of 1 MB at most is needed")
        return self._answer(self.rfile.read(int(length)).decode("utf-8", "replace"), self._save)

    def _show(self, query: Mapping[str, str]) -> None:
        nonce = secrets.token_urlsafe(12)
        page = self.server.page(query, nonce)
        self._reply(200, page, {**HEADERS, "Content-Security-Policy": POLICY.format(nonce)})

    def _save(self, form: Mapping[str, str]) -> None:
        self.server.save(form)
        there = {"token": self.server.token, "who": form["who"], "row": form.get("go", "")}
        self._reply(204 if "stay" in form else 303, "", {"Location": f"/?{urlencode(there)}"})

    def _answer(self, text: str, act: Callable[[Mapping[str, str]], None]) -> None:
        fields, hosts = dict(parse_qsl(text, keep_blank_values=True)), self.server.hosts
        # Another page in the browser can send, but not choose Host or Origin, nor know the token.
        token = fields.get("token", "").encode("utf-8", "replace")
        is_known = hmac.compare_digest(token, self.server.token.encode())
        is_ours = self.headers.get("Origin") in (None, *(f"http://{host}" for host in hosts))
        if not (is_known and is_ours and self.headers.get("Host") in hosts):
            return self._reply(403, "open the address that the command printed")
        try:
            with self.server.lock:
                act(fields)
        except (ValueError, KeyError, OSError) as error:
            self._reply(400, str(error))

    def _reply(self, status: int, text: str, headers: Mapping[str, str] = HEADERS) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a URL holds the token."""
