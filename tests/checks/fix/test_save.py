"""All files or none."""

from pathlib import Path

import pytest

from tunegate.utils.files import atomic_write_all


def test_all_are_there(tmp_path: Path) -> None:
    a, b = tmp_path / "x" / "a", tmp_path / "x" / "b"
    atomic_write_all({a: b"1", b: b""})
    assert (a.read_bytes(), b.read_bytes()) == (b"1", b"")
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == ["a", "b"]


def test_where_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    a, b = tmp_path / "a", tmp_path / "file" / "b"
    a.write_text("old")
    with pytest.raises(OSError, match="nothing was written"):
        atomic_write_all({a: b"new", b: b""})
    assert a.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "file"]
