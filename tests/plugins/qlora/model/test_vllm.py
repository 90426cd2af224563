"""`?engine=vllm`: the files of `vllm run-batch`, with a stand-in that reads and writes the same."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import ticket

from tunegate.data.dataset import Dataset
from tunegate.interfaces.model import ModelUnknown, Request
from tunegate.models.predict import predict
from tunegate.storage.state_dir import StateDir
from tunegate_qlora.config import Decoding
from tunegate_qlora.model.local_model import model_digest, open_folder

ROWS = 6
STAND_IN = """
import json, os, sys
args = sys.argv[1:]
given = dict(zip(args, args[1:]))
how = json.load(open("how.json"))
assert args[0] == "run-batch"
lines = [json.loads(line) for line in open(given["-i"], encoding="utf-8")]
json.dump([args, lines], open("seen.json", "w"))
kind = how["kind"]
if kind == "dead":
    sys.exit("ValueError: no such flag\\nWARNING bye")
out = []
for line in lines:
    text = line["body"]["messages"][0]["content"]
    found = {"custom_id": line["custom_id"], "error": None}
    ids = how["prompts"][text]
    body = {"system_fingerprint": "vllm-1", "prompt_token_ids": ids}
    answer = how["answer"] + ([] if kind == "cut" else how["stop"])
    body["choices"] = [{"token_ids": None if kind == "old" else answer}]
    if kind == "other":
        body["prompt_token_ids"] = ids[1:]
    found["response"] = {"status_code": 200, "body": body}
    if kind == "error" and line["custom_id"] == "2":
        found |= {"response": None, "error": {"error": {"message": "too long", "code": 400}}}
    out.append(json.dumps(found, ensure_ascii=False) + "\\n")
if kind == "reversed":
    out.reverse()
with open(given["-o"], "w", encoding="utf-8") as file:
    if kind == "half":
        file.write("".join(out[:3]) + out[3][:9])
        file.flush()
        print("RuntimeError: engine dead", file=sys.stderr)
        os._exit(7)
    file.write("".join(out))
"""


@pytest.fixture
def asked() -> list[Request]:
    """The questions of a few tickets."""
    return [Request(i, ticket(i)["messages"][:-1]) for i in range(ROWS)]


@pytest.fixture
def vllm(project: Path, template: Any) -> Any:
    """Let the stand-in be this project's vLLM; returns how it is told what to do."""
    (project / "stand_in.py").write_text(STAND_IN)
    command = json.dumps([sys.executable, "stand_in.py"])
    (project / "tunegate.toml").write_text(
        f'[models.vllm]\ncommand = {command}\noptions = ["--max-model-len", "99"]\n'
    )
    texts = [template.render(ticket(i)["messages"][:-1], prompt=True) for i in range(ROWS)]
    about = {
        "prompts": {text: template.token_ids(text) for text in texts},
        "answer": template.token_ids("olá é"), "stop": sorted(template.stop_ids)[:1],
    }  # fmt: skip

    def tell(kind: str) -> None:
        (project / "how.json").write_text(json.dumps({**about, "kind": kind}))

    tell("whole")
    return tell


def answers(project: Path, asked: list[Request], folder: str = "base") -> dict[int, Any]:
    model = open_folder(f"{folder}?engine=vllm&max_new_tokens=12", project)
    return {answer.row: answer for answer in model.answers(asked)}


def test_it_is_asked_as_the_model_is(
    project: Path, vllm: Any, asked: list[Request], template: Any
) -> None:
    got = answers(project, asked)
    assert {(a.text, a.finish, a.error, a.served_by) for a in got.values()} == {
        ("olá é", "stop", "", "vllm-1")
    }
    assert sorted(got) == [*range(ROWS)]
    assert [got[i].prompt_tokens for i in got] == [
        len(template.token_ids(template.render(r.messages, prompt=True))) for r in asked
    ]
    args, lines = json.loads((project / "seen.json").read_text())
    given = dict(pairwise(args))
    assert Path(given["--model"]).samefile(project / "base")
    assert (given["--dtype"], given["--quantization"]) == ("bfloat16", "bitsandbytes")
    assert (given["--generation-config"], given["--max-model-len"]) == ("vllm", "99")
    body = lines[0]["body"]
    assert (body["temperature"], body["max_tokens"]) == (0, 12)
    assert body["stop_token_ids"] == sorted(template.stop_ids)
    vllm("cut")
    assert {a.finish for a in answers(project, asked).values()} == {"length"}


