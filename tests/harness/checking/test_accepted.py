"""The file of accepted findings: what is in it, what is wrong in it, what it is in force for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunegate import Finding, Findings
from tunegate.checking.accepted import (
    FILE_HEADER,
    LastFindings,
    append_entries,
    read_accepted,
    remove_entries,
    to_dicts,
)
from tunegate.checking.decorator import make_findings
from tunegate.cli.accept import accept_findings
from tunegate.errors import ConfigError
from tunegate.results.outcome import AcceptedEntry, collect_outcomes, recordings
from tunegate.results.outcome import collect_outcomes as accepting
from tunegate.storage.state_dir import StateDir

ID = "0123456789ab"
ENTRY = AcceptedEntry(
    ID, "pii", "email", "train, line 3", "a***@b.com", "our own", "ana", "2026-11-23"
)
KNOWN = Finding(2, 3, "email", "a***@b.com", id=ID)
NEW = Finding(4, 5, "email", "r***@b.com", id="ba9876543210")


def found(*items: Finding, name: str = "pii") -> Findings:
    return make_findings(name, items, split="train", n=10)


texts = st.text(min_size=1).filter(str.strip)


@given(st.lists(st.builds(AcceptedEntry, *[texts] * 8), max_size=4, unique_by=lambda e: e.id))
def test_what_is_written_is_read_back(entries: list[AcceptedEntry]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        append_entries(Path(folder), entries[:1])
        append_entries(Path(folder), entries[1:])
        assert list(read_accepted(Path(folder)).values()) == entries


@given(
    st.lists(st.builds(AcceptedEntry, *[texts] * 8), max_size=5, unique_by=lambda e: e.id),
    st.sets(st.integers(0, 4)),
)
@example([AcceptedEntry(*"0000000", "\x85#")], {0})  # no end of a line in TOML
def test_what_is_removed_is_gone_and_the_rest_stays(
    entries: list[AcceptedEntry], removed: set[int]
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        append_entries(Path(folder), entries)
        gone = [entry.id for n, entry in enumerate(entries) if n in removed]
        remove_entries(Path(folder), gone)
        left = [entry for entry in entries if entry.id not in gone]
        assert list(read_accepted(Path(folder)).values()) == left
        kept = (Path(folder) / "accepted.toml").read_text("utf-8")
        other = Path(folder) / "other"
        other.mkdir()
        append_entries(other, left)
        assert kept == (other / "accepted.toml").read_text("utf-8")


def entry_text(id_: str, **changes: str) -> str:
    values = {"check": "pii", "kind": "email", "where": "train", "evidence": "x", "why": "ours"}
    fields = {"id": id_, **values, "who": "ana", "when": "2026-11-23", **changes}
    return "[[accepted]]\n" + "".join(f"{key} = '{value}'\n" for key, value in fields.items())


def test_a_comment_above_an_entry_goes_with_it_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    one, two, three = (entry_text(id_) for id_ in ("one", "two", "three"))
    path.write_text(f"# mine\n\n# of one\n{one}\n# free\n\n# of two\n{two}\n\n{three}# end\n")
    remove_entries(tmp_path, ["two"])
    assert path.read_text() == f"# mine\n\n# of one\n{one}\n# free\n\n\n{three}# end\n"
    remove_entries(tmp_path, ["one", "three"])
    assert path.read_text() == "# mine\n\n# free\n\n# end\n"


@pytest.mark.parametrize(
    "text",
    [
        entry_text("two", why="").replace("why = ''", "why = '''\n[[a\n'''"),
        "accepted = [{id='two', check='c', kind='k', where='w', evidence='e', why='y', who='a', "
        "when='n'}]\n",
    ],
)
def test_entries_whose_lines_cannot_be_told_apart_are_left(tmp_path: Path, text: str) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(text if text.startswith("accepted") else entry_text("one") + text)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"no plain .* tables; remove them by hand: two"):
        remove_entries(tmp_path, ["two"])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "read_back"), [("a\x7fb", "a\x7fb"), ("a\udc80b", r"a\udc80b"), ('"\\\n', '"\\\n')]
)
def test_no_character_breaks_the_file(tmp_path: Path, text: str, read_back: str) -> None:
    append_entries(tmp_path, [replace(ENTRY, evidence=text), replace(ENTRY, id="ba9876543210")])
    assert read_accepted(tmp_path)[ID].evidence == read_back
    assert len(read_accepted(tmp_path)) == 2


def test_what_a_hand_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    append_entries(tmp_path, [ENTRY])
    path.write_text(path.read_text() + "# see ticket 12")
    before = path.read_text()
    append_entries(tmp_path, [replace(ENTRY, id="ba9876543210")])
    assert path.read_text().startswith(before + "\n\n[[accepted]]\n")
    assert len(read_accepted(tmp_path)) == 2


def test_it_is_plain_to_read(tmp_path: Path) -> None:
    append_entries(tmp_path, [ENTRY])
    text = (tmp_path / "accepted.toml").read_text()
    assert text.startswith(FILE_HEADER)
    assert text.splitlines()[3:] == [
        "[[accepted]]",
        'id = "0123456789ab"',
        'check = "pii"',
        'kind = "email"',
        'where = "train, line 3"',
        'evidence = "a***@b.com"',
        'why = "our own"',
        'who = "ana"',
        'when = "2026-11-23"',
    ]


def test_there_need_be_no_file(tmp_path: Path) -> None:
    assert read_accepted(tmp_path) == {}


WHOLE = "\n".join(["[[accepted]]", *(f'{k} = "x"' for k in AcceptedEntry.__dataclass_fields__)])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[accepted]]\nid = x", "(at line 2, column 6)"),
        ("[accepted]\nid = 'x'", "in double brackets"),
        ("[[acepted]]\nid = 'x'", "unknown key 'acepted'"),
        (f"{WHOLE}\n\n{WHOLE}", "line 12: id 'x' stands here twice"),
        ("# c\n[[accepted]]\nid = 'x'", "line 2: no 'check'"),
        (WHOLE.replace('why = "x"', 'why = " "'), "line 1: why = ' '; a text that is not blank"),
        (WHOLE.replace('id = "x"', "id = 7"), "line 1: id = 7"),
        ("accepted = [7]", "entry 1: an entry is a table that begins with [[accepted]]"),
        ("accepted = [{}, {}]", "entry 1: no 'id'"),
        (f"{WHOLE}\n{WHOLE.replace('id = ', 'id = 7 #')}", "line 11: id = 7"),
        (
            WHOLE.replace('why = "x"', "why = '''\n[[x'''") + '\n[[accepted]]\nid = ""',
            "entry 2: id = ''; a text",
        ),
        (WHOLE.replace("why", "wyh"), "line 1: unknown key 'wyh', did you mean 'why'?"),
    ],
)
def test_a_hand_broken_file_is_one_clear_error(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "accepted.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_accepted(tmp_path)
    assert told in str(caught.value)
    assert "accepted.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_what_is_accepted_does_not_count() -> None:
    with accepting({ID: ENTRY}), collect_outcomes() as ledger:
        one = found(KNOWN, NEW)
        assert list(one) == [NEW]
        assert (one.accepted, one.rows, one.rate.hits) == ((KNOWN,), [4], 1)
        assert one
        assert not found(KNOWN)
    assert repr(one) == "<pii: 1 email in 1 of 10 examples of train; 1 accepted>"
    assert [j.passed for j in ledger] == [False, True]
    assert ledger[1].summary == "<pii: nothing found in 10 examples of train; 1 accepted>"
    assert ledger[1].data["accepted"] == [ID]


def test_a_file_in_another_encoding_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "accepted.toml").write_bytes("# é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"accepted\.toml: line 1 is not UTF-8: save the file"):
        read_accepted(tmp_path)


def test_what_was_in_force_before_is_in_force_again() -> None:
    with accepting({ID: ENTRY}) as outer:
        with accepting({}) as inner:
            assert len(found(KNOWN)) == 1
        assert recordings[-1].accepted == {ID: ENTRY}
        assert not found(KNOWN)
    assert recordings[-1].accepted is None
    assert [len(made) for made in (outer, inner)] == [1, 1]


def test_findings_made_by_hand_are_what_they_are_given() -> None:
    with accepting({ID: ENTRY}) as made:
        one = Findings("pii", [NEW, KNOWN])
        other = Findings("pii", [NEW], accepted=[KNOWN])
    assert (list(one), one.accepted) == ([KNOWN, NEW], ())
    assert (list(other), other.accepted) == ([NEW], (KNOWN,))
    assert made == []


def test_in_a_notebook_nothing_is_accepted() -> None:
    with accepting({ID: ENTRY}):
        pass
    assert list(found(KNOWN)) == [KNOWN]


def test_an_entry_that_names_another_check_or_kind_accepts_nothing() -> None:
    with accepting({ID: ENTRY}):
        assert list(found(KNOWN, name="secrets")) == [KNOWN]
        assert len(found(replace(KNOWN, kind="cpf"))) == 1


def test_what_was_made_is_remembered() -> None:
    with accepting({ID: ENTRY}) as made:
        one = found(KNOWN)
    assert [outcome.subject for outcome in made] == [one]


def test_an_entry_holds_in_the_splits_that_it_names(tmp_path: Path) -> None:
    in_test, in_both = replace(ENTRY, split="test"), replace(ENTRY, split="test, train")
    splits = ("train", "validation", "test")
    held = {e.split: [s for s in splits if e.holds_in(s)] for e in (ENTRY, in_test, in_both)}
    assert held == {"": [*splits], "test": ["test"], "test, train": ["train", "test"]}
    append_entries(tmp_path, [in_both])
    assert read_accepted(tmp_path) == {ENTRY.id: in_both}


@pytest.mark.parametrize(("split", "accepted"), [("", 1), ("test", 0), ("test, train", 1)])
def test_what_is_accepted_in_one_split_counts_in_another(split: str, accepted: int) -> None:
    finding = Finding(0, 1, ENTRY.kind, "x", id=ENTRY.id)
    with accepting({ENTRY.id: replace(ENTRY, split=split)}):
        made = make_findings(ENTRY.check, [finding], split="train")
    assert (len(made.accepted), len(made)) == (accepted, 1 - accepted)


def test_accepting_in_another_split_keeps_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tunegate.toml").write_text("")
    append_entries(tmp_path, [replace(ENTRY, split="test")])
    with accepting(read_accepted(tmp_path)):
        made = make_findings(
            ENTRY.check, [Finding(0, 1, ENTRY.kind, "x", id=ENTRY.id)], split="train"
        )
    session = LastFindings()
    session.add(to_dicts([made]))
    session.save(StateDir(tmp_path))
    assert session.status(read_accepted(tmp_path)[ENTRY.id]).startswith("stale")
    accept_findings(StateDir(tmp_path), session, [ENTRY.id], "in both")
    (entry,) = read_accepted(tmp_path).values()
    assert (entry.split, entry.why) == ("test, train", "in both")
    ((status, _),) = accept_findings(StateDir(tmp_path), session, [ENTRY.id], "again")
    assert status == "accepted before"
