"""`tunegate data diff`: what became of the rows since a revision in git."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import ConfigError, Dataset
from tunegate.cli.diff import MAX_ROWS, compare, rows_at
from tunegate.cli.main import main
from tunegate.config.data_files import find_data_files
from tunegate.config.schema import Config

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]


def git(root: Path, *command: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    subprocess.run(["git", "-C", str(root), *who, *command], check=True, capture_output=True)


@pytest.fixture
def committed(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    git(project.root, "init", "--quiet", "--initial-branch", "main")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "first")
    monkeypatch.chdir(project.root)
    return project


def diff(capsys: Out, *options: str, code: int = 0) -> str:
    assert main(["data", "diff", *options]) == code
    out, err = capsys.readouterr()
    return out if code == 0 else err


def test_rows_are_added_removed_and_changed(
    committed: Project, example_row: Any, capsys: Out
) -> None:
    path = committed.root / "train.jsonl"
    rows = path.read_text().splitlines(keepends=True)
    rows[2:4] = []
    rows[5] = rows[5].replace('"content": "b"', '"content": "c"')
    path.write_text("".join(reversed(rows)) + example_row("call 415-555-2671", "a"))
    assert diff(capsys, "main").splitlines() == [
        "train      1 added, 2 removed, 1 changed, 17 as in main",
        "  added    line 19    call ***-***-**71 a",
        "  removed  line 3     question 2 a",
        "  removed  line 4     question 3 b",
        "  changed  line 13    b -> c",
        "validation 0 added, 0 removed, 0 changed, 6 as in main",
        "test       0 added, 0 removed, 0 changed, 6 as in main",
    ]


def test_a_comment_has_numbers_and_findings_and_no_markup_of_a_row(
    committed: Project, example_row: Any, capsys: Out
) -> None:
    text = diff(capsys, "HEAD", "--comment")
    assert "<summary>The data suite was not run: none new or gone</summary>" in text
    committed.add("train.jsonl", example_row("bad | @someone <img src=x> `ls`", "a"))
    assert committed.pytest("suites/data").code == 1
    text = diff(capsys, "HEAD", "--comment")
    assert "| train | 1 | 0 | 0 | 20 |" in text
    assert re.search(r"<summary>Findings in the session of .+: new \S+ bad \(1\)", text)
    assert "<code>bad | @someone &lt;img src=x&gt; `ls` a</code>" in text
    assert "<img" not in text


def test_findings_are_new_or_gone_since_those_accepted_there(
    committed: Project, example_row: Any, capsys: Out
) -> None:
    committed.add("train.jsonl", example_row("bad one", "a") + example_row("bad two", "b"))
    assert committed.pytest("suites/data").code == 1
    kept = json.loads((committed.root / ".tunegate" / "findings.json").read_text())["found"]
    assert main(["accept", *(f["id"] for f in kept), "--why", "known"]) == 0
    git(committed.root, "add", "--all")
    git(committed.root, "commit", "--quiet", "--message", "accepted")
    capsys.readouterr()
    assert "none new or gone" in diff(capsys, "HEAD", "--comment")
    path = committed.root / "train.jsonl"
    path.write_text(path.read_text().replace("bad one", "bad three"))
    assert committed.pytest("suites/data").code == 1
    text = diff(capsys, "HEAD", "--comment")
    assert re.search(r": new \S+ bad \(1\), gone \S+ bad \(1\)</summary>", text)
    assert re.search("<code>new</code>.*bad three", text)
    assert re.search("<code>gone</code>.*bad one", text)
    assert "bad two" not in text
    assert re.search(r"new \S+ bad \(2\)", diff(capsys, "HEAD~1", "--comment"))


def test_it_is_posted_masked(
    committed: Project, example_row: Any, capsys: Out, fake_gh: Callable[..., Any]
) -> None:
    committed.add("train.jsonl", example_row("call 415-555-2671", "a"))
    fake_gh()
    assert diff(capsys, "HEAD", "--post") == "https://github.com/o/r/pull/7#issuecomment-1\n"
    body = fake_gh()[1][1]
    assert body.startswith("<!-- tunegate data diff -->\n### The data, compared with `HEAD`\n")
    assert "call ***-***-**71 a" in body
    assert "2671" not in body


def test_a_changed_private_value_is_masked_whole(
    committed: Project, example_row: Any, capsys: Out
) -> None:
    key = "sk-proj-abcDEF123456789ghiJKL"
    was = [f"key {key}mno", "call 415-555-2671 now", "a b"]
    now = [f"key {key}xyz, new", "call 415-555-2691 now", "a\n\nb"]
    for replies in (was, now):
        rows = "".join(example_row(f"q{n}", reply) for n, reply in enumerate(replies))
        committed.write("test.jsonl", rows)
        if replies is was:
            git(committed.root, "commit", "--quiet", "--all", "--message", "second")
    out = diff(capsys, "HEAD")
    assert "line 1 " in out
    assert not any(part in out for part in ("mno", "xyz", "2671", "2691"))
    assert "  changed  line 3     another field, white space or a masked value" in out


def test_evidence_of_several_lines_stays_in_its_cell(committed: Project, capsys: Out) -> None:
    found = {
        "id": "a", "check": "own", "kind": "k", "where": "train, line 1", "accepted": False,
        "evidence": "one\n\n# @someone",
    }  # fmt: skip
    last = {"found": [found], "judged": [], "when": "today"}
    committed.write(".tunegate/findings.json", json.dumps(last))
    assert "<code>one # @someone</code>" in diff(capsys, "HEAD", "--comment")


def test_many_rows_are_counted(committed: Project, example_row: Any, capsys: Out) -> None:
    committed.write("test.jsonl", "".join(example_row(f"new {n}", "a") for n in range(99)))
    out = diff(capsys, "HEAD").splitlines()
    assert out[2] == "test       99 added, 6 removed, 0 changed, 0 as in HEAD"
    assert "  added               and 79 more rows" in out
    assert sum(line.startswith("  added    line") for line in out) == MAX_ROWS


def test_a_new_file_is_all_new(committed: Project, capsys: Out) -> None:
    git(committed.root, "rm", "--quiet", "--cached", "test.jsonl")
    git(committed.root, "commit", "--quiet", "--message", "without")
    assert "test       6 added, 0 removed, 0 changed, 0 as in HEAD" in diff(capsys, "HEAD")


def test_one_line_where_it_cannot_compare(committed: Project, capsys: Out) -> None:
    assert "git knows no revision 'nope'" in diff(capsys, "nope", code=2)
    assert "git knows no revision '--all'" in diff(capsys, "--", "--all", code=2)
    kept = (committed.root / "test.jsonl").read_text()
    committed.write("test.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    git(committed.root, "commit", "--quiet", "--all", "--message", "pointer")
    committed.write("test.jsonl", kept)
    assert "test.jsonl is kept by git-lfs" in diff(capsys, "HEAD", code=2)
    (committed.root / "test.jsonl").write_bytes(b"\xe9a\n" * 30)
    git(committed.root, "commit", "--quiet", "--all", "--message", "latin-1")
    committed.write("test.jsonl", kept)
    assert "diff: HEAD:test.jsonl: byte 1 of line 1 (E9)" in diff(capsys, "HEAD", code=2)


def test_a_folder_is_refused(committed: Project) -> None:
    files = find_data_files(Config(), committed.root, {}, committed.root)
    committed.write("saved/state.json", "{}")
    git(committed.root, "add", "--all")
    git(committed.root, "commit", "--quiet", "--message", "saved")
    with pytest.raises(ConfigError, match="saved is a folder"):
        rows_at("HEAD", committed.root / "saved", "test", files)


ROWS = st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("ab")), max_size=8)


@given(ROWS, ROWS)
def test_each_row_is_told_once(before: list[tuple[str, str]], now: list[tuple[str, str]]) -> None:
    old, new = (
        list(
            Dataset.of(
                [
                    {"messages": [
                        {"role": "user", "content": p}, {"role": "assistant", "content": r}
                    ]}
                    for p, r in rows
                ]
            )
        )
        for rows in (before, now)
    )  # fmt: skip
    d = compare("train", old, new)
    assert d["same"] + d["added"] + d["changed"] == len(now)
    assert d["same"] + d["removed"] + d["changed"] == len(before)
    texts = {
        kind: [r["text"] for r in d["rows"] if r["kind"] == kind]
        for kind in ("added", "removed", "changed")
    }
    assert all(text in ("a -> b", "b -> a") for text in texts["changed"])
    asked = ({text.split()[0] for text in texts[kind]} for kind in ("added", "removed"))
    assert not set.intersection(*asked)  # one that asks the same is a change
    assert {kind: len(shown) for kind, shown in texts.items()} == {kind: d[kind] for kind in texts}
    if sorted(before) == sorted(now):
        assert d["same"] == len(now)
