"""`tunegate data findings`: every finding of the last session, by check, kind and split."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tunegate.checking.accepted import LastFindings
from tunegate.cli.main import main
from tunegate.storage.state_dir import StateDir


def finding(number: int, check: str, split: str, kind: str, accepted: bool = False) -> object:
    return {
        "id": f"{number:012x}" if number else "", "check": check, "named": True, "kind": kind,
        "split": split, "where": f"{split}, line {number}", "evidence": f"[red]{number}[/red]",
        "accepted": accepted,
    }  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tunegate.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    last = LastFindings()
    rows = [finding(i, "pii", "train", "email") for i in range(1, 701)]
    rows += [finding(800, "pii", "test", "phone"), finding(801, "pii", "train", "cpf", True)]
    last.add([{"check": "pii", "split": "train", "found": rows}])
    rows = [finding(1, "pii", "test", "email"), finding(0, "format", "test", "unreadable")]
    last.add([{"check": "format", "split": "test", "found": rows}])
    last.save(StateDir(tmp_path))
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["data", "findings", *arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_all_are_listed_also_those_without_an_id(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(lines(capsys)) == 702
    assert len(lines(capsys, "--accepted")) == 703
    assert [row["check"] for row in lines(capsys, "--kind", "unreadable")] == ["format"]
    assert len(lines(capsys, "--split", "test")) == 3
    assert len(lines(capsys, "--check", "pii", "--split", "test", "--kind", "phone")) == 1


def test_text_is_a_table_for_each_check(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "findings"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("702 findings of the session of ")
    assert "\npii: 701" in out
    assert "\nformat: 1" in out
    assert "[red]700[/red]" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_page_holds_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "findings", "--check", "format", "--html", "page.html"]) == 0
    assert capsys.readouterr().out.startswith("page.html: 1 finding of the session of ")
    assert "[red]0[/red]" in (project / "page.html").read_text()
    assert (project / "page.html").stat().st_mode & 0o777 == 0o600


def test_what_is_not_there_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "findings", "--check", "pi"]) == 2
    said = "no findings of the check 'pi', did you mean 'pii'? there are: pii (701), format (1)"
    assert said in " ".join(capsys.readouterr().err.split())
    (project / ".tunegate/findings.json").unlink()
    assert main(["data", "findings"]) == 2
    assert "run pytest suites/data" in capsys.readouterr().err


def test_the_pager_of_a_long_list_is_told_that_there_are_colours(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, str]] = []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("pydoc.pager", lambda text: shown.append((os.environ["LESS"], text)))
    monkeypatch.setenv("LESS", "")  # put back after the test
    monkeypatch.delenv("LESS")
    assert main(["data", "findings"]) == 0
    ((options, text),) = shown
    assert ("R" in options, "pii: 701" in text) == (True, True)
