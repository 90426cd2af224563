from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import ticket, write

from tunegate.errors import ConfigError
from tunegate_qlora.commands import tokens

Out = pytest.CaptureFixture[str]


def run(*said: str) -> int:
    parser = argparse.ArgumentParser()
    tokens.arguments(parser)
    return tokens.run(parser.parse_args(said))


@pytest.fixture
def data(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three rows in a project whose trainer reads 128 tokens."""
    monkeypatch.setenv("COLUMNS", "80")
    (project / "tunegate.toml").write_text('[train.qlora]\nbase = "base"\nmax_length = 128\n')
    rows: list[dict[str, Any]] = [ticket(0), ticket(1), {"messages": ticket(2)["messages"][:-1]}]
    return write(project / "data.jsonl", rows)


def test_it_shows_every_token_and_which_are_learnt(data: Path, capsys: Out) -> None:
    assert run("data.jsonl", "--row", "1") == 0
    out = capsys.readouterr().out
    facts, _, view = out.partition("\n\n")
    assert facts.splitlines()[:4] == [
        "line 2, row 1, 3 messages",
        "  tokens       71 of at most 128",
        "  learnt       9, in 1 assistant turn",
        "  end of turn  learnt",
    ]
    assert view.splitlines()[-2:] == ["   61 + d│e│l│i│v│e│r│y│<|im_end|>", "   70   ↵"]
    assert "   21   <|im_start|>│u│s│e│r│↵" in view
    assert max(map(len, out.splitlines())) <= 80


def test_a_line_is_as_good_as_a_row(data: Path, capsys: Out) -> None:
    run("data.jsonl", "--line", "2")
    by_line = capsys.readouterr().out
    run("data.jsonl", "--row", "1")
    assert capsys.readouterr().out == by_line


def test_what_the_trainer_refuses_is_shown_with_the_reason(data: Path, capsys: Out) -> None:
    assert run("data.jsonl", "--row", "2") == 1
    out = capsys.readouterr().out
    assert "  refused      line 3: no assistant message to train on\n" in out
    assert "  end of turn  not learnt: nothing is\n" in out
    assert " + " not in out.partition("\n\n")[2]


def test_an_overflow_says_what_becomes_of_the_row(data: Path, capsys: Out) -> None:
    path = data.with_name("tunegate.toml")
    for what, status, told in (
        ("raise", 1, "71 of at most 61; 10 too many: refused (on_overflow)"),
        ("drop", 0, "71 of at most 61; 10 too many: set aside (on_overflow)"),
        ("truncate", 0, "71 of at most 61; 10 too many: the first 10 are cut (on_overflow)"),
    ):
        path.write_text(f'[train.qlora]\nbase = "base"\nmax_length = 61\non_overflow = "{what}"\n')
        assert run("data.jsonl", "--row", "1") == status
        assert told in capsys.readouterr().out


def test_colour_is_for_terminals(data: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    run("data.jsonl")
    assert "\x1b[" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    run("data.jsonl")
    assert "\x1b[1;32mb\x1b[0m" in capsys.readouterr().out  # learnt: bold, green


def test_without_a_project_the_base_is_named(
    data: Path, tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    data.with_name("tunegate.toml").unlink()
    with pytest.raises(ConfigError, match="which tokenizer"):
        run("data.jsonl")
    assert run("data.jsonl", "--base", str(base)) == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("--row", "3"), "no --row 3; it has rows 0 to 2, lines 1 to 3"),
        (("--line", "0"), "no --line 0; it has rows 0 to 2"),
        (("--base", "nowhere"), "base = 'nowhere': there is no folder"),
    ],
)
def test_a_mistake_is_one_line(data: Path, said: tuple[str, ...], told: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=told):
        run("data.jsonl", *said)


def test_a_file_without_rows_says_so(data: Path) -> None:
    data.write_text("")
    with pytest.raises(ConfigError, match="it has no rows"):
        run("data.jsonl")


def test_private_values_are_hidden_however_they_are_split() -> None:
    texts = ["mail", " an", "a@loja", ".com.br", " now", "<|im_end|>"]
    made = [tokens.Token(text, trained=False, special=text[0] == "<") for text in texts]
    shown = [token.text for token in tokens.masked_tokens(made)]
    assert shown == ["mail", " **", "******", "*******", " now", "<|im_end|>"]
