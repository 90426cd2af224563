"""Every line of a file becomes a row or is set aside, with its line and the reason."""

import json
from pathlib import Path

import pytest
from dirty import row
from hypothesis import given
from hypothesis import strategies as st

from tunegate.data.dataset import Dataset
from tunegate.errors import ConfigError
from tunegate_checks.fix.changes import Source, read_json_source, read_source

LINES = [
    json.dumps(row("one")).encode(),
    b" " + json.dumps(row("tw\u2028o"), ensure_ascii=False).encode() + b" \r",
    json.dumps({"instruction": "what", "output": "that"}).encode(),
    b"",
    b" \r",
    b'{"cut',
    b"{\xff\x81",  # in no encoding that is known here: broken, not foreign
    b"[]",
    b'"x"',
    b'{"messages": []}',
    b'{"a": "\x00"}',
]


def made(data: bytes) -> Source:
    return read_json_source(Path("x.jsonl"), data)


@given(st.lists(st.sampled_from(LINES), max_size=8), st.booleans(), st.booleans())
def test_nothing_is_lost(lines: list[bytes], bom: bool, end: bool) -> None:
    data = b"\xef\xbb\xbf" * bom + b"\n".join(lines) + b"\n" * end
    source = made(data)
    dataset = Dataset.parse(data)
    assert [(r.line, r.fields) for r in source.rows] == [(e.line, e.fields) for e in dataset]
    said = [(p.line, p.evidence) for p in dataset.problems if not p.hint]
    if source.rows:  # of other files the reader may say that they are no text at all
        assert [(a.line, a.reason) for a in source.rejected] == said
    again = made(b"".join(r.raw + b"\n" for r in source.rows))
    assert [r.fields for r in again.rows] == [r.fields for r in source.rows]
    assert [r.raw for r in again.rows] == [r.raw for r in source.rows]


def test_rows_keep_their_bytes() -> None:
    odd = b'{"x":1.50,  "messages": [{"role":"user","content":"\\u00e9"}]}'
    assert made(odd + b"\r\n").rows[0].raw == odd


@pytest.mark.parametrize("chat", [
    b'{"messages": [{"role": "user", "content": "a", "name": null}, {"role": "assistant"}]}',
    b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "weight": 1.0}]}',
    b'{"system": "s", "messages": [{"role": "user", "content": [{"text": "a"}]}]}',
    b'{"messages": [{"role": "user", "content": [{"type": "text", "value": "a"}], "loss": true}]}',
])  # fmt: skip
def test_chat_in_another_dialect_stays_as_it_stands(chat: bytes) -> None:
    source = made(chat)
    assert [(row.raw, row.fields) for row in source.rows] == [
        (chat, dict(Dataset.parse(chat)[0].fields))
    ]
    assert source.converted == []


def test_the_rest_of_a_broken_array_is_set_aside() -> None:
    rest = b'{"no": [1, 2,]},\n  {"messages": []}\n]'
    source = made(b"[" + json.dumps(row("one")).encode() + b" ,\n  " + rest + b"\n")
    assert [json.loads(r.raw) for r in source.rows] == [row("one")]
    assert [r.line for r in source.rejected] == [2]
    assert "the array is read no further" in source.rejected[0].reason


def test_an_array_over_many_lines() -> None:
    data = json.dumps([row("one"), {"no": 1}, row("two")], indent=2).encode() + b" tail"
    source = made(data)
    assert [b"\n" in r.raw for r in source.rows] == [False, False]
    assert [json.loads(r.raw) for r in source.rows] == [row("one"), row("two")]
    assert len(source.rejected) == 2
    assert len(source.rows) + len(source.rejected) == 4


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it holds no rows"),
        (b"\xff\xfe{\x00", "UTF-16"),
        (b'{"a": 1}\n', "no `messages`"),
        (b"\x1f\x8b\x00", "gzip"),
    ],
)
def test_a_file_without_one_row_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="nothing was written") as caught:
        read_source(path)
    assert why in str(caught.value)


def test_a_file_in_latin1_is_refused_whole(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    text = "".join(json.dumps(row(t), ensure_ascii=False) + "\n" for t in ("one", "está", "não"))
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"of line 2 \(E1\) .*\n  iconv -f latin1"):
        read_source(path)


def test_rows_of_a_split_under_another_name_are_not_left_out_in_silence(tmp_path: Path) -> None:
    rows = [["Hi", "a"], ["Ho", "b"]]
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"train": rows, "oos_train": [["x", "oos"]], "test": rows}))
    assert len(read_source(path, split="test").rows) == 2
    with pytest.raises(ConfigError, match=r"oos_train stands beside the train rows.* jq -c"):
        read_source(path, split="train")
