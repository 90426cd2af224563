"""Keeps every answer of every model in one SQLite file, so that no question is paid for twice."""

import hmac
import json
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ..data.canonical import request_digest
from ..errors import ConfigError
from ..interfaces.model import Answer, Request
from ..utils.files import sha256_json
from .state_dir import StateDir, key_of, seal_of

VERSION = 4  # of the schema, kept in the database's user_version
TIMEOUT = 60  # seconds to wait for others that write

_SCHEMA = """
create table if not exists answers (
    model text not null, prompt text not null, repetition integer not null,
    text text not null, latency real not null, tokens integer not null, cost real not null,
    prompt_tokens integer not null, finish text not null, seal text not null default '',
    more text not null default '', primary key (model, prompt, repetition)
) without rowid
"""
# Version 2 had no `seal`, version 3 no `more`: JSON of what answers of text alone do not have.
_ADD_COLUMN = "alter table answers add column {} text not null default ''"
_ASKED_PREFIX = "asked-"  # of the empty file, named after its digest, of each judge ever asked
_KEY_COLUMNS = "model, prompt, repetition"
_VALUE_COLUMNS = "text, latency, tokens, cost, prompt_tokens, finish"
_MORE_FIELDS = ("tool_calls", "reasoning", "served_by", "asked_at")


