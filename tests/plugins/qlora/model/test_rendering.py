"""The chat template at inference renders what training rendered, or an error says where not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import CHATML, ticket

from tunegate.interfaces.model import ModelUnknown, Request
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.chat_template import ChatTemplate
from tunegate_qlora.model import folders
from tunegate_qlora.model.local_model import open_folder
from tunegate_qlora.trainer import QLoRATrainer


def test_the_same_template_renders_the_same(template: ChatTemplate) -> None:
    kept = folders.render_probe(template)
    assert "Which team is this for?" in kept
    assert kept.count("billing") == 1
    folders.check_same(template, kept)
    folders.check_same(template, "")  # an adapter made elsewhere: nothing to compare with


def test_the_first_difference_is_named(template: ChatTemplate) -> None:
    kept = folders.render_probe(template).replace("Olá!", "Oi!")
    with pytest.raises(ValueError, match=r"from character \d+ on it has '.*Olá!.*', then it had"):
        folders.check_same(template, kept)


def test_a_template_without_system_messages_is_probed_without(template: ChatTemplate) -> None:
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
    own = _with(template, refusing + CHATML)
    assert "charged twice" in folders.render_probe(own)
    assert "Which team" not in folders.render_probe(own)


def _with(template: ChatTemplate, text: str) -> ChatTemplate:
    import copy

    tokenizer = copy.copy(template.tokenizer)
    tokenizer.chat_template = text
    return ChatTemplate(tokenizer, template.stop_ids, template.control_tokens)


@pytest.mark.parametrize(
    ("now", "before", "at"), [("abc", "abd", 3), ("ab", "abc", 3), ("abc", "ab", 3), ("", "a", 1)]
)
def test_differences(now: str, before: str, at: int) -> None:
    assert folders.rendering_difference(now, before).startswith(f"from character {at} on")


def test_a_date_is_the_same_every_day(template: ChatTemplate) -> None:
    assert folders.date_note(template) == ""
    dated = _with(template, CHATML + "{{ strftime_now('%d %b %Y') }}")
    assert dated.render(folders.PROBE).endswith("26 Jul 2024")
    assert "rendered as of 2024-07-26" in folders.date_note(dated)


def test_preflight_tells_of_a_date(
    project: Path, base: Path, plan: Callable[..., Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    _own_base(project, base)
    path = project / "base/chat_template.jinja"
    path.write_text("{% set today = strftime_now('%d %b %Y') %}" + CHATML)
    assert QLoRATrainer().preflight(plan()) == []
    assert "writes today's date" in capsys.readouterr().out


def _own_base(project: Path, base: Path) -> None:
    (project / "base").unlink()
    shutil.copytree(base, project / "base")


@pytest.fixture
def tuned(project: Path, base: Path, plan: Callable[..., Plan], folder: Path) -> Path:
    """An adapter trained on a base of the project's own."""
    _own_base(project, base)
    QLoRATrainer().train(plan(epochs=1), folder)
    return folder / "adapter"


def test_an_adapter_knows_how_it_was_asked(project: Path, tuned: Path) -> None:
    """One training, every way in which its template may differ afterwards."""
    asked, quick = [Request(0, ticket(0)["messages"][:-1])], f"{tuned}?max_new_tokens=1"
    assert not next(iter(open_folder(quick, project).answers(asked))).error

    note = json.loads((tuned / "tunegate.json").read_text())
    assert note["template"] == CHATML
    _rewrite(tuned, note | {"rendered": note["rendered"].replace("Olá", "Ola")})
    with pytest.raises(
        ModelUnknown, match=r"adapter: the chat template does not render .*Olá!.*Ola!"
    ):
        list(open_folder(quick, project).answers(asked))

    _rewrite(tuned, {k: v for k, v in note.items() if k not in ("template", "rendered")})
    assert not next(iter(open_folder(quick, project).answers(asked))).error

    _rewrite(tuned, note)
    path = project / "base/chat_template.jinja"
    path.write_text(CHATML.replace("assistant\n", "assistant"))
    with pytest.raises(ModelUnknown, match=r"its chat template has changed, from character \d+ on"):
        open_folder(str(tuned), project)


def _rewrite(tuned: Path, note: dict[str, Any]) -> None:
    (tuned / "tunegate.json").write_text(json.dumps(note))


def test_answers_say_how_they_ended(project: Path) -> None:
    model = open_folder("base?max_new_tokens=3", project)
    (answer,) = model.answers([Request(0, ticket(0)["messages"][:-1])])
    assert (answer.finish, answer.tokens) == ("length", 3)
    assert answer.prompt_tokens > 10
