"""`tunegate data generate`, killed with -9 again and again: nothing is paid for twice or lost."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from chat_server import ChatHandler, chat_server

LABELS = ("billing", "delivery")
WORDS = [
    *("invoice", "parcel", "refund", "login", "battery", "screen"),
    *("delay", "courier", "shop", "phone", "lamp", "kettle"),
]
ROWS, KILLS = 60, (2, 1, 3, 4)  # answers that each of the killed processes gets


def prose(rng: random.Random) -> str:
    return " ".join(f"{word}{rng.randrange(99)}" for word in rng.sample(WORDS, 9))


def row(prompt: str, reply: str) -> str:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return json.dumps({"messages": turns}) + "\n"


class Meter(ChatHandler):
    """A server of the protocol that answers so many requests and holds the others, unpaid."""

    paid: ClassVar[Counter[str]] = Counter()  # by what was asked
    left, life = 0, 0  # answers that may still be given; which process is asking
    changed: ClassVar[threading.Condition] = threading.Condition()

    @classmethod
    def serve_life(cls, answers: int) -> None:
        """Give the next process so many answers; what the last one has asked is dropped."""
        with cls.changed:
            cls.left, cls.life = answers, cls.life + 1
            cls.changed.notify_all()

    def do_POST(self) -> None:
        body = self.asked()
        asked = json.dumps(body["messages"])
        life = int(self.headers["Authorization"].rpartition("-")[2])  # the key of its process
        with self.changed:
            self.changed.wait_for(lambda: Meter.left > 0 or Meter.life != life)
            if Meter.life != life:
                self.close_connection = True
                return
            Meter.left -= 1
            Meter.paid[asked] += 1
        rng = random.Random(asked)
        labels = re.findall(r'^\d+\. .*?label "(.*?)"', body["messages"][-1]["content"], re.M)
        text = json.dumps({"rows": [{"prompt": prose(rng), "reply": b} for b in labels]})
        self.answer(text)


@pytest.fixture
def address() -> Iterator[str]:
    Meter.paid.clear()
    with chat_server(Meter) as address:
        yield address
        Meter.serve_life(0)


def kept(root: Path) -> int:
    """Return how many answers the cache holds."""
    path = root / ".tunegate" / "answers.sqlite"
    try:
        with sqlite3.connect(path if path.exists() else ":memory:") as db:
            count: int = db.execute("select count(*) from answers").fetchone()[0]
            return count
    except sqlite3.OperationalError:  # the table is not made yet
        return 0


@pytest.mark.slow
def test_killed_again_and_again_it_pays_each_request_once_and_writes_all(
    tmp_path: Path, address: str
) -> None:
    pytest.importorskip("aiohttp")
    seeds = (row(prose(random.Random(i)), LABELS[i % 2]) for i in range(12))
    (tmp_path / "seeds.jsonl").write_text("".join(seeds))
    (tmp_path / "tunegate.toml").write_text("")
    out = tmp_path / "all.jsonl"
    command = [
        *(sys.executable, "-m", "tunegate", "data", "generate", "--like", "seeds.jsonl"),
        *(
            "-n",
            str(ROWS),
            "--model",
            f"openai:m?base_url={address}&key_env=OPENAI_API_KEY",
            "-o",
            "all.jsonl",
        ),
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def key_of(life: int) -> dict[str, str]:
        return os.environ | {"OPENAI_API_KEY": f"key-{life}"}

    Meter.life = 0
    for n, answers in enumerate(KILLS, start=1):
        Meter.serve_life(answers)
        started = subprocess.Popen(command, cwd=tmp_path, env=key_of(n), **quiet)  # type: ignore[call-overload]
        with started as child:
            deadline = time.monotonic() + 120
            while kept(tmp_path) < sum(KILLS[:n]):
                assert child.poll() is None
                assert time.monotonic() < deadline
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        assert (Meter.paid.total(), kept(tmp_path)) == (sum(KILLS[:n]), sum(KILLS[:n]))
        assert not out.exists()  # nor is there half of it
    Meter.serve_life(10_000)
    env = key_of(len(KILLS) + 1)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{ROWS} of {ROWS} rows after 12 seeds" in done.stdout
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sum("generated" in one for one in rows) == ROWS
    assert {*Meter.paid.values()} == {1}
    assert kept(tmp_path) == len(Meter.paid) > sum(KILLS)
    # What the dead processes paid for stands in the output.
    assert len({one["request"] for one in rows if "request" in one}) == len(Meter.paid)
