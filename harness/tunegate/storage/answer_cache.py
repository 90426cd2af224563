"""The cache of answers: each is on disk at once, so a second run asks only what is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..interfaces.model import Answer, Request
from ..utils.hashing import sha256_json

if TYPE_CHECKING:
    from .state_dir import StateDir

VERSION = 2  # of the schema, kept in the database's user_version

_SCHEMA = """
create table if not exists answers (
    model text not null, prompt text not null, repetition integer not null,
    text text not null, latency real not null, tokens integer not null, cost real not null,
    prompt_tokens integer not null, finish text not null,
    primary key (model, prompt, repetition)
) without rowid
"""
# Version 1 knew neither repetitions nor how an answer finished.
_COPY_FROM_VERSION_1 = """
insert or ignore into answers
select model, prompt, 0, text, latency, tokens, cost, 0, '' from answers_1
"""
_ASKED_PREFIX = "asked-"  # an empty file for each judge that was ever asked, named after its digest
_VALUE_COLUMNS = "text, latency, tokens, cost, prompt_tokens, finish"


class AnswerCache:
    """Answers by model digest, prompt digest and repetition; errors are never kept.

    Raises ConfigError where the file is no database, or a newer tunegate's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch(mode=0o600, exist_ok=True)
        # Autocommit: an answer is on disk when `put` returns, kill -9 or not.
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None)
        try:
            with self._as_config_error():
                self.db.execute("pragma journal_mode = wal")
                self.db.execute("pragma synchronous = normal")
                self._migrate()
        except ConfigError:
            self.db.close()
            raise

    def _migrate(self) -> None:
        """Bring an older database to this version, whole or not at all."""
        if self._version() == VERSION:
            return
        self.db.execute("begin immediate")  # whoever comes second finds it done
        with self.db:
            if self._version() > VERSION:
                raise ConfigError(f"{self.path} was written by a newer tunegate; upgrade this one")
            if self._version() < VERSION:
                self._recreate_table()
                self.db.execute(f"pragma user_version = {VERSION}")

    def _recreate_table(self) -> None:
        old = self.db.execute("select 1 from sqlite_master where name = 'answers'").fetchone()
        if old:
            self.db.execute("alter table answers rename to answers_1")
        self.db.execute(_SCHEMA)
        if old:
            self.db.execute(_COPY_FROM_VERSION_1)
            self.db.execute("drop table answers_1")

    def _version(self) -> int:
        return int(self.db.execute("pragma user_version").fetchone()[0])

    def get(self, model: str, requests: Sequence[Request]) -> dict[int, Answer]:
        """Return the answers that are there, by row: ask for one repetition at a time."""
        query = f"select prompt, repetition, {_VALUE_COLUMNS} from answers where model = ?"
        with self._as_config_error():
            rows = {row[:2]: row[2:] for row in self.db.execute(query, (model,))}
        keys = ((r.row, (_prompt_key(r.messages), r.repetition)) for r in requests)
        return {row: _answer_of_row(row, *rows[key]) for row, key in keys if key in rows}

    def put(self, model: str, request: Request, answer: Answer) -> None:
        """Keep an answer; one that is an error is not kept."""
        if answer.error:
            return
        key = (model, _prompt_key(request.messages), request.repetition)
        values = (answer.text, answer.latency, answer.tokens, answer.cost)
        details = (answer.prompt_tokens, answer.finish)
        with self._as_config_error():
            self.db.execute(
                "insert or replace into answers values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, *values, *details),
            )

    def delete(self, messages: Sequence[Sequence[Mapping[str, Any]]]) -> int:
        """Remove every model's answers to these prompts; returns how many."""
        keys = [(_prompt_key(m),) for m in messages]
        before = self.db.total_changes
        with self._as_config_error():
            self.db.executemany("delete from answers where prompt = ?", keys)
            removed = self.db.total_changes - before
            self.db.execute("vacuum")  # sqlite leaves deleted text in the file otherwise
        return removed

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    @contextmanager
    def _as_config_error(self) -> Iterator[None]:
        """Tell what the database complains of (a full disk, say) in one line."""
        try:
            yield
        except sqlite3.Error as error:
            raise ConfigError(
                f"{self.path}: {error}; this is the cache of answers: make room, or move it away"
            ) from None


def _answer_of_row(
    row: int, text: str, latency: float, tokens: int, cost: float, prompt_tokens: int, finish: str
) -> Answer:
    return Answer(row, text, latency, tokens, cost, prompt_tokens=prompt_tokens, finish=finish)


def _prompt_key(messages: Sequence[Mapping[str, Any]]) -> str:
    return sha256_json([[m["role"], m.get("content")] for m in messages])


def record_judge(state: StateDir, digest: str) -> None:
    """Remember that a judge was asked: `delete_judge_answers` removes what it answered."""
    state.path("judge", f"{_ASKED_PREFIX}{digest}").touch(mode=0o600)


def delete_judge_answers(state: StateDir) -> int:
    """Remove everything that judges answered, whose reasons quote what they read.

    Returns how many answers are gone. Nobody could tell which of them are about one dataset.
    """
    asked = [
        (path.name.removeprefix(_ASKED_PREFIX),)
        for path in state.folder.glob(f"judge/{_ASKED_PREFIX}*")
    ]
    if not asked:
        return 0
    answers = AnswerCache(state.path("answers.sqlite"))
    try:
        before = answers.db.total_changes
        answers.db.executemany("delete from answers where model = ?", asked)
        removed = answers.db.total_changes - before
        answers.db.execute("vacuum")  # sqlite leaves deleted text in the file otherwise
        return removed
    finally:
        answers.close()
