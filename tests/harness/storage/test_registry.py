"""The registry: chained lines, rolled back by adding one, whole under concurrent writers."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tunegate.errors import ConfigError
from tunegate.storage.registry import Registry, RegistryBroken


def filled(root: Path, *runs: str) -> Registry:
    registry = Registry(root)
    for run in runs:
        facts = {"run": run, "model": f"toy:{run}", "model_digest": run * 2}
        registry.append("promote", "production", facts, reason=f"because of {run}")
    return registry


def test_each_line_carries_the_digest_of_the_one_before(tmp_path: Path) -> None:
    entries = filled(tmp_path, "a", "b", "c").entries()
    assert entries[0]["previous"] == ""
    assert len({e["previous"] for e in entries}) == 3
    assert [e["why"] for e in entries] == ["because of a", "because of b", "because of c"]


@pytest.mark.parametrize("number", [1, 2])
def test_an_edited_line(tmp_path: Path, number: int) -> None:
    registry = filled(tmp_path, "a", "b", "c")
    lines = registry.path.read_text().splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace("because", "becouse")
    registry.path.write_text("".join(lines))
    with pytest.raises(RegistryBroken, match=f"line {number + 1}: the chain is broken here"):
        registry.entries()
    with pytest.raises(RegistryBroken):
        registry.append("promote", "production", {}, "")


@pytest.mark.parametrize("text", ["not JSON\n", "[]\n", '{"alias": "production"}\n', "\n"])
def test_a_line_that_is_none(tmp_path: Path, text: str) -> None:
    registry = filled(tmp_path, "a")
    with registry.path.open("a") as file:
        file.write(text)
    with pytest.raises(RegistryBroken, match="line 2"):
        registry.entries()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_end_that_an_editor_took_away(tmp_path: Path, end: str) -> None:
    registry = filled(tmp_path, "a", "b")
    lines = registry.path.read_text().splitlines()
    registry.path.write_bytes((end or "\n").join(lines).encode() + end.encode())
    assert filled(tmp_path, "c").rollback("production", "")["run"] == "b"
    assert [e["run"] for e in registry.entries()] == ["a", "b", "c", "b"]


@pytest.mark.parametrize(
    "alias", ["", " ", "a b", "../x", "a/b", ".", "..", "-", "é", "a\n", "a:b"]
)
def test_an_alias_is_a_checked_name(tmp_path: Path, alias: str) -> None:
    with pytest.raises(ConfigError, match=r"no alias: .* as in `production`"):
        Registry(tmp_path).promote(alias, {"model_digest": "d"}, "", None)
    assert Registry(tmp_path).entries() == []


@pytest.mark.parametrize("alias", ["production", "v1.2", "eu-west_1", "_a", "7"])
def test_a_valid_alias(tmp_path: Path, alias: str) -> None:
    assert Registry(tmp_path).promote(alias, {"run": "a", "model_digest": "d"}, "", None)


def test_a_removed_line(tmp_path: Path) -> None:
    registry = filled(tmp_path, "a", "b", "c")
    lines = registry.path.read_text().splitlines(keepends=True)
    registry.path.write_text(lines[0] + lines[2])
    with pytest.raises(RegistryBroken, match="line 2"):
        registry.current("production")


def test_rollback_adds_a_line(tmp_path: Path) -> None:
    registry = filled(tmp_path, "a", "b", "c")
    before = registry.path.read_bytes()
    registry.rollback("production", "c was slow")
    assert registry.current("production")["run"] == "b"
    registry.rollback("production", "b too")
    assert registry.current("production")["run"] == "a"
    assert registry.path.read_bytes().startswith(before)
    with pytest.raises(ConfigError, match="1 promotion in force"):
        registry.rollback("production", "and a")


def test_a_line_is_returned_as_it_was_written(tmp_path: Path) -> None:
    registry = filled(tmp_path, "a", "b", "c")
    registry.append("promote", "staging", {"run": "s"}, "")
    added = registry.rollback("production", "c was slow")
    assert added == registry.entries()[-1]
    facts = {k: added[k] for k in ("action", "alias", "run", "model", "model_digest", "why")}
    assert facts == {
        "action": "rollback", "alias": "production", "run": "b", "model": "toy:b",
        "model_digest": "bb", "why": "c was slow",
    }  # fmt: skip
    assert added["from"] == "c"
    assert registry.rollback("production", "")["from"] == "b"


def test_promoting_after_a_rollback(tmp_path: Path) -> None:
    registry = filled(tmp_path, "a", "b")
    registry.rollback("production", "")
    filled(tmp_path, "c")
    assert registry.current("production")["run"] == "c"
    registry.rollback("production", "")
    assert registry.current("production")["run"] == "a"


def test_aliases_stand_apart(tmp_path: Path) -> None:
    registry = filled(tmp_path, "a")
    registry.append("promote", "staging", {"run": "s"}, "")
    assert registry.current("staging")["run"] == "s"
    assert registry.current("production")["run"] == "a"
    assert registry.current("nothing") is None
    with pytest.raises(ConfigError, match="'nothing' has 0"):
        registry.rollback("nothing", "")


def test_line_separators_inside_a_reason(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    for why in ("one\u2028two", "three\x0bfour\x1cfive\x85"):
        registry.append("promote", "production", {"run": "a"}, why)
    assert len(registry.entries()) == 2


def test_a_line_is_json_with_sorted_keys_and_readable_text(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    facts = {"trained": 1, "run": "a", "base": {"z": 1, "b": 2}}
    registry.append("promote", "production", facts, "aprovado por João — ok")
    (line,) = registry.path.read_text("utf-8").splitlines()
    assert "João — ok" in line
    assert line == json.dumps(json.loads(line), ensure_ascii=False, sort_keys=True)


@pytest.mark.parametrize(
    ("variables", "user"),
    [
        ({"GITHUB_ACTOR": "ana", "GITLAB_USER_LOGIN": "rui"}, "ana"),
        ({"GITHUB_ACTOR": "ana"}, "ana"),
        ({"GITLAB_USER_LOGIN": "rui"}, "rui"),
        ({"GITHUB_ACTOR": ""}, "me"),
        ({}, "me"),
    ],
)
def test_who_acts_is_the_user_of_the_ci_job_or_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], user: str
) -> None:
    for name in ("GITHUB_ACTOR", "GITLAB_USER_LOGIN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"LOGNAME": "me", **variables}.items():
        monkeypatch.setenv(name, value)
    assert filled(tmp_path, "a").entries()[0]["who"] == user


def test_others_may_read_it_and_only_the_owner_writes(tmp_path: Path) -> None:
    assert stat.S_IMODE(filled(tmp_path, "a").path.stat().st_mode) == 0o644


APPEND = """
import sys
from pathlib import Path
from tunegate.storage.registry import Registry
for n in range(10):
    Registry(Path(sys.argv[1])).append("promote", sys.argv[2], {"run": str(n)}, "")
"""


def test_two_processes_keep_the_chain(tmp_path: Path) -> None:
    command = [sys.executable, "-c", APPEND, str(tmp_path)]
    children = [subprocess.Popen([*command, alias]) for alias in ("one", "two")]
    assert [child.wait() for child in children] == [0, 0]
    entries = Registry(tmp_path).entries()
    for alias in ("one", "two"):
        assert [e["run"] for e in entries if e["alias"] == alias] == [str(n) for n in range(10)]
    assert json.loads((tmp_path / "registry.jsonl").read_text().splitlines()[-1])["previous"]
