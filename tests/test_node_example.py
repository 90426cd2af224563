"""examples/node: a Node script that reads a golden scorecard, and asks a server one question."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from endpoint_parts import Told, serving

ROOT = Path(__file__).parents[1]
GOLDEN, SCRIPT = ROOT / "tests" / "golden", ROOT / "examples" / "node" / "ask.mjs"
NODE = shutil.which("node")
Ask = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed: examples/node is not run"),
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for tunegate is a script"),
]


@pytest.fixture(scope="module")
def process() -> Iterator[Told]:
    with serving() as told:
        yield told


@pytest.fixture
def server(process: Told) -> Told:
    """A server that answers with the last word of the question."""
    process(forget=True)
    return process


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the registry and the state tree of golden/, and `tunegate` on the PATH."""
    root = tmp_path / "tickets"
    shutil.copytree(GOLDEN / "state", root / ".tunegate")
    shutil.copy(GOLDEN / "registry.jsonl", root)
    (root / "tunegate.toml").write_text("")
    command = tmp_path / "bin" / "tunegate"
    command.parent.mkdir()
    program = "from tunegate.cli.main import main\nraise SystemExit(main())\n"
    command.write_text(f"#!{sys.executable}\n{program}")
    command.chmod(0o755)
    return root


@pytest.fixture
def ask(project: Path, server: Told) -> Ask:
    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        known = {"OPENAI_BASE_URL": server.url, "MODEL": "support"}
        path = os.pathsep.join([str(project.parent / "bin"), os.environ["PATH"]])
        return subprocess.run(
            [str(NODE), str(SCRIPT), *words], cwd=project, capture_output=True, text=True,
            env={"PATH": path, **known, **env}, timeout=120, check=False,
        )  # fmt: skip

    return run


def test_the_scorecard_is_told_and_the_model_is_asked(ask: Ask, server: Told) -> None:
    done = ask("Which team? billing", OPENAI_API_KEY="none-of-them", SYSTEM_PROMPT="One word.")
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "promoted  production is run:f3dd6e51525e, toy:.tunegate/runs/f3dd6e51525e/toy.txt",
        "gate      open, on 6 test rows, 2026-11-29T16:13:05+00:00",
        "score     accuracy 1, 95 % interval 0.6097 to 1, n = 6, >= 0.95: held",
        "asked     Which team? billing",
        "answer    billing",
    ]
    told = server()
    assert told["bodies"] == [
        {
            "model": "support",
            "messages": [
                {"role": "system", "content": "One word."},
                {"role": "user", "content": "Which team? billing"},
            ],
            "temperature": 0,
        }
    ]
    assert told["paths"] == ["/v1/chat/completions"]
    headers = {name.lower(): value for name, value in told["headers"][0].items()}
    assert headers["authorization"] == "Bearer none-of-them"


def test_a_promotion_that_does_not_hold_is_not_asked(ask: Ask, project: Path, server: Told) -> None:
    record = next(project.glob(".tunegate/runs/f3dd6e51525e/run.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"figures": {"loss": 0}}))
    done = ask("x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ask.mjs: production does not hold: ")
    assert server.seen == []


def test_a_scorecard_that_is_not_here_is_said(ask: Ask, project: Path) -> None:
    shutil.rmtree(project / ".tunegate" / "runs" / "f3dd6e51525e")
    done = ask("say hello")
    assert done.stdout.splitlines()[1:] == [
        "gate      its scorecard is not on this machine", "asked     say hello", "answer    hello",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        ((), {}, "which question?"),
        (("x",), {"ALIAS": "prod"}, "nothing was promoted to 'prod'; aliases: production, staging"),
        (("x",), {"OPENAI_BASE_URL": ""}, "OPENAI_BASE_URL is not set"),
        (("x",), {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "does not answer: "),
        (("x",), {"PATH": "/nowhere"}, "tunegate cannot be started (ENOENT)"),
    ],
)
def test_a_mistake_is_one_line(
    ask: Ask, words: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    done = ask(*words, **env)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_server_that_refuses_or_is_another_is_said(ask: Ask, server: Told) -> None:
    server.does({"status": 404, "text": "no such model"}, {"text": "<html>"})
    assert "answered 404: no such model" in ask("x").stderr
    assert "is no server of OpenAI's protocol: <html>" in ask("x").stderr
