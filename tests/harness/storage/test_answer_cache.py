"""The cache of answers: by model and prompt, errors never kept, private, forgettable."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tunegate.data.canonical import request_digest
from tunegate.errors import ConfigError
from tunegate.interfaces.model import Answer, Request
from tunegate.storage import answer_cache
from tunegate.storage.answer_cache import AnswerCache
from tunegate.storage.state_dir import seal_of


def ask(row: int, text: str, system: str = "") -> Request:
    told = [{"role": "system", "content": system}] if system else []
    return Request(row, [*told, {"role": "user", "content": text}])


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    answers = AnswerCache(tmp_path / "answers.sqlite")
    yield answers
    answers.close()


def test_an_answer_comes_back_whole(cache: AnswerCache) -> None:
    answer = Answer(3, "línea 1\nlínea 2", 0.25, 7, 0.001, prompt_tokens=40, finish="length")
    cache.put("model", ask(3, "hello"), answer)
    assert cache.get("model", [ask(3, "hello"), ask(4, "other")]) == {3: answer}


def test_rows_are_the_askers(cache: AnswerCache) -> None:
    """The prompt is the key: a test set in another order asks nothing again."""
    cache.put("model", ask(3, "hello"), Answer(3, "hi"))
    assert cache.get("model", [ask(0, "hello"), ask(9, "hello")]) == {
        0: Answer(0, "hi"),
        9: Answer(9, "hi"),
    }


@pytest.mark.parametrize(
    ("model", "request_"),
    [("other", ask(0, "hello")), ("model", ask(0, "hello", "be kind")), ("model", ask(0, "Hello"))],
)
def test_anything_else_is_another_question(
    cache: AnswerCache, model: str, request_: Request
) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "hi"))
    assert cache.get(model, [request_]) == {}


def test_an_answer_is_of_one_group_only_where_it_depends_on_the_group(cache: AnswerCache) -> None:
    def of(group: str) -> Request:
        return Request(0, ask(0, "hello").messages, group=group)

    cache.put("strategy", of("a"), Answer(0, "hi"), by_group=True)
    cache.put("model", of("a"), Answer(0, "hi"))
    assert [len(cache.get("strategy", [of(group)])) for group in ("a", "b", "")] == [1, 0, 0]
    assert [len(cache.get("model", [of(group)])) for group in ("a", "b", "")] == [1, 1, 1]


def test_each_repetition_has_its_own_answer(cache: AnswerCache) -> None:
    again = [Request(0, ask(0, "hello").messages, repetition=i) for i in range(3)]
    for i, request in enumerate(again[:2]):
        cache.put("model", request, Answer(0, f"verdict {i}"))
    texts = [cache.get("model", [r]).get(0, Answer(0)).text for r in again]
    assert texts == ["verdict 0", "verdict 1", ""]


def test_errors_are_never_kept(cache: AnswerCache) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "half an ans", error="timeout"))
    assert cache.get("model", [ask(0, "hello")]) == {}


def test_an_error_does_not_take_an_answer_away(cache: AnswerCache) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "hi"))
    cache.put("model", ask(0, "hello"), Answer(0, error="429"))
    assert cache.get("model", [ask(0, "hello")])[0].text == "hi"


def test_what_a_person_said_can_be_forgotten(cache: AnswerCache) -> None:
    for model in ("one", "other"):
        cache.put(model, ask(0, "my name is Ana"), Answer(0, "hi"))
        cache.put(model, ask(1, "hello"), Answer(1, "hi"))
    assert cache.delete([ask(0, "my name is Ana")]) == 2
    assert set(cache.get("one", [ask(0, "my name is Ana"), ask(1, "hello")])) == {1}


def test_it_is_on_the_disk_at_once_and_private(tmp_path: Path, cache: AnswerCache) -> None:
    cache.put("model", ask(0, "hello"), Answer(0, "hi"))
    other = AnswerCache(tmp_path / "answers.sqlite")
    assert other.get("model", [ask(0, "hello")])
    other.close()
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name
    # Other versions of tunegate know by this number what stands there.
    assert cache.db.execute("pragma user_version").fetchone() == (4,)


def test_what_was_kept_is_whole_when_the_cache_is_opened_again(tmp_path: Path) -> None:
    path, again = tmp_path / "answers.sqlite", Request(3, ask(3, "hello").messages, repetition=2)
    answer = Answer(3, "hi", 0.5, 7, 0.25, prompt_tokens=40, finish="length")
    cache = AnswerCache(path)
    cache.put("model", again, answer)
    cache.close()
    for _ in range(2):
        cache = AnswerCache(path)
        assert cache.get("model", [again]) == {3: answer}
        assert cache.get("model", [ask(3, "hello")]) == {}
        cache.close()


def test_what_is_forgotten_is_gone_from_the_file(tmp_path: Path, cache: AnswerCache) -> None:
    cache.db.execute("pragma secure_delete = off")  # some builds of sqlite turn it on
    cache.put("model", ask(0, "who?"), Answer(0, "Ana of Rua Augusta"))
    cache.put("model", ask(1, "hello"), Answer(1, "hi"))
    cache.delete([ask(0, "who?")])
    cache.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Rua Augusta" not in data
    assert b"hi" in data


def test_tool_calls_and_reasoning_come_back(cache: AnswerCache) -> None:
    calls = [{"name": "f", "arguments": {"é": [1, None]}}]
    answer = Answer(0, "", tool_calls=calls, reasoning="hm", served_by="m1", asked_at=12.5)
    cache.put("model", ask(0, "hello"), answer)
    kept = cache.get("model", [ask(0, "hello")])[0]
    assert (kept, kept.asked_at) == (answer, 12.5)
    assert cache.get("model", [ask(0, "hello")], since=12.5)
    assert not cache.get("model", [ask(0, "hello")], since=13)
    cache.db.execute("update answers set more = '{}'")
    with pytest.warns(UserWarning, match="1 answers were edited"):
        assert cache.get("model", [ask(0, "hello")]) == {}


def test_an_answer_under_the_key_of_before_can_be_forgotten(cache: AnswerCache) -> None:
    """It was kept under roles and contents alone, whatever else was asked."""
    whole = Request(0, [{"role": "user", "content": "who?", "name": "Ana"}])
    cache.put("model", ask(0, "who?"), Answer(0, "Ana"))
    assert cache.get("model", [whole]) == {}
    assert cache.delete([whole]) == 1


VERSION_3 = """
create table answers (
    model text not null, prompt text not null, repetition integer not null,
    text text not null, latency real not null, tokens integer not null, cost real not null,
    prompt_tokens integer not null, finish text not null, seal text not null default '',
    primary key (model, prompt, repetition)
) without rowid
"""


def test_what_version_3_kept_is_there_with_its_seals(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with closing(AnswerCache(path)) as cache:
        key = cache.key
    path.unlink()
    with sqlite3.connect(path) as old:
        old.execute(VERSION_3)
        for i in range(2):
            prompt = request_digest(ask(0, f"q{i}").messages)
            row = ("model", prompt, 0, "hi", 0.5, 3, 0.25, 40, "stop")
            seal = seal_of(row, key) if i == 0 else "f" * 64  # the second was edited
            old.execute("insert into answers values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, seal))
        old.execute("pragma user_version = 3")
    old.close()
    for _ in range(2):
        with closing(AnswerCache(path)) as cache:
            with pytest.warns(UserWarning, match="1 answers were edited"):
                answers = cache.get("model", [ask(0, "q0"), ask(1, "q1")])
            whole = Answer(0, "hi", 0.5, 3, 0.25, prompt_tokens=40, finish="stop")
            assert answers == {0: whole}


VERSION_1 = """
create table answers (
    model text not null, prompt text not null, text text not null, latency real not null,
    tokens integer not null, cost real not null, primary key (model, prompt)
) without rowid
"""


def test_version_1_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.execute(VERSION_1)
    for _ in range(2):
        with pytest.raises(
            ConfigError, match=r"sqlite is too old to be read \(version 1\): delete"
        ):
            AnswerCache(path)
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("select count(*) from answers").fetchone() == (0,)


def test_several_may_open_an_old_cache_at_once(tmp_path: Path) -> None:
    start = Barrier(8)

    def opened(path: Path) -> bool:
        start.wait()
        with closing(AnswerCache(path)) as cache:
            return cache.get("model", [ask(0, "hello")]) == {}

    with ThreadPoolExecutor(8) as threads:
        for n in range(10):  # whoever waited for the lock finds the work done
            path = tmp_path / f"{n}.sqlite"
            with closing(sqlite3.connect(path)) as old:
                old.execute(VERSION_3)
                old.execute("pragma user_version = 3")
            assert all(threads.map(opened, [path] * 8))


@pytest.mark.parametrize(
    ("said", "timeout", "tries"),
    [("database is locked", 60, 3), ("database is locked", -1, 1), ("disk I/O error", 60, 1)],
)
def test_whoever_switches_to_the_log_is_waited_for_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, timeout: float, tries: int
) -> None:
    """SQLite's own timeout does not count there."""
    tried = []

    class Locked(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            tried.extend([sql] if "journal_mode" in sql else [])
            if "journal_mode" in sql and len(tried) < 3:
                raise sqlite3.OperationalError(said)
            return super().execute(sql, *arguments)

    monkeypatch.setattr(answer_cache, "TIMEOUT", timeout)
    monkeypatch.setattr(answer_cache.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(answer_cache.sqlite3, "connect", partial(sqlite3.connect, factory=Locked))
    if tries == 3:
        AnswerCache(tmp_path / "answers.sqlite").close()
    else:
        with pytest.raises(ConfigError, match=rf"answers\.sqlite: {said}; this is the cache"):
            AnswerCache(tmp_path / "answers.sqlite")
    assert len(tried) == tries


@pytest.mark.parametrize("version", ["newer", "none"])
def test_a_file_that_is_not_ours_is_told_and_left(tmp_path: Path, version: str) -> None:
    path = tmp_path / "answers.sqlite"
    if version == "newer":
        with sqlite3.connect(path) as other:
            other.execute("pragma user_version = 99")
        other.close()
    else:
        path.write_bytes(b"no database at all" * 100)
    before = path.read_bytes()[60:64]
    with pytest.raises(ConfigError, match=r"answers\.sqlite.*(newer tunegate|not a database)"):
        AnswerCache(path)
    assert path.read_bytes()[60:64] == before


EDITS = {
    "text": "update answers set text = 'a'",
    "cost": "update answers set cost = 0.0",
    "latency": "update answers set latency = 0.001",
    "tokens": "update answers set tokens = 1",
    "an answer of another model": "update answers set model = 'model' where model = 'base'",
    "no seal": "update answers set seal = ''",
    "an answer put in": "insert into answers select 'model', prompt, 1, 'a', 0, 0, 0, 0, '', seal"
    ", more from answers",
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_answer_is_asked_for_again(cache: AnswerCache, edit: str) -> None:
    request = Request(3, ask(3, "hello").messages, repetition=edit == "an answer put in")
    asked_model = "base" if edit == "an answer of another model" else "model"
    cache.put(asked_model, ask(3, "hello"), Answer(3, "b", 0.5, 7, 0.25))
    cache.db.execute(EDITS[edit])
    with pytest.warns(UserWarning, match="1 answers were edited, or have the seal of another key"):
        assert cache.get("model", [request]) == {}
    cache.put("model", request, Answer(3, "b"))
    assert cache.get("model", [request]) == {3: Answer(3, "b")}


def test_answers_of_version_2_are_kept_whole_and_sealed_once(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    shutil.copy(Path(__file__).parents[2] / "golden" / "answers.sqlite", path)
    with closing(sqlite3.connect(path)) as old:
        old.execute(
            "update answers set repetition = repetition + 10, prompt_tokens = 40, finish = 'length'"
        )
        old.commit()
        columns = [column[1] for column in old.execute("pragma table_info(answers)")]
        kept = old.execute(f"select {', '.join(columns)} from answers").fetchall()
    for _ in range(2):
        with closing(AnswerCache(path)) as cache:
            assert cache.db.execute(f"select {', '.join(columns)} from answers").fetchall() == kept
            seals = [*cache.db.execute("select seal from answers")]
            rows = cache.db.execute(f"select {', '.join(columns)} from answers")
            assert seals == [(seal_of(row, cache.key),) for row in rows]
