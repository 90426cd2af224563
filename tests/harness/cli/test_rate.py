"""`tunegate review rate`: a session in a process of its own, what it saves, what a suite makes."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from pages import Page

from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]
SUITE = """\
from tunegate_checks.judge import human

def test_people_prefer_it(predictions, baseline):
    assert human.win_rate(predictions, over=baseline) >= 0.9
"""


@pytest.fixture
def judged(trained: Project, own_modules: None, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A trained project, whose model and base answer six rows otherwise."""
    assert trained.judge().code == 0
    monkeypatch.chdir(trained.root)
    return trained


@contextmanager
def rating(
    project: Project, *options: str, stderr: int | None = None
) -> Iterator[tuple[Page, subprocess.Popen[str]]]:
    """Run the command, and yield its page and process; at the end it is killed."""
    command = [sys.executable, "-m", "tunegate", "review", "rate", "latest", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=project.root
    ) as served:
        assert served.stdout is not None
        told = [served.stdout.readline()]
        while not told[-1].startswith("open"):
            told.append(served.stdout.readline())
            assert told[-1], told
        assert "against baseline: 6 pairs" in told[0]
        try:
            yield Page(told[-1].split()[-1]), served
        finally:
            served.kill()


def shown(page: Page, **query: object) -> tuple[int, list[str]]:
    """Return the number of the pair that is shown, and the two answers."""
    text = page.show(**query)
    number = re.findall(r"<h1>Pair (\d+) of 6</h1>", text)
    return int(number[0]), re.findall(r"<section><h2>Answer .</h2>\s*<pre>(.*?)</pre>", text, re.S)


def rate(page: Page, who: str, row: int, better: str, **more: object) -> int:
    form = {"token": page.token, "who": who, "row": row, "better": better, **more}
    return page.ask("POST", "/", urlencode(form))[0]


def rate_all(page: Page, who: str) -> None:
    """Prefer what is no question mark: the trained model's answers."""
    for row in range(1, 7):
        number, (left, _) = shown(page, who=who, row=row)
        assert rate(page, who, number, "right" if left == "?" else "left") == 303


def files() -> list[Path]:
    return sorted(Path("reviews").iterdir())


def test_a_session_of_two_raters_with_a_kill_in_the_middle(judged: Project) -> None:
    with rating(judged) as (page, served):
        assert shown(page, who="Ana")[0] == 1
        for row in (1, 2):
            number, (left, _) = shown(page, who="Ana", row=row)
            assert rate(page, "Ana", number, "right" if left == "?" else "left") == 303
        served.send_signal(signal.SIGKILL)
    (path,) = files()
    assert [json.loads(line)["better"] for line in path.read_text().splitlines()] == ["answer"] * 2
    judged.write("suites/model/test_human.py", SUITE)
    with rating(judged) as (page, served):
        assert shown(page, who="Ana")[0] == 3
        assert "2 of 6 pairs rated" in page.show(who="Ana")
        for who in ("Ana", "Rui"):
            rate_all(page, who)
        assert "You have rated every pair" in page.show(who="Ana")
        served.send_signal(signal.SIGINT)
        assert served.stdout is not None
        told = served.stdout.read()
    assert told.splitlines()[1].startswith("human win rate 1.0000 (0.")
    assert "6 won, 0 tied, 0 lost" in told
    assert len(files()) == 2
    again = judged.judge("-v")
    assert again.code == 0, again.out
    assert "human win rate" in again.out


def test_a_page_tells_no_model_and_keeps_strangers_out(judged: Project) -> None:
    with rating(judged) as (page, _):
        text = page.show(who="Ana")
        assert not re.search(r"baseline|latest|toy|answer\"|other\"", text)
        assert not re.search(r'(?:src|href)="', text)
        assert page.ask("GET", "/?token=x")[0] == 403
        assert page.ask("POST", "/", "token=x&who=a&row=1&better=left")[0] == 403
        for better, row, who in (("fine", 1, "a"), ("left", 7, "a"), ("left", 1, " ")):
            assert rate(page, who, row, better) == 400
        assert not Path("reviews").exists()
        # Who skips comes to the next, and to the skipped one again at the end.
        (skipped,) = re.findall(r'name="row" value="(\d)" data-key="0"', text)
        assert skipped == "2"
        for row in range(2, 7):
            assert rate(page, "Ana", row, "tie", go=row % 6 + 1) == 303
        assert shown(page, who="Ana")[0] == 1
        assert 'aria-pressed="true">neither' in page.show(who="Ana", row=2)


def test_who_goes_or_rates_nothing_leaves_no_traceback(judged: Project) -> None:
    with rating(judged, stderr=subprocess.STDOUT) as (page, served):
        host, port = page.host.split(":")
        asked = socket.create_connection((host, int(port)), timeout=60)
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        asked.sendall(f"GET /?token={page.token} HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        asked.close()
        assert shown(page, who="Ana")[0] == 1
        served.send_signal(signal.SIGINT)
        assert served.stdout is not None
        assert served.stdout.read() == "\nnot rated: tunegate review rate\n"


def test_the_sides_differ_by_rater(judged: Project) -> None:
    with rating(judged) as (page, _):
        firsts = {who: [shown(page, who=who, row=n)[1][0] for n in range(1, 7)] for who in "abcd"}
    assert len({*map(tuple, firsts.values())}) > 1


def test_what_cannot_be_rated_is_told_in_one_line(judged: Project, capsys: Out) -> None:
    def told(*options: str) -> str:
        assert main(["review", "rate", *options]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    run = judged.run.name
    assert told("latest", "--against", run) == (
        f"tunegate review rate: no answers of run {run} and run {run} differ: "
        "there is nothing to rate"
    )
    assert "nothere" in told("latest", "--against", "nothere")
    # A test set of which it has answered some rows, in another, is not one that it was judged on.
    judged.add("test.jsonl", (judged.root / "train.jsonl").read_text().splitlines()[0] + "\n")
    assert "was never asked about" in told()
    # Nor is one of which the base has answered some rows, where the model was asked all.
    suite = (judged.root / "suites/model/test_m.py").read_text()
    judged.write("suites/model/test_m.py", suite.partition("def test_better")[0])
    assert judged.judge().code == 0
    assert main(["report", "--against", "baseline"]) == 2
    assert "the base of run" in capsys.readouterr().err
    judged.write("test.jsonl", (judged.root / "train.jsonl").read_text())
    assert "was never asked about" in told()
