"""`tunegate run serve-check`: a server of OpenAI's protocol beside the run that it should serve."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("aiohttp")

from endpoint_parts import Told, serving
from published import check

from tunegate.cli.main import main
from tunegate.storage.state_dir import StateDir, find_finished

if TYPE_CHECKING:
    from conftest import Project

ROWS = 120


@pytest.fixture(scope="module")
def process() -> Iterator[Told]:
    with serving() as told:
        yield told


@pytest.fixture
def server(process: Told) -> Told:
    """A server that answers with the last word of the prompt, as the trained toy does."""
    process(forget=True)
    return process


@pytest.fixture
def served(
    trained: Project, server: Told, example_row: Any, monkeypatch: pytest.MonkeyPatch,
    own_modules: None,
) -> Project:  # fmt: skip
    """A trained project, of which `openai:local` is the server."""
    rows = (example_row(f"ticket {n} is {'ab'[n % 2]}", "ab"[n % 2]) for n in range(ROWS))
    trained.write("test.jsonl", "".join(rows))
    table = f'[models.local]\nbase_url = "{server.url}"\ntries = 1\nconnections = 4\n'
    trained.add("tunegate.toml", table)
    monkeypatch.chdir(trained.root)
    return trained


def serve_check(*options: str) -> int:
    return main(["run", "serve-check", "latest", "--model", "openai:local", *options])


def test_served_as_trained(
    served: Project, server: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve_check() == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "served    openai:local, beside run:latest, on 120 test rows",
        "agreement 100.0% of 120 answers, 95 % interval 96.9% to 100.0%",
        "scores    <accuracy not worse by 3.0%: 100.0% became 100.0% on 120; p = 0.026, Gaffke>",
        "verdict   served as trained",
    ]
    assert err == ""
    run = find_finished(StateDir(served.root), "latest")
    kept = run.record["served_checks"]["openai:local"]
    assert (kept["verdict"], kept["agreement"]["value"]) == ("open", 1.0)
    assert kept["agreement"]["n"] == ROWS
    run.verify()

    # The server may have changed: nothing that it said before counts, of the trained all does.
    server(always={"text": json.dumps({"choices": [{"message": {"content": "?"}}]})})
    assert serve_check("--json") == 1
    facts = json.loads(capsys.readouterr().out)
    check("run-serve-check", facts)
    assert facts["verdict"] == "closed"
    assert facts["differences"][0] == "line 1, word 1: 'a' became '?'"
    assert len(server.seen) == 2 * ROWS
    assert served.judge().code == 0  # the suite goes on from the same record


@pytest.mark.parametrize(
    "model", ["latest?max_new_tokens=9", "run:latest", "file:answers.jsonl", "suites"]
)
def test_what_is_no_server_is_refused(
    served: Project, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    assert serve_check("--model", model) == 2
    said = f"--model {model} is no server; valid: openai:NAME, anthropic:NAME or a model of"
    assert said in capsys.readouterr().err


def test_without_rows_there_is_nothing_to_ask(
    served: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    served.write("test.jsonl", "")
    assert serve_check() == 2
    assert "test.jsonl: there are no test rows to ask" in capsys.readouterr().err


def test_a_library_that_lacks_is_told_before_the_server_is_asked(
    served: Project,
    server: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (served.root / "tunegate.toml").read_text()
    served.write("tunegate.toml", f'task = "text"\n{text}')
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert serve_check() == 2
    assert "sacrebleu is not installed: pip install 'tunegate[text]'" in capsys.readouterr().err
    assert server.seen == []


def test_a_sample_and_a_margin(served: Project, server: Told) -> None:
    assert serve_check("--limit", "60") == 75  # too few for 3 points
    assert serve_check("--limit", "60", "--margin", "0.1") == 0
    assert len(server.seen) == 120


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--margin", "0"), 2, "--margin 0: a number between 0 and 1 is valid"),
        (("--limit", "0"), 2, "--limit 0: a number from 1 on is valid"),
        (("--model", "openai:locl"), 2, "locl"),
        (("--max-cost", "1"), 2, "--max-cost needs the prices of openai:local"),
        (("--model", "openai:local?base_url=http://127.0.0.1:9/v1"), 75, "127.0.0.1:9"),
    ],
)
def test_a_mistake_is_one_line(
    served: Project, capsys: pytest.CaptureFixture[str], options: Any, code: int, said: str
) -> None:
    assert serve_check(*options) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_model_that_was_changed_is_no_model_to_compare_with(
    served: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (served.run / "toy.txt").write_text("another")
    assert serve_check() == 2
    assert "its model was changed since it was trained" in capsys.readouterr().err


def test_no_such_run(served: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "serve-check", "ffff@merged", "--model", "openai:local"]) == 2
    assert "no finished run 'ffff'" in capsys.readouterr().err
    assert main(["run", "serve-check", "latest@merged", "--model", "openai:local"]) == 2
    assert "has no checkpoint 'merged'" in capsys.readouterr().err


@contextmanager
def transformers_serve(folder: Path) -> Iterator[str]:
    """Run `transformers serve` for a model on a free port; yield its address."""
    program = "from transformers.cli.transformers import main; main()"
    # As stored, in bfloat16, a near tie may fall otherwise than in the run's float32.
    options = ("--port", "0", "--host", "127.0.0.1", "--device", "cpu", "--dtype", "float32")
    child = subprocess.Popen(
        [sys.executable, "-c", program, "serve", str(folder), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert child.stderr is not None
    said = []
    try:
        for line in child.stderr:
            said.append(line)
            if "Uvicorn running on " in line:
                yield f"{line.split('Uvicorn running on ')[1].split()[0]}/v1"
                return
        pytest.fail("".join(said[-9:]))
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


@pytest.mark.slow
def test_transformers_serve(
    served: Project, example_row: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real server of a real model; then with another chat template."""
    for library in ("transformers", "fastapi", "uvicorn"):
        pytest.importorskip(library)
    from tunegate.data.dataset import Dataset
    from tunegate.models.predict import predict
    from tunegate_qlora.model.local_model import open_folder

    root, state = served.root, StateDir(served.root)
    spec = "base?quantisation=none&compute=float32&max_new_tokens=8"
    shutil.copytree(Path(__file__).parents[3] / "examples" / "triage" / "base", root / "base")
    model = open_folder(spec, root)
    find_finished(state, "latest").add_checkpoint("local", f"folder:{spec}", model.digest)
    said = predict(model, Dataset.read(root / "test.jsonl", "test"), state)
    served.write("test.jsonl", "".join(example_row(p.prompt, p.got) for p in said))

    def check(folder: str) -> int:
        with transformers_serve(root / folder) as address:
            name = f"openai:{root / folder}?max_tokens=8&timeout=600&base_url={address}"
            few = ("--limit", "40", "--margin", "0.1")
            return main(["run", "serve-check", "latest@local", "--model", name, *few])

    assert check("base") == 0, capsys.readouterr().out
    other = shutil.copytree(root / "base", root / "other")
    (other / "chat_template.jinja").write_text("{{ messages[0]['content'] }}\n### Answer:\n")
    assert check("other") == 1
    assert "verdict   closed: " in capsys.readouterr().out
