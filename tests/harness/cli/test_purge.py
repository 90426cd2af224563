"""`tunegate run purge`: an erasure is followed through all places, and says what is left."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from published import check

from tunegate import ConfigError
from tunegate.cli.main import main
from tunegate.cli.purge import holder_of
from tunegate.interfaces.model import Answer, Request
from tunegate.storage.answer_cache import AnswerCache
from tunegate.storage.state_dir import StateDir

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]
PERSON = "Joana D'Ávila Prado\n\n 529.982.247-25 \njoana@prado.example\n"


@pytest.fixture
def with_person(project: Project, example_row: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A promoted project with a person in training and validation; the test set is clean."""
    project.add("train.jsonl", example_row("I am JOANA  D'avila prado, call me", "a"))
    project.add("validation.jsonl", example_row("mail: Joana@Prado.example", "b"))
    assert project.gate().code == 0
    assert project.judge("--promote", "production", "--why", "better").code == 0
    monkeypatch.chdir(project.root)
    return project


def told(capsys: Out, *words: str) -> Any:
    capsys.readouterr()
    assert main(["run", "purge", *words, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    check("run-purge", value)
    return value


def digest_of(project: Project, split: str) -> str:
    return sha256((project.root / f"{split}.jsonl").read_bytes()).hexdigest()


def test_a_person_is_erased_in_all_places(
    with_person: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, root = StateDir(with_person.root), with_person.root
    assert main(["run", "pack", "latest"]) == 0
    (with_person.run / "report.html").write_text("Joana")
    answers = AnswerCache(state.path("answers.sqlite"))
    other = Request(0, [{"role": "user", "content": "who?"}])
    answers.put("model", other, Answer(0, "it is joana@prado.example"))
    answers.put("other", other, Answer(0, "nobody"))
    answers.close()
    digests = {digest_of(with_person, "train"), digest_of(with_person, "validation")}
    monkeypatch.setattr("sys.stdin", io.StringIO(PERSON))
    named = told(capsys, "--person", "-", "--dry-run")
    assert named["removed"] is False
    assert {*named["snapshots"]} == digests
    assert named["answers"] == 1
    assert named["left"] == [str(root / "train.jsonl"), str(root / "validation.jsonl")]
    assert named["trained"] == [{"run": with_person.run.name, "aliases": ["production"]}]
    assert all(state.snapshot_path(digest).is_file() for digest in digests)
    assert (with_person.run / "report.html").is_file()

    (root / "person.txt").write_text(PERSON, "utf-8")
    assert main(["run", "purge", "--person", "person.txt"]) == 0
    out = capsys.readouterr().out
    model = f"left: the model of run:{with_person.run.name}, which production serves: "
    assert f"{model}retrain without these rows, or roll back\n" in out
    assert f"left for you: {root / 'train.jsonl'}\n" in out
    for digest in digests:
        assert digest[:12] in out.partition("\n")[0]
        assert not state.snapshot_path(digest).exists()
        assert not (state.folder / "store" / "sha256" / digest[:2] / digest).exists()
    assert not (with_person.run / "report.html").exists()
    with sqlite3.connect(state.folder / "answers.sqlite") as db:
        texts = [text for (text,) in db.execute("select text from answers")]
    assert "nobody" in texts
    assert "it is joana@prado.example" not in texts
    assert state.snapshot_path(digest_of(with_person, "test")).is_file()
    again = told(capsys, "--person", "person.txt")
    assert (again["snapshots"], again["answers"], again["trained"]) == ([], 0, [])
    assert again["left"] == named["left"]


HOLDING = [
    '{"content": "Joana D\'\\u00c1vila Prado"}', "JOANA D'AVILA\\nPRADO", "cpf 52998224725.",
    "CPF:\\n529 982 247 25", "529.982.247-25", "<JOANA@prado.example>", "joana d'ávila\n prado",
]  # fmt: skip
NOT_HOLDING = [
    "Mariajoana D'Avila Prado", "Joana Prado", "1529982247250",
    "xjoana@prado.example", "529.982.247-26", "",
]  # fmt: skip


@pytest.mark.parametrize("text", HOLDING)
def test_a_value_is_found_however_it_is_written(text: str) -> None:
    assert holder_of([line.strip() for line in PERSON.splitlines() if line])(text.encode())


@pytest.mark.parametrize("text", NOT_HOLDING)
def test_another_person_is_not_found(text: str) -> None:
    assert not holder_of([line.strip() for line in PERSON.splitlines() if line])(text.encode())


def test_a_value_in_parquet_is_found() -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for value, found in (("is joana@prado.example", True), ("nobody", False)):
        file = io.BytesIO()
        parquet.write_table(pa.table({"text": [value] * 9}), file, compression="zstd")
        assert holder_of(["joana@prado.example"])(file.getvalue()) is found


@pytest.mark.parametrize("values", [[], ["ana"], ["joana@prado.example", "a b"]])
def test_a_value_that_stands_everywhere_is_a_mistake(values: list[str]) -> None:
    with pytest.raises(ConfigError, match="of 5 characters or more"):
        holder_of(values)


@pytest.mark.parametrize("words", [[], ["abc", "--unused", "9d"], ["abc", "--person", "x"]])
def test_one_of_three_is_given(with_person: Project, capsys: Out, words: list[str]) -> None:
    assert main(["run", "purge", *words]) == 2
    assert "give one of DIGEST, --person FILE and --unused AGE" in capsys.readouterr().err


def test_a_snapshot_that_is_in_the_store_alone(with_person: Project, capsys: Out) -> None:
    assert main(["run", "pack", "latest"]) == 0
    state, digest = StateDir(with_person.root), digest_of(with_person, "validation")
    state.snapshot_path(digest).unlink()
    assert told(capsys, digest[:8])["snapshots"] == [digest]
    assert not (state.folder / "store" / "sha256" / digest[:2] / digest).exists()


def test_what_no_promoted_run_and_no_young_one_has_read(
    with_person: Project, capsys: Out, example_row: Any
) -> None:
    promoted = {digest_of(with_person, split) for split in ("train", "validation", "test")}
    with_person.add("train.jsonl", example_row("question 91", "a"))
    assert with_person.gate().code == 0
    state, newer = StateDir(with_person.root), digest_of(with_person, "train")
    long_ago = time.time() - 100 * 86400
    for path in (state.folder / "snapshots").iterdir():
        os.utime(path, (long_ago, long_ago))
    assert told(capsys, "--unused", "90d")["snapshots"] == []  # its receipt is young
    receipt = next(p for p in with_person.left("receipt.json") if newer in p.read_text())
    receipt.write_text(
        json.dumps(json.loads(receipt.read_text()) | {"made": "2020-01-01T00:00:00+00:00"})
    )
    assert told(capsys, "--unused", "90d", "--dry-run")["snapshots"] == [newer]
    assert told(capsys, "--unused", "90d")["snapshots"] == [newer]
    assert not state.snapshot_path(newer).exists()
    assert all(state.snapshot_path(digest).is_file() for digest in promoted)