def test_options_name_no_other_model(project: Path, vllm: Any, asked: list[Request]) -> None:
    toml = (project / "tunegate.toml").read_text()
    others = '["--model", "other", "--dtype", "float32", "--served-model-name", "x"]'
    (project / "tunegate.toml").write_text(toml.replace('["--max-model-len", "99"]', others))
    answers(project, asked)
    given = dict(pairwise(json.loads((project / "seen.json").read_text())[0]))  # the last counts
    assert Path(given["--model"]).samefile(project / "base")
    assert (given["--dtype"], given["--served-model-name"]) == ("float32", "tunegate")


def test_another_order_is_the_same(project: Path, vllm: Any, asked: list[Request]) -> None:
    first = answers(project, asked)
    vllm("reversed")
    assert answers(project, asked) == first


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("other", "vLLM returns another prompt than was asked"),
        ("old", "vLLM returns no token ids: it is too old"),
        ("dead", "run-batch ended with status 1: ValueError: no such flag; see "),
    ],
)
def test_what_cannot_be_trusted_is_an_error(
    project: Path, vllm: Any, asked: list[Request], kind: str, told: str
) -> None:
    vllm(kind)
    got = answers(project, asked)
    assert len(got) == ROWS
    assert all(told in answer.error for answer in got.values())


def test_a_row_may_fail_alone(project: Path, vllm: Any, asked: list[Request]) -> None:
    vllm("error")
    errors = {row: answer.error for row, answer in answers(project, asked).items()}
    assert errors == {row: "vLLM: too long" if row == 2 else "" for row in range(ROWS)}


def test_one_that_dies_half_way_goes_on(project: Path, vllm: Any) -> None:
    test, state = Dataset.of([ticket(i) for i in range(ROWS)]), StateDir(project)
    model = open_folder("base?engine=vllm", project)
    vllm("half")
    failed = predict(model, test, state)
    assert [bool(p.error) for p in failed] == [False] * 3 + [True] * 3
    assert "ended with status 7: RuntimeError: engine dead; see " in failed[3].error
    vllm("whole")
    assert [p.got for p in predict(model, test, state)] == ["olá é"] * ROWS
    assert [line["custom_id"] for line in json.loads(Path("seen.json").read_text())[1]] == list(
        "345"
    )


def test_without_vllm_it_is_said_how_it_is_installed(project: Path, asked: list[Request]) -> None:
    (project / "tunegate.toml").write_text('[models.vllm]\ncommand = "no-vllm"\n')
    with pytest.raises(ModelUnknown, match=r"^\[models\.vllm\] .*command"):
        answers(project, asked)
    (project / "tunegate.toml").write_text('[models.vllm]\ncommand = ["no-vllm"]\n')
    with pytest.raises(ModelUnknown, match=r"^no-vllm: No such file.*pip install vllm; then set "):
        answers(project, asked)


def test_the_engine_is_part_of_what_answers(base: Path, tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").touch()

    def digest(**settings: Any) -> str:
        return model_digest(base, None, Decoding(**settings), tmp_path)

    assert digest() == digest(engine="transformers")
    assert digest() != digest(engine="vllm")


def test_options_are_part_of_what_answers_and_the_command_is_not(
    base: Path, tmp_path: Path
) -> None:
    def digest(table: str, **settings: Any) -> str:
        (tmp_path / "tunegate.toml").write_text(f"[models.vllm]\n{table}")
        return model_digest(base, None, Decoding(**settings), tmp_path)

    plain = digest("", engine="vllm")
    assert digest('options = ["--seed", "1"]', engine="vllm") != plain
    assert digest('command = ["elsewhere/vllm"]\noptions = []', engine="vllm") == plain
    assert digest('options = ["--seed", "1"]') == digest("")  # not vLLM's
    with pytest.raises(ModelUnknown, match=r"^\[models\.vllm\] .*options"):
        digest("options = 3", engine="vllm")
