"""A provider of the OpenAI protocol, `with provider.serving(FOLDER) as port`.

Its state is in FOLDER: `state.json` and the uploaded files. Every request is held to the protocol,
and so is every answer. A job goes one step further each time it is looked at, so that nobody has
to wait. `faults.json` says what shall go wrong: `[{"on": "POST /fine_tuning/jobs", "do": "500
after", "times": 1}]`. What is done: `before` or `after` the request was carried out.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import wire
from jsonschema import validate
from tuning import BASE, advance, answer

LOCK = threading.RLock()


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers
        kind = "invalid_request_error"
        self.body = {"error": {"type": kind, "message": message, "param": None, "code": code}}


class Garbage(Exception):
    """An answer that says nothing."""


class Store:
    """What the provider keeps, on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "state.json"
        if not self.path.exists():
            self.save({"files": {}, "jobs": {}, "events": {}, "checkpoints": {}, "log": []})

    def load(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.path.read_text())
        return state

    def save(self, state: dict[str, Any]) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(state))
        beside.replace(self.path)

    def content(self, file: str) -> bytes:
        return (self.folder / file).read_bytes()

    def fault(self, request: str) -> str:
        """Return what shall go wrong with this request, once less often from now on."""
        path = self.folder / "faults.json"
        faults = json.loads(path.read_text()) if path.exists() else []
        for fault in faults:
            if re.fullmatch(fault["on"], request) and fault.get("times", 1) > 0:
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    path.write_text(json.dumps(faults))
                    continue
                fault["times"] = fault.get("times", 1) - 1
                path.write_text(json.dumps(faults))
                return str(fault["do"])
        return ""


