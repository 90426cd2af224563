"""Sealed files: whoever opens one again knows whether it is whole, and whose it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.storage.state_dir import SealBroken, StateDir
from tunegate.utils import files

BODY = {"run": "abc", "data": {"train": "é"}, "tests": [1, 2.5, None, True]}
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=5,
)


def test_what_was_sealed_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    StateDir(tmp_path).write_sealed(path, BODY)
    assert StateDir(tmp_path).read_sealed(path) == BODY
    assert path.stat().st_mode & 0o077 == 0
    assert "é" in path.read_text("utf-8")


@pytest.mark.parametrize(
    "change",
    [
        {"run": "abd"},
        {"more": 1},
        {"tests": [2.5, 1, None, True]},
        {"data": {"train": "e"}},
        {"seal": "0" * 64},
        {"seal": ""},
        {"seal": None},
    ],
)
def test_a_change_breaks_the_seal(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "run" / "receipt.json"
    StateDir(tmp_path).write_sealed(path, BODY)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SealBroken, match="was changed since") as caught:
        StateDir(tmp_path).read_sealed(path)
    assert f"restore it, or remove {path.parent} and run" in str(caught.value)


def test_another_state_tree_s_key_does_not_open_it(tmp_path: Path) -> None:
    StateDir(tmp_path).write_sealed(tmp_path / "receipt.json", BODY)
    (tmp_path / "other").mkdir()
    with pytest.raises(SealBroken, match="not written by a gate of this state tree"):
        StateDir(tmp_path / "other").read_sealed(tmp_path / "receipt.json")


def test_how_it_is_laid_out_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    StateDir(tmp_path).write_sealed(path, BODY)
    told = json.loads(path.read_text())
    path.write_text(json.dumps({key: told[key] for key in reversed(told)}, ensure_ascii=True))
    assert StateDir(tmp_path).read_sealed(path) == BODY


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "null", "{}", '{"run": "abc"}', "\xff"])
def test_what_nobody_sealed_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SealBroken, match=r"receipt\.json was not written by tunegate"):
        StateDir(tmp_path).read_sealed(path)


def test_a_file_that_is_missing_means_that_no_gate_opened(tmp_path: Path) -> None:
    with pytest.raises(SealBroken, match=r"receipt\.json is missing: no gate opened for this run"):
        StateDir(tmp_path).read_sealed(tmp_path / "receipt.json")


@given(values, values)
def test_values_have_one_digest_where_they_are_spelled_alike(one: Any, other: Any) -> None:
    alike = files.canonical_json(one) == files.canonical_json(other)
    assert (files.sha256_json(one) == files.sha256_json(other)) == alike
    assert json.loads(files.canonical_json(one)) == one


def test_the_order_of_keys_does_not_count_and_that_of_items_does() -> None:
    assert files.sha256_json({"a": 1, "b": 2}) == files.sha256_json({"b": 2, "a": 1})
    assert files.sha256_json([1, 2]) != files.sha256_json([2, 1])
    assert files.canonical_json({"b": "é", "a": [1]}) == '{"a":[1],"b":"é"}'.encode()
