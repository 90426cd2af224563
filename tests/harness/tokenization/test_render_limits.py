"""A chat template comes with a model's files: it is stopped in time and in memory."""

from __future__ import annotations

import json
import resource
import threading
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import make_base

from tunegate.tokenization import chat_template, render_limits
from tunegate.tokenization.chat_template import TemplateError, load_template
from tunegate.tokenization.render_limits import uses_powers

FOR_EVER = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
HUGE = "{{ 'a' * 5000000000 }}"
DOUBLING = (
    "{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}"
    "{% endfor %}{{ ns.x }}"
)
QUESTION = [{"role": "user", "content": "where is it?"}]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The chat template of a tiny base, for tests to replace."""
    return load_template(make_base(tmp_path_factory.mktemp("models") / "base"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as long as a test can."""
    monkeypatch.setattr(render_limits, "MAX_SECONDS", 0.3)
    monkeypatch.setattr(render_limits, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(chat_template, "watchdog", render_limits.Watchdog())


def refused(template: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return why a text is refused as a template."""
    monkeypatch.setattr(template.tokenizer, "chat_template", text)
    with pytest.raises(TemplateError) as caught:
        template.render(QUESTION)
    return str(caught.value)


def test_a_loop_without_end(template: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(template, FOR_EVER, monkeypatch)
    assert said == "the chat template refuses it: it ran longer than 0.3 s, and was stopped"
    monkeypatch.setattr(template.tokenizer, "chat_template", "{{ messages[0].content }}")
    assert template.render(QUESTION) == "where is it?"


def test_a_loop_in_another_thread(template: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    work = threading.Thread(target=lambda: said.append(refused(template, FOR_EVER, monkeypatch)))
    work.start()
    work.join(30)
    assert said
    assert "was stopped" in said[0]


@pytest.mark.parametrize("text", [HUGE, DOUBLING])
def test_five_gigabytes(template: Any, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(render_limits, "MAX_SECONDS", 60.0)
    monkeypatch.setattr(render_limits, "MAX_MEMORY", 1 << 27)
    before = resource.getrlimit(resource.RLIMIT_AS)
    said = refused(template, text, monkeypatch)
    assert said == "the chat template needs more than 1 GB of memory"
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_stop_that_comes_too_late_hits_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = render_limits.Watchdog()
    monkeypatch.setattr(render_limits, "MAX_SECONDS", 0.0)
    for _ in range(200):
        try:
            with watchdog.watch(), watchdog.lock:
                me = threading.get_ident()
                watchdog.stopped.add(me)
                render_limits._raise_in(me, render_limits.RenderStopped)
        except render_limits.RenderStopped:
            pass
        assert sum(range(1000)) == 499_500
    assert not watchdog.deadlines
    assert not watchdog.stopped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ 9 ** 9 ** 9 }}", True),
        ("{% set x = (n)**k %}", True),
        ("{{ f(**options) }}", False),
        ("{{ f(a, **options) }}", False),
        ("**bold** {{ x }}", False),
        ("{{ '**' }}", False),
        ("{{ broken", False),
    ],
)
def test_powers(text: str, expected: bool) -> None:
    assert uses_powers(text) is expected


def test_a_base_that_computes_powers_or_brings_code(tmp_path: Path) -> None:
    folder = make_base(tmp_path / "base")
    settings = folder / "tokenizer_config.json"
    table = json.loads(settings.read_text())
    (folder / "code.py").write_text("raise SystemExit('it ran')\n")
    settings.write_text(
        json.dumps(
            table
            | {
                "auto_map": {"AutoTokenizer": ["code.Tokenizer", None]},
                "tokenizer_class": "OwnTokenizer",
            }
        )
    )
    with pytest.raises(TemplateError, match=r"code of its own.*never run"):
        load_template(folder)  # and nobody is asked
    settings.write_text(json.dumps(table))
    (folder / "chat_template.jinja").write_text("{{ 9 ** 9 ** 9 }}")
    with pytest.raises(TemplateError, match="computes powers"):
        load_template(folder)
