"""What a session found, opened again by `tunegate accept`: whole, and said of what was judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate import ConfigError, Finding
from tunegate.checking.accepted import LastFindings, read_last_findings, to_dicts
from tunegate.checking.decorator import make_findings
from tunegate.results.outcome import AcceptedEntry
from tunegate.results.outcome import collect_outcomes as accepting
from tunegate.storage.state_dir import StateDir

KNOWN = Finding(2, 3, "email", "a***@b.com", id="0123456789ab")
NEW = Finding(4, 5, "email", "r***@b.com", id="ba9876543210")
WHOLE = Finding(None, None, "few", "10 rows \udc80", id="aaaaaaaaaaaa")
NAMELESS = Finding(None, 7, "json", "not JSON")
ENTRY = AcceptedEntry(
    KNOWN.id, "pii", "email", "train, line 3", "a***@b.com", "ours", "ana", "2026-11-23"
)


def seen(*items: Finding, split: str = "train") -> LastFindings:
    """Return what a session has seen whose one check made these findings."""
    with accepting({KNOWN.id: ENTRY}):
        made = make_findings("pii", items, split=split, n=10)
    session = LastFindings()
    session.add(to_dicts([made]))
    return session


def test_what_is_kept_is_recalled(tmp_path: Path) -> None:
    state, session = StateDir(tmp_path), seen(KNOWN, NEW, WHOLE, NAMELESS)
    session.save(state)
    again = read_last_findings(state)
    assert again.when.endswith("+00:00")
    assert again.judged_splits == {("pii", "train")}
    assert [f["id"] for f in again.findings.values() if f["accepted"]] == [KNOWN.id]
    assert list(again.findings.values()) == [
        {
            "id": id_,
            "check": "pii",
            "named": True,
            "kind": kind,
            "split": "train",
            "where": where,
            "evidence": evidence,
            "accepted": accepted,
        }
        for id_, kind, where, evidence, accepted in [
            (WHOLE.id, "few", "train", "10 rows ?", False),
            (NEW.id, "email", "train, line 5", "r***@b.com", False),
            (KNOWN.id, "email", "train, line 3", "a***@b.com", True),
        ]
    ]
    assert (state.folder / "findings.json").stat().st_mode & 0o077 == 0


def test_a_file_of_before_is_read_and_a_damaged_one_named(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    seen(KNOWN, NEW, WHOLE, NAMELESS).save(state)
    path = state.folder / "findings.json"
    content = json.loads(path.read_text())
    for found in [*content["found"], *content["without_id"]]:
        del found["split"]
    path.write_text(json.dumps(content))
    last = read_last_findings(state)
    assert {f["split"] for f in [*last.findings.values(), *last.without_id]} == {"train"}
    for damaged in ("", "[]", "null", '{"found": [1]}', '{"found": []}', '{"found": [{"id": 1}]}'):
        path.write_text(damaged)
        with pytest.raises(ConfigError, match=r"findings\.json is damaged: pytest suites/data"):
            read_last_findings(state)


def test_a_session_that_judged_nothing_leaves_what_was_there(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    assert read_last_findings(state) == LastFindings()
    seen(NEW).save(state)
    LastFindings().save(state)
    assert list(read_last_findings(state).findings) == [NEW.id]
    seen().save(state)  # this one judged, and found nothing
    assert (read_last_findings(state).findings, read_last_findings(state).judged_splits) == (
        {},
        {("pii", "train")},
    )


def test_a_dataset_without_a_split_has_no_place_but_the_line() -> None:
    assert [one["where"] for one in seen(NEW, WHOLE, split="").findings.values()] == ["", "line 5"]


def test_the_receipt_holds_what_was_accepted_and_why() -> None:
    assert seen(replace(KNOWN, line=9), NEW).to_receipt({KNOWN.id: ENTRY}) == [
        {
            "id": KNOWN.id,
            "check": "pii",
            "kind": "email",
            "where": "train, line 9",  # where it was found now
            "evidence": "a***@b.com",
            "why": "ours",
            "who": "ana",
            "when": "2026-11-23",
        }
    ]


STALE, UNJUDGED = "stale: not found any more", "not looked for in the last session"


@pytest.mark.parametrize(
    ("session", "status"),
    [
        (seen(KNOWN), "in force"),
        (seen(NEW), STALE),
        (seen(), STALE),
        (seen(split=""), STALE),
        (seen(split="test"), UNJUDGED),
        (LastFindings(), UNJUDGED),
        (LastFindings(judged_splits={("secrets", "train")}), UNJUDGED),
    ],
)
def test_how_an_entry_stands(session: LastFindings, status: str) -> None:
    assert session.status(ENTRY) == status
