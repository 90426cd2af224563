"""A provider in a thread of the test: what it is asked is read, and its answers are written."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ChatHandler(BaseHTTPRequestHandler):
    """Reads and writes the protocol of OpenAI; what is answered is for `do_POST` of a test."""

    def asked(self) -> dict[str, Any]:
        """Return the body of the request."""
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def answer(self, text: str) -> None:
        """Answer with a message of the assistant."""
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 100, "completion_tokens": 50}
        self.send({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    def send(self, value: Mapping[str, Any], status: int = 200) -> None:
        """Write a JSON value as the whole response."""
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Nothing is logged."""


@contextmanager
def chat_server(handler: type[ChatHandler]) -> Iterator[str]:
    """Serve in a thread; gives the address that `base_url` takes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