class Handler(BaseHTTPRequestHandler):
    """Speaks the protocol."""

    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *args: Any) -> None:
        """Say nothing: the log is in the state."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, verb: str) -> None:
        parts = urlsplit(self.path)
        path, query = parts.path.removeprefix("/v1"), dict(parse_qsl(parts.query))
        with LOCK:
            fault = self.store.fault(f"{verb} {path}")
        if fault == "cut before":
            return self._hang_up()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if "before" in fault:
                self._misbehave(fault)
            self._authorise()
            with LOCK:
                status, answer = 200, self._carry_out(verb, path, query, body)
            if "after" in fault:
                self._misbehave(fault)
            headers: dict[str, str] = {}
        except Refused as refusal:
            validate(refusal.body, wire.ERROR)
            status, answer, headers = refusal.status, refusal.body, refusal.headers
        except Garbage:
            status, answer, headers = 200, {}, {}
        except ConnectionAbortedError:
            return self._hang_up()
        self._send(status, answer, headers)

    def _misbehave(self, fault: str) -> None:
        if fault.startswith("hang"):
            (self.store.folder / "hanging").touch()
            while not (self.store.folder / "released").exists():
                time.sleep(0.01)
            raise ConnectionAbortedError
        if fault.startswith("cut"):
            raise ConnectionAbortedError
        if fault.startswith("429"):
            raise Refused(429, "slow down", "rate_limit_exceeded", **{"Retry-After": "1"})
        if fault.startswith("403"):
            raise Refused(403, "no new jobs", "training_not_available")
        if fault.startswith("garbage"):
            raise Garbage
        raise Refused(int(fault[:3]), "the server has a bad day")

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _authorise(self) -> None:
        if self.headers.get("Authorization") != "Bearer sk-test-key":
            raise Refused(401, "Incorrect API key provided", "invalid_api_key")

    def _carry_out(self, verb: str, path: str, query: dict[str, str], body: bytes) -> Any:
        state = self.store.load()
        state["log"].append(f"{verb} {path}")
        for (wanted, pattern), (method, schema) in ROUTES.items():
            match = re.fullmatch(pattern, path)
            if wanted == verb and match:
                answer = getattr(self, method)(state, query, body, *match.groups())
                if schema is not None:
                    validate(answer, schema)
                self.store.save(state)
                return answer
        raise Refused(404, f"unknown: {verb} {path}")

    def _models(self, state: Any, query: Any, body: bytes) -> Any:
        return {"object": "list", "data": [self._named(name) for name in BASE]}

    def _model(self, state: Any, query: Any, body: bytes, name: str) -> Any:
        if name not in BASE:
            raise Refused(404, f"The model '{name}' does not exist", "model_not_found")
        return self._named(name)

    def _named(self, name: str) -> Any:
        about = {"id": name, "object": "model", "created": 1, "owned_by": "provider"}
        return {**about, "shutdown_date": BASE[name]}

    def _upload(self, state: Any, query: Any, body: bytes) -> Any:
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        fields: dict[str, bytes] = {}
        name = ""
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, value = part.partition(b"\r\n\r\n")
            field = re.search(rb'[^e]name="([^"]*)"', head)
            fields[field[1].decode() if field else ""] = value.removesuffix(b"\r\n")
            if found := re.search(rb'filename="([^"]*)"', head):
                name = found[1].decode()
        if set(fields) != {"file", "purpose"}:
            raise Refused(400, f"need file and purpose, got {sorted(fields)}")
        return self._keep(state, name, fields["file"], fields["purpose"].decode())

    def _keep(self, state: Any, name: str, data: bytes, purpose: str) -> Any:
        key = f"file-{len(state['files']) + 1}"
        (self.store.folder / key).write_bytes(data)
        about = {"id": key, "object": "file", "bytes": len(data), "created_at": int(time.time())}
        more = {"filename": name, "purpose": purpose, "status": "processed"}
        state["files"][key] = about | more
        return state["files"][key]

    def _files(self, state: Any, query: Any, body: bytes) -> Any:
        wanted = query.get("purpose")
        data = [f for f in state["files"].values() if wanted in (None, f["purpose"])]
        ids = [f["id"] for f in data]
        ends = {"first_id": ids[0] if ids else "", "last_id": ids[-1] if ids else ""}
        return {"object": "list", "data": data[::-1], "has_more": False, **ends}

    def _content(self, state: Any, query: Any, body: bytes, file: str) -> bytes:
        if file not in state["files"]:
            raise Refused(404, f"No such File object: {file}")
        data = self.store.content(file)
        return base64.b64encode(data) if "results" in state["files"][file]["purpose"] else data

    def _create(self, state: Any, query: Any, body: bytes) -> Any:
        asked = json.loads(body)
        validate(asked, wire.ASKED)
        for file in (asked["training_file"], asked.get("validation_file")):
            if file and file not in state["files"]:
                raise Refused(400, f"invalid training_file: {file}", "invalid_value")
        key = f"ftjob-{len(state['jobs']) + 1}"
        method = asked.get("method", {"type": "supervised"})
        mine = method.get(method["type"], {}).get("hyperparameters", {})
        job = {
            "id": key, "object": "fine_tuning.job", "created_at": int(time.time()), "error": {},
            "fine_tuned_model": None, "finished_at": None, "hyperparameters": mine,
            "model": asked["model"], "organization_id": "org", "result_files": [],
            "seed": asked.get("seed") or 0, "status": "validating_files", "trained_tokens": None,
            "training_file": asked["training_file"], "method": method,
            "validation_file": asked.get("validation_file"), "metadata": asked.get("metadata"),
        }  # fmt: skip
        if (self.store.folder / "forgets metadata").exists():
            job["metadata"] = None
        state["jobs"][key], state["events"][key], state["checkpoints"][key] = job, [], []
        return job

    def _jobs(self, state: Any, query: Any, body: bytes) -> Any:
        if (self.store.folder / "lists nothing").exists():
            raise Refused(404, "no such route")
        wanted = {k[9:-1]: v for k, v in query.items() if k.startswith("metadata[")}
        jobs = [
            job for job in state["jobs"].values()
            if all((job["metadata"] or {}).get(k) == v for k, v in wanted.items())
        ]  # fmt: skip
        return {"object": "list", "data": jobs[::-1], "has_more": False}

    def _job(self, state: Any, query: Any, body: bytes, key: str) -> Any:
        if key not in state["jobs"]:
            raise Refused(404, f"no job {key}")
        advance(state, key, self.store, self._keep)
        return state["jobs"][key]

    def _act(self, state: Any, query: Any, body: bytes, key: str, verb: str) -> Any:
        status = {"cancel": "cancelled", "pause": "paused", "resume": "running"}[verb]
        state["jobs"][key]["status"] = status
        return state["jobs"][key]

    def _events(self, state: Any, query: Any, body: bytes, key: str) -> Any:
        return {"object": "list", "data": state["events"][key][::-1], "has_more": False}

    def _checkpoints(self, state: Any, query: Any, body: bytes, key: str) -> Any:
        data = state["checkpoints"][key]
        return {"object": "list", "data": data, "has_more": False, "first_id": None}

    def _chat(self, state: Any, query: Any, body: bytes) -> Any:
        asked = json.loads(body)
        validate(asked, wire.CHAT)
        text = answer(asked["model"], asked["messages"], state, self.store)
        if text is None:
            raise Refused(404, f"The model '{asked['model']}' does not exist", "model_not_found")
        usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        about = {"id": "chat-1", "object": "chat.completion", "created": 1}
        return {**about, "model": asked["model"], "choices": [choice], "usage": usage}


JOBS = "/fine_tuning/jobs"
ROUTES = {
    ("GET", "/models"): ("_models", wire.listing(wire.MODEL)),
    ("GET", "/models/([^/]+)"): ("_model", wire.MODEL),
    ("GET", "/files"): ("_files", wire.listing(wire.FILE)),
    ("POST", "/files"): ("_upload", wire.FILE),
    ("GET", "/files/([^/]+)/content"): ("_content", None),
    ("GET", JOBS): ("_jobs", wire.listing(wire.JOB)),
    ("POST", JOBS): ("_create", wire.JOB),
    ("GET", f"{JOBS}/([^/]+)"): ("_job", wire.JOB),
    ("POST", f"{JOBS}/([^/]+)/(cancel|pause|resume)"): ("_act", wire.JOB),
    ("GET", f"{JOBS}/([^/]+)/events"): ("_events", wire.listing(wire.EVENT)),
    ("GET", f"{JOBS}/([^/]+)/checkpoints"): ("_checkpoints", wire.listing(wire.CHECKPOINT)),
    ("POST", "/chat/completions"): ("_chat", wire.COMPLETION),
}


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Serve in a thread; yields the port."""
    handler = type("HandlerOfOneFolder", (Handler,), {"store": Store(folder)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        (folder / "released").touch()  # a request that hangs would wait on in later tests
        server.shutdown()
        thread.join()
        server.server_close()
