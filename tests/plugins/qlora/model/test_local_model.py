from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_llama import CHATML, make_base, ticket

from tunegate.interfaces.model import Answer, Model, ModelUnknown, Request
from tunegate_qlora.model.local_model import open_folder

QUICK = "base?max_new_tokens=12"


def requests(n: int) -> list[Request]:
    return [Request(i, ticket(i)["messages"][:-1]) for i in range(n)]


def answers(model: Model, n: int = 6) -> dict[int, Answer]:
    return {answer.row: answer for answer in model.answers(requests(n))}


@pytest.fixture
def tuned(project: Path, finished_project: Path) -> str:
    """An adapter that knows its tickets, in this test's own project, as a path from its root."""
    (run,) = finished_project.glob(".tunegate/runs/*")
    shutil.copytree(run, project / "run")
    return "run/adapter"


def test_a_base_answers_every_request(project: Path) -> None:
    model = open_folder(QUICK, project)
    assert isinstance(model, Model)
    found = answers(model, 40)  # two batches
    assert sorted(found) == list(range(40))
    assert all(0 < a.tokens <= 12 and a.latency > 0 and not a.error for a in found.values())


def test_what_a_template_writes_before_a_reply_is_not_counted(tmp_path: Path) -> None:
    """A short answer of a Qwen3 that thinks not would else be cut off in `<think></think>`."""
    before = "<think>\n\n</think>\n\n"
    template = CHATML.replace("{{ m['content'] }}", before + "{{ m['content'] }}")
    model = open_folder(QUICK, make_base(tmp_path / "base", template=template).parent)
    assert max(a.tokens for a in answers(model).values()) == 12 + len(before)  # a byte, a token


def test_an_answer_does_not_depend_on_its_batch(project: Path) -> None:
    model = open_folder("base?max_new_tokens=6&quantisation=none&compute=float32", project)
    together = answers(model)
    for request in requests(6):
        (alone,) = model.answers([request])
        assert alone.text == together[request.row].text


def test_answers_are_greedy(project: Path) -> None:
    model: Any = open_folder("base?max_new_tokens=5&quantisation=none&compute=float32", project)
    (answer,) = model.answers(requests(1))
    network, chat = model._generator.model, model._generator.chat_template
    ids = chat.token_ids(chat.render(requests(1)[0].messages, prompt=True))
    for _ in range(answer.tokens):
        ids.append(int(network(torch.tensor([ids])).logits[0, -1].argmax()))
    assert chat.read_answer(ids[-answer.tokens :])[0] == answer.text


def test_a_tuned_model_answers_what_it_learned(project: Path, tuned: str) -> None:
    found = answers(open_folder(tuned, project))
    expected = [ticket(i)["messages"][-1]["content"] for i in range(6)]
    assert [found[i].text for i in range(6)] == expected
    assert found[0].tokens == len("billing") + 1


def test_a_base_s_own_decoding_is_set_aside(project: Path, base: Path) -> None:
    (project / "base").unlink()
    shutil.copytree(base, project / "base")
    before = answers(open_folder(QUICK, project))
    path = project / "base/generation_config.json"
    own = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 9.0, "eos_token_id": 2}
    path.write_text(json.dumps(own))
    after = answers(open_folder(QUICK, project))
    assert [a.text for a in after.values()] == [a.text for a in before.values()]


def test_the_digest_follows_what_is_answered(project: Path, tuned: str) -> None:
    digests = [open_folder(spec, project).digest for spec in ("base", QUICK, tuned)]
    assert len(set(digests)) == 3
    assert open_folder(str(project / tuned), Path("/")).digest == digests[2]
    weights = project / tuned / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert open_folder(tuned, project).digest != digests[2]


def test_an_adapter_names_its_base_as_the_project_does(project: Path, tuned: str) -> None:
    config = json.loads((project / tuned / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "base"


def test_an_adapter_without_its_base_says_so(project: Path, tuned: str) -> None:
    (project / "base").rename(project / "gone")
    with pytest.raises(ModelUnknown, match=r"adapter: base = 'base': there is no folder .*base"):
        open_folder(tuned, project)
    shutil.copytree(project / "gone", project / "base")
    (project / "base/config.json").write_text("{}")
    with pytest.raises(ModelUnknown, match="is not the one it was trained on"):
        open_folder(tuned, project)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("nowhere", "folder:nowhere: .*nowhere holds no model"),
        ("base?max_new_token=3", "unknown key 'max_new_token', did you mean 'max_new_tokens'"),
        ("base?compute=int8", "compute = 'int8'"),
    ],
)
def test_a_model_that_is_not_there_is_named(project: Path, spec: str, told: str) -> None:
    with pytest.raises(ModelUnknown, match=told):
        open_folder(spec, project)


def test_a_prompt_that_fills_the_context_is_an_error(project: Path) -> None:
    long = Request(7, [{"role": "user", "content": "x" * 400}])
    (answer,) = open_folder(QUICK, project).answers([long])
    assert answer.error == "a prompt of 419 tokens fills the context of 256"
