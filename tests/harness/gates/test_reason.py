"""What `--why` may say: it is committed, with accepted.toml or the registry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunegate.cli.main import main
from tunegate.errors import ConfigError
from tunegate.storage.registry import Registry, checked_reason

ADDRESS = "maria.souza@" + "gmail.com"
KEY = "sk-proj-" + "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW"


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (f"our own:\n{ADDRESS}", "email, from character 10 on"),
        (f"revoked {KEY}", "from character 9 on"),
        ("the CPF 529.982.247-25 is invented", "cpf, from character 9 on"),
    ],
)
def test_personal_data_and_keys_are_refused_and_not_echoed(why: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_reason(why)
    said = str(caught.value)
    assert told in said
    assert "\n" not in said
    assert not any(word in said for word in why.split() if any(c in "@0123456789" for c in word))


def test_a_reason_is_one_line() -> None:
    assert (
        checked_reason(" agreed on\n 2026-11-23, ticket ABC-4711 ")
        == "agreed on 2026-11-23, ticket ABC-4711"
    )


@pytest.mark.parametrize("command", ["accept", "registry rollback"])
def test_nothing_is_written_with_it(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "tunegate.toml").touch()
    for run in "ab":
        Registry(tmp_path).append("promote", "production", {"run": run}, "")
    before = (tmp_path / "registry.jsonl").read_bytes()
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), "production", "--why", f"asked {ADDRESS}"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"tunegate {command}: --why holds what looks like email")
    assert ADDRESS not in told
    assert (tmp_path / "registry.jsonl").read_bytes() == before
    assert "accepted.toml" not in os.listdir(tmp_path)
