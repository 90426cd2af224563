"""The cache of answers: each is on disk at once, so a second run asks only what is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .protocols import Answer, Request
from .sealed import digest_of

_SCHEMA = """
create table if not exists answers (
    model text not null, prompt text not null, text text not null, latency real not null,
    tokens integer not null, cost real not null, primary key (model, prompt)
) without rowid
"""


class Answers:
    """Answers by model digest and prompt digest; errors are never kept."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=True)
        # Autocommit: an answer is on disk when `put` returns, kill -9 or not.
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.db.execute("pragma journal_mode = wal")
        self.db.execute("pragma synchronous = normal")
        self.db.execute(_SCHEMA)

    def get(self, model: str, requests: Sequence[Request]) -> dict[int, Answer]:
        """Return the answers that are there, by row."""
        query = "select prompt, text, latency, tokens, cost from answers where model = ?"
        known = {row[0]: row[1:] for row in self.db.execute(query, (model,))}
        keys = ((request.row, _key(request.messages)) for request in requests)
        return {row: Answer(row, *known[key]) for row, key in keys if key in known}

    def put(self, model: str, request: Request, answer: Answer) -> None:
        """Keep an answer; one that is an error is not kept."""
        if answer.error:
            return
        values = (answer.text, answer.latency, answer.tokens, answer.cost)
        self.db.execute(
            "insert or replace into answers values (?, ?, ?, ?, ?, ?)",
            (model, _key(request.messages), *values),
        )

    def forget(self, messages: Sequence[Sequence[Mapping[str, Any]]]) -> int:
        """Remove every model's answers to these prompts; returns how many."""
        keys = [(_key(m),) for m in messages]
        before = self.db.total_changes
        self.db.executemany("delete from answers where prompt = ?", keys)
        removed = self.db.total_changes - before
        self.db.execute("vacuum")  # sqlite leaves deleted text in the file otherwise
        return removed

    def close(self) -> None:
        """Close the database."""
        self.db.close()


def _key(messages: Sequence[Mapping[str, Any]]) -> str:
    return digest_of([[m["role"], m.get("content")] for m in messages])