class AnswerCache:
    """Answers by model digest, request digest and repetition; errors are not kept.

    Each is sealed with the key beside the database: one that was edited since is asked for again.
    Answers of older versions are sealed as they are found. Raises ConfigError where the database
    cannot be used: the file is none, its disk is full, or a newer tunegate wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.key = path, key_of(path.parent / "key")
        path.touch(mode=0o600, exist_ok=True)
        # Autocommit: an answer is on disk when `put` returns, kill -9 or not.
        self.db = sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None)
        try:
            with self._as_config_error():
                self._use_write_ahead_log()
                self.db.execute("pragma synchronous = normal")
                self._migrate()
        except ConfigError:
            self.db.close()
            raise

    def _use_write_ahead_log(self) -> None:
        """Switch to a write-ahead log, waiting for others, which SQLite's timeout does not."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                self.db.execute("pragma journal_mode = wal")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _migrate(self) -> None:
        """Bring an older database to this version in one transaction."""
        if self._version() == VERSION:
            return
        self.db.execute("begin immediate")  # a second process waits here and finds it done
        with self.db:
            if (version := self._version()) == VERSION:
                return
            if version > VERSION:
                raise ConfigError(f"{self.path} was written by a newer tunegate; upgrade this one")
            if not self.db.execute("select 1 from sqlite_master where name = 'answers'").fetchone():
                self.db.execute(_SCHEMA)
            elif version < 2:
                advice = "delete it, and the models are asked again"
                raise ConfigError(f"{self.path} is too old to be read (version 1): {advice}")
            else:
                for column in ("seal", "more")[version - 2 :]:
                    self.db.execute(_ADD_COLUMN.format(column))
            rows = self.db.execute(f"select {_KEY_COLUMNS}, {_VALUE_COLUMNS} from answers")
            self.db.executemany(
                "update answers set seal = ? where model = ? and prompt = ? and repetition = ?",
                [(seal_of(row, self.key), *row[:3]) for row in rows.fetchall() if version < 3],
            )
            self.db.execute(f"pragma user_version = {VERSION}")

    def _version(self) -> int:
        return int(self.db.execute("pragma user_version").fetchone()[0])

    def get(self, model: str, requests: Sequence[Request], since: float = 0) -> dict[int, Answer]:
        """Return the answers of the model with this digest that are kept, by row.

        One asked for before `since`, or nobody knows when, is none where `since` is not 0.
        """
        query = f"select {_KEY_COLUMNS}, {_VALUE_COLUMNS}, more, seal from answers where model = ?"
        with self._as_config_error():
            rows = {row[1:3]: row for row in self.db.execute(query, (model,))}
        answers, edited = {}, 0
        for request in requests:
            if (key := request_key(request)) not in rows:  # a model has answers of one kind alone
                key = request_key(request, by_group=True)
            if key in rows:
                *kept, more, seal = rows[key]  # of version 3 without `more`, nor is it sealed
                sealed = [*kept, more] if more else kept
                if not hmac.compare_digest(seal, seal_of(sealed, self.key)):
                    edited += 1
                    continue
                text, latency, tokens, cost, prompt_tokens, finish = kept[3:]
                answer = Answer(
                    request.row, text, latency, tokens, cost,
                    prompt_tokens=prompt_tokens, finish=finish, **json.loads(more or "{}"),
                )  # fmt: skip
                if answer.asked_at >= since:
                    answers[request.row] = answer
        if edited:
            said = f"{edited} answers were edited, or have the seal of another key: asked anew"
            warnings.warn(f"{self.path}: {said}", stacklevel=2)
        return answers

    def put(self, model: str, request: Request, answer: Answer, by_group: bool = False) -> None:
        """Keep an answer of the model with this digest; an error is not kept."""
        if answer.error:
            return
        # In the types that the columns give back, since these are sealed.
        key = model, *request_key(request, by_group)
        values = (answer.text, float(answer.latency), int(answer.tokens), float(answer.cost))
        row = (*key, *values, int(answer.prompt_tokens), answer.finish)
        text = json.dumps({f: v for f in _MORE_FIELDS if (v := getattr(answer, f))}, default=str)
        with self._as_config_error():
            self.db.execute(
                "insert or replace into answers values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, seal_of([*row, text], self.key), text),
            )

    def delete(self, requests: Sequence[Request]) -> int:
        """Remove every model's answers to these requests; return how many there were."""
        # Until version 4 an answer was kept under roles and contents, whatever else was asked.
        texts = [[{k: m.get(k) for k in ("role", "content")} for m in r.messages] for r in requests]
        digests = [request_digest(r.messages, r.tools) for r in requests]
        return self._delete_where("substr(prompt, 1, 64)", [*digests, *map(request_digest, texts)])

    def delete_text(self, holds: Callable[[bytes], bool], *, dry_run: bool) -> int:
        """Remove the answers whose text `holds`; return how many there were, or are."""
        column = "text || more"
        texts = [text for (text,) in self.db.execute(f"select {column} from answers")]
        found = [text for text in texts if holds(text.encode())]
        return len(found) if dry_run else self._delete_where(column, found)

    def _delete_where(self, column: str, values: Sequence[str]) -> int:
        before = self.db.total_changes
        with self._as_config_error():
            self.db.executemany(f"delete from answers where {column} = ?", [(v,) for v in values])
            removed = self.db.total_changes - before
            self.db.execute("vacuum")  # SQLite leaves deleted text in the file otherwise
        return removed

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    @contextmanager
    def _as_config_error(self) -> Iterator[None]:
        """Turn an error of SQLite, such as that of a full disk, into a ConfigError of one line."""
        try:
            yield
        except sqlite3.Error as error:
            advice = "this is the cache of answers: make room, or move it away"
            raise ConfigError(f"{self.path}: {error}; {advice}") from None


def request_key(request: Request, by_group: bool = False) -> tuple[str, int]:
    """Return what an answer is kept under; `by_group` where it depends on the row's group too."""
    digest = request_digest(request.messages, request.tools)
    return digest + f"-{sha256_json(request.group)[:12]}" * by_group, int(request.repetition)


def record_judge(state: StateDir, digest: str) -> None:
    """Record that the judge with this digest was asked, for `delete_judge_answers`."""
    state.path("judge", f"{_ASKED_PREFIX}{digest}").touch(mode=0o600)


def delete_judge_answers(state: StateDir) -> int:
    """Remove all judges' answers, since each can quote any dataset; return how many there were."""
    files = state.folder.glob(f"judge/{_ASKED_PREFIX}*")
    if not (digests := [path.name.removeprefix(_ASKED_PREFIX) for path in files]):
        return 0
    with closing(AnswerCache(state.path("answers.sqlite"))) as answers:
        return answers._delete_where("model", digests)
