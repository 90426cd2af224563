"""`pytest suites/shadow` with two servers, 10,000 logged requests, and kill -9 in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from chat_server import ChatHandler, chat_server
from readmes import ROOT

from tunegate.storage.registry import Registry
from tunegate_endpoints.model import open_openai

REQUESTS, KEPT, CONNECTIONS = 10_000, 4_000, 16
CONFTEST = """
import pytest, tunegate_endpoints
@pytest.hookimpl(optionalhook=True)
def pytest_tunegate_models(register): tunegate_endpoints.pytest_tunegate_models(register)
"""


def turns(number: int) -> list[dict[str, str]]:
    """Return a request and its reply."""
    said = {"role": "assistant", "content": "ab"[number % 2]}
    return [{"role": "user", "content": f"please send parcel {number} to my home"}, said]


def logged(number: int) -> str:
    """Return a request with its reply, as a proxy logs it."""
    asked, said = turns(number)
    response = {"choices": [{"message": said, "finish_reason": "stop"}]}
    return json.dumps({"request": {"messages": [asked]}, "response": response}) + "\n"


class Served:
    """A model behind a server; `most` answers are paid, and later requests wait to be let go."""

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()
        self.most, self.lock = REQUESTS, threading.Lock()
        self.full, self.go = threading.Event(), threading.Event()
        served = self

        class Handler(ChatHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                text = self.asked()["messages"][-1]["content"]
                with served.lock:
                    if is_paid := served.paid.total() < served.most:
                        served.paid[text] += 1
                if is_paid:
                    self.answer("ab"[int(text.split()[3]) % 2])
                else:
                    served.full.set()
                    served.go.wait(60)
                    self.close_connection = True

        self.handler = Handler


def start(root: Path) -> subprocess.Popen[str]:
    outside = ("PYTEST", "CI", "OPENAI", "http_proxy", "HTTP_PROXY")
    env = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
    options = ["-p", "tunegate", "suites/shadow", "--model", "openai:new"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options], cwd=root, text=True,
        env=env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def kept(root: Path) -> int:
    """Return how many answers the cache holds; 0 before there is one."""
    try:
        path = f"file:{root}/.tunegate/answers.sqlite?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as db:
            count: int = db.execute("select count(*) from answers").fetchone()[0]
            return count
    except sqlite3.OperationalError:
        return 0


def kill_when_kept(root: Path, served: Served, answers: int) -> None:
    """Run the suite until one has answered, and the cache holds them, and end it by kill -9."""
    child, deadline = start(root), time.monotonic() + 100
    try:
        assert served.full.wait(100)
        while kept(root) < answers:
            assert child.poll() is None, child.communicate()[0]
            assert time.monotonic() < deadline
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()


@pytest.mark.slow
def test_each_request_is_paid_once_by_each_model_though_the_replay_is_killed_twice(
    tmp_path: Path,
) -> None:
    new, old = Served(), Served()
    shutil.copytree(ROOT / "suites" / "shadow", tmp_path / "suites" / "shadow")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "traffic.jsonl").write_text("".join(map(logged, range(REQUESTS))))
    rows = [json.dumps({"messages": turns(number)}) + "\n" for number in range(1_000, 1_500)]
    (tmp_path / "train.jsonl").write_text("".join(rows))
    with chat_server(new.handler) as new_url, chat_server(old.handler) as old_url:
        models = "".join(
            f'[models.{name}]\nbase_url = "{url}"\nconnections = {CONNECTIONS}\n'
            for name, url in (("new", new_url), ("old", old_url))
        )
        settings = 'ask = "all"\n[data]\ntrain = "train.jsonl"\n[shadow]\nlog = "traffic.jsonl"\n'
        (tmp_path / "tunegate.toml").write_text(settings + models)
        digest = open_openai("old", tmp_path).digest
        promoted = {"run": "0", "model": "openai:old", "model_digest": digest}
        assert Registry(tmp_path).promote("production", promoted, "", None)

        new.most = KEPT
        kill_when_kept(tmp_path, new, KEPT)
        new.most, old.most = REQUESTS, KEPT
        new.go.set()
        kill_when_kept(tmp_path, old, REQUESTS + KEPT)
        old.most = REQUESTS
        old.go.set()
        child = start(tmp_path)
        out, _ = child.communicate(timeout=100)
    assert child.returncode == 0, out
    assert f"asked     {REQUESTS - KEPT:,} requests" in out
    assert "gate      open" in out
    for served in (new, old):
        assert len(served.paid) == served.paid.total() == REQUESTS
