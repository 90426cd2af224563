"""The reader: every line that is not blank ends as a row or as a problem, whatever the bytes."""

import hashlib
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.data import json_lines
from tunegate.data.dataset import Dataset
from tunegate.data.json_lines import MAX_PROBLEMS, read_json_rows
from tunegate.results.finding import Finding

# Any text that UTF-8 can carry, with the characters that have split lines in other readers.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["a\u2028b", "a\u2029b", "a\x85b", "a\nb", "a\r\nb", '"', "\\", "[{", "}],", "\x0b\x0c", "\0"]
)
ROWS = st.lists(
    st.builds(
        lambda texts, extra: {
            "messages": [{"role": "user", "content": text} for text in texts],
            **extra,
        },
        st.lists(TEXT, min_size=1, max_size=3),
        st.dictionaries(
            TEXT.filter(lambda key: key != "messages"), TEXT | st.integers(), max_size=2
        ),
    ),
    max_size=6,
)
GAPS = st.lists(st.sampled_from(["", " ", "\t", "\r"]), max_size=3)
ROW = '{"messages": [{"role": "user", "content": "a"}]}'


def problems(data: bytes | str) -> list[tuple[int | None, str, str]]:
    found = read_json_rows(data if isinstance(data, bytes) else data.encode())[1]
    return [(f.line, f.kind, f.evidence) for f in found]


def lines_of(data: bytes | str) -> list[int]:
    return [
        line for line, _ in read_json_rows(data if isinstance(data, bytes) else data.encode())[0]
    ]


@given(ROWS, st.lists(GAPS, min_size=7, max_size=7), st.booleans(), st.booleans(), st.booleans())
@settings(deadline=None)
def test_jsonl_is_read_back_with_its_line_numbers(
    rows: list[dict[str, Any]], gaps: list[list[str]], escaped: bool, crlf: bool, bom: bool
) -> None:
    lines: list[str] = []
    expected = []
    for row, gap in zip(rows, gaps, strict=False):
        lines += gap
        lines.append(json.dumps(row, ensure_ascii=escaped))
        expected.append((len(lines), row))
    text = ("\r\n" if crlf else "\n").join(lines + gaps[-1])
    assert read_json_rows(b"\xef\xbb\xbf" * bom + text.encode()) == (expected, [])


@given(ROWS, st.sampled_from([None, 1, 4]), st.booleans(), st.booleans())
@settings(deadline=None)
def test_a_json_array_is_read_back_with_its_line_numbers(
    rows: list[dict[str, Any]], indent: int | None, escaped: bool, crlf: bool
) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=escaped)
    read_rows, found = read_json_rows((text.replace("\n", "\r\n") if crlf else text).encode())
    assert ([row for _, row in read_rows], found) == (rows, [])
    opens = "{" if indent is None else " " * indent + "{"
    where = [
        i for i, line in enumerate(text.split("\n"), 1) if indent is not None and line == opens
    ]
    assert [line for line, _ in read_rows] == (where or [1] * len(rows))


@given(ROWS, st.data())
@settings(max_examples=200, deadline=None)
def test_one_damaged_byte_never_raises_and_loses_no_line(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    good = "\n".join([*map(json.dumps, rows), ROW]).encode()
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    found, wrong = read_json_rows(bad)
    if bad[:1] == b"[":
        return  # not JSONL any longer
    kept = [i for i, line in enumerate(bad.split(b"\n"), 1) if line.strip()]
    assert sorted([line for line, _ in found] + [f.line or 0 for f in wrong if not f.hint]) == kept
    assert all("\n" not in f.evidence and f.evidence.isprintable() for f in wrong)


@given(ROWS, st.sampled_from([None, 1]), st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_array_never_raises_and_loses_no_row_unsaid(
    rows: list[dict[str, Any]], indent: int | None, data: st.DataObject
) -> None:
    good = json.dumps([*rows, json.loads(ROW)], indent=indent).encode()
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.sampled_from(list(b'"[]{},\\\n \0\xff1')))
    found, wrong = read_json_rows(good[:at] + bytes([byte]) + good[at + 1 :])
    assert len(found) >= len(rows) + 1 or wrong


@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\\n a1', max_size=60).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise(data: bytes) -> None:
    rows, found = read_json_rows(data)
    if data.strip(b" \t\r\n\v\f").removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\v\f,[]"):
        assert rows or found


@given(ROWS.filter(lambda rows: len(rows) > 2), st.data())
@settings(deadline=None)
def test_a_broken_element_ends_the_array_in_one_finding(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    elements = [json.dumps(row) for row in rows]
    victim = data.draw(st.integers(0, len(rows) - 1))
    elements[victim] = data.draw(
        st.sampled_from(
            ['{"a": [}', "nul", '{"a" 1}', '{"a": "b}', '{"a": NaN 1}', '"\\"', "{} {}"]
        )
    )
    found, wrong = read_json_rows(("[\n" + ",\n".join(elements) + "\n]").encode())
    assert [row for _, row in found] == rows[:victim]
    assert [f.line for f in wrong if f.kind == "json"] == [victim + 2]
    assert wrong[-1].evidence.endswith("the array is read no further")


@pytest.mark.parametrize(
    "element",
    [
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": ' + "[" * 70 + "]" * 70 + "}",
        '{"a": "\\ud800"}',
        '"\xff"',
        "[]",
        "",
    ],
)
def test_an_element_that_ends_takes_no_other_element_along(element: str) -> None:
    found, wrong = read_json_rows(f"[{ROW},\n{element}\n,\n{ROW}]".encode("latin-1"))
    assert [line for line, _ in found] == [1, 4]
    assert [f.line for f in wrong] == [2 + (not element)]


@pytest.mark.parametrize("wrap", ["{}", "[{}]", "[{}", "{}]"])
@pytest.mark.parametrize("begin", ['{"a": "', '{"a": ', '"'])
def test_time_grows_with_the_size_and_not_with_its_square(wrap: str, begin: str) -> None:
    """A reader that began anew at each quote would need hours for these 2 MB."""
    data = wrap.replace("{}", begin + '\\"' * 1_000_000).encode()
    rows, found = read_json_rows(data)
    assert (rows, len(found)) == ([], 1)


def test_an_array_is_decoded_once_for_each_element(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[int] = []

    class Decoder(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
            value, end = super().raw_decode(s, idx)
            ends.append(end)
            return value, end

    monkeypatch.setattr(json_lines, "_ELEMENT", Decoder())
    text = f"[{', '.join([ROW] * 50)}]"
    assert len(read_json_rows(text.encode())[0]) == 50
    assert ends == [(len(ROW) + 2) * k + len(ROW) + 1 for k in range(50)]


@given(ROWS, st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None)
def test_the_bytes_of_an_element_are_those_of_the_file(
    rows: list[dict[str, Any]], indent: int | None, bom: bool
) -> None:
    data = b"\xef\xbb\xbf" * bom + json.dumps(rows, indent=indent, ensure_ascii=False).encode()
    position = 0
    for (_, raw), row in zip(json_lines.split_rows(data), rows, strict=True):
        assert isinstance(raw, bytes)
        assert json.loads(raw) == row
        position = data.index(raw, position) + len(raw)


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        (
            '{"messages": [{"role": "user", "content": 5}]}',
            "shape",
            "messages[0].content is a number",
        ),
        ('{"messages": [{"role": "user", "content": {}}]}', "shape", "content is an object"),
        ('{"messages": [{"role": 1, "content": "a"}]}', "shape", "messages[0].role is a number"),
        ('{"messages": [{"content": "a"}]}', "shape", "messages[0].role is missing"),
        ('{"messages": ["hi"]}', "shape", "messages[0] is a text; an object is needed"),
        ('{"messages": "hi"}', "shape", "messages is a text; a list"),
        ('{"messages": []}', "shape", "messages is empty"),
        ('{"messages": null}', "shape", "messages is null"),
        ('[{"role": "user"}]', "shape", "the row is an array"),
        ("3", "shape", "the row is a number"),
        ("null", "shape", "the row is null"),
        ('{"text": "a"}', "shape", "the row has text"),
        (
            '{"messages": [{"role": "user", "role": "b"}]}',
            "json",
            "messages[0]: the key 'role' stands",
        ),
        (
            '{"messages": [{"role": "user", "weight": NaN}]}',
            "json",
            "messages[0].weight: NaN is not",
        ),
        ('{"x": -Infinity}', "json", "x: -Infinity is not JSON"),
        ('{"x": 1e999}', "json", "x: a number beyond"),
        ('{"x": NaN, ', "json", "is the row cut off?"),
        ('{"x": ' + "9" * 5000 + "}", "json", "x: a number of 400 digits"),
        (
            '{"messages": [{"role": "user", "content": "\\ud83d"}]}',
            "json",
            "content: half of a surrog",
        ),
        ('{"\\udc00": 1}', "json", "half of a surrogate pair"),
        ('{"a":' * 5000, "json", "nested more than 64"),
        ('{"a":' * 70 + "1" + "}" * 70, "json", "nested more than 64"),
        ('{"messages": [{"role": "user", "content": "a', "json", "is the row cut off?"),
        (ROW[:-2], "json", "is the row cut off?"),
        (ROW + ROW, "json", "something follows the value"),
        ("{", "json", "jq -c"),
        ('{"a": "b\0"}', "json", "NUL"),
        ("{'a': 1}", "json", "line 2, character 2 of the row"),
    ],
)
def test_a_bad_line_is_named_and_the_lines_around_it_are_read(
    line: str, kind: str, says: str
) -> None:
    data = f"{ROW}\n{line}\n{ROW}\n"
    assert lines_of(data) == [1, 3]
    ((where, what, evidence),) = problems(data)
    assert (where, what) == (2, kind)
    assert says in evidence
    assert evidence.isprintable()
    assert len(evidence) < 200


@pytest.mark.parametrize(("opens", "closes"), [('{"a":', "}"), ("[", "]")])
def test_a_row_may_be_nested_64_levels_deep(opens: str, closes: str) -> None:
    deep = '{"messages": [{"role": "user", "content": "a"}], "x": ' + opens * 63 + "1" + closes * 63
    assert problems(deep + "}") == []
    deeper = deep.replace('"x": ', '"x": ' + opens) + closes + "}"
    assert problems(deeper) == [(1, "json", "nested more than 64 levels deep")]


def test_a_number_may_have_399_digits() -> None:
    row = ROW.replace('{"messages', '{"n": ' + "9" * 399 + ', "messages')
    assert problems(row) == []
    assert [said for _, _, said in problems(row.replace("99", "999", 1))] == [
        "n: a number of 400 digits or more"
    ]


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ('"a": ["\\ud800", NaN]', "a[0]: half of a surrogate pair"),
        ('"a": ["\\ud800"], "b": "\\udfff"', "a[0]: half of a surrogate pair"),
        ('"a": "\\uD800"', "a: half of a surrogate pair"),
        ('"a": "\\uDBFF"', "a: half of a surrogate pair"),
        ('"a": [NaN, {"b": Infinity}]', "a[0]: NaN is not JSON"),
        ('"a": -1e999', "a: a number beyond 1.8e308"),
        ('"b c": NaN', "'b c': NaN is not JSON"),
        ('"' + "k" * 40 + '": NaN', "k" * 40 + ": NaN is not JSON"),
        ('"' + "k" * 41 + '": NaN', f"'{'k' * 40}...': NaN is not JSON"),
        ('"a": 1, "b": 2, "b": 3', "the key 'b' stands twice in one object"),
    ],
)
def test_the_first_thing_that_is_not_allowed_is_named(field: str, says: str) -> None:
    ((_, kind, evidence),) = problems("{" + field + "}")
    assert (kind, evidence[: len(says)]) == ("json", says)


def test_a_pair_of_surrogates_is_a_character() -> None:
    (row,) = read_json_rows(ROW.replace('"a"', '"\\ud83d\\ude00"').encode())[0]
    assert row[1]["messages"][0]["content"] == "\U0001f600"


def test_bytes_that_are_not_utf8_are_named_with_their_line() -> None:
    data = ROW.encode() + b'\n{"messages": [{"role": "user", "content": "\xe7"}]}\n'
    ((line, kind, evidence),) = problems(data)
    assert (line, kind) == (2, "encoding")
    assert "byte 44 of the row is not UTF-8" in evidence


@pytest.mark.parametrize("text", ["Rain.\n\nSun.\n", "a,b\nc,d\n", "# Title\nIt {rains}.\n"])
def test_a_file_of_text_is_one_finding(text: str) -> None:
    ((line, kind, evidence),) = problems(text)
    assert (line, kind) == (1, "json")
    assert evidence.startswith("no line begins with { or [: the file is text")
    assert len(problems(f"\ufeff{ROW}\n{text}")) == len(problems(f"{text}{{\n")) - 1
    assert len(problems(f"{text}{ROW}")) == text.strip().count("\n") + 1 - text.count("\n\n")


def test_many_blank_lines_in_a_file_of_text_are_read_once() -> None:
    start = time.process_time()
    assert len(problems("Rain.\n" + "\n" * 40_000 + "Sun.\n")) == 1
    assert time.process_time() - start < 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(encoding: str) -> None:
    assert read_json_rows(ROW.encode(encoding))[0] == []
    ((line, kind, evidence),) = problems(ROW.encode(encoding))
    assert (line, kind) == (1, "encoding")
    assert "UTF-8" in evidence


@pytest.mark.parametrize(
    ("magic", "says"),
    [
        (b"\x1f\x8b", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"(\xb5/\xfd", "zstd"),
        (b"PAR1", "the file is Parquet; say which columns it has"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!doctype html>", "web page"),
    ],
)
def test_archives_are_named(magic: bytes, says: str) -> None:
    assert says in problems(magic + b"\0\1\2\3")[0][2]


@pytest.mark.parametrize("empty", [b"", b"\n \n", b"\xef\xbb\xbf", b"[]", b" [\n] \n"])
def test_empty_files_have_no_rows_and_no_problems(empty: bytes) -> None:
    assert read_json_rows(empty) == ([], [])


@pytest.mark.parametrize(
    ("text", "rows", "says"),
    [
        (f"[{ROW},\n\n{ROW}", [1, 3], "never closed"),
        (f"[{ROW},\n{ROW},\n]", [1, 2], "a comma too many"),
        (f"[{ROW},,{ROW}]", [1, 1], "a comma too many"),
        (f"[{ROW}]\n\n{ROW}", [1], "an array"),
        (f"[\n{ROW}]\n{ROW}", [2], "behind the array's closing bracket"),
        (f"[1, 2]\n{ROW}", [2], "the row is an array"),
    ],
)
def test_faults_of_arrays(text: str, rows: list[int], says: str) -> None:
    if says == "an array":  # JSONL, then, whose first line is at fault
        rows = [3]
    assert lines_of(text) == rows
    assert [says in evidence for _, _, evidence in problems(text)] == [True]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f"[\n{ROW},\n{ROW}\n\n", 5, "never closed"),
        (f"[\n{ROW}\n]\n\nx", 5, "behind the array's closing bracket"),
        (f"[\n{ROW}\n,\n\nnul,\n{ROW}]", 5, "not JSON"),
        (f"[\n{ROW},\n\n]", 4, "a comma too many"),
        (f'[\n{ROW},\n{{\n"a": nul}}]', 3, "(line 4, character 8 of the row)"),
    ],
)
def test_what_is_wrong_in_an_array_has_its_line(text: str, line: int, says: str) -> None:
    ((where, kind, evidence),) = problems(text)
    assert (where, kind) == (line, "json")
    assert says in evidence


def test_a_file_that_is_one_line_with_an_array_is_an_array() -> None:
    assert lines_of(f"[{ROW}, {ROW}]\n \n") == [1, 1]
    assert lines_of(f"\n[{ROW}]") == [2]


def test_the_shape_is_told_once_for_a_file_of_one_shape() -> None:
    row = '{"prompt": "a", "completion": "b"}'
    ((_, kind, says),) = problems(f"{row}\n{row}")
    assert (kind, says) == (
        "shape",
        "read as prompt and completion: prompt and completion became messages",
    )


def test_a_huge_number_of_problems_is_counted_rather_than_listed() -> None:
    found = read_json_rows(b"{x\n" * (MAX_PROBLEMS + 234))[1]
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == Finding(None, None, "unlisted", "234 more rows are unreadable")


@pytest.mark.parametrize("wrap", ["{}", "[{}]"])
def test_memory_stays_a_small_multiple_of_one_huge_line(wrap: str) -> None:
    row = '{"messages": [{"role": "user", "content": "' + "ação \\n" * 1_000_000 + '"}]}'
    data = wrap.replace("{}", row).encode()
    tracemalloc.start()
    rows, found = read_json_rows(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(rows), found) == (1, [])
    assert peak < 4 * len(data)


def test_the_digest_is_that_of_the_raw_bytes() -> None:
    data = b"\xef\xbb\xbf" + ROW.encode() + b"\r\n"
    assert Dataset.parse(data).digest == hashlib.sha256(data).hexdigest()


def test_the_splits_of_an_object_are_found_behind_a_long_list_of_another_name() -> None:
    held = {"unknown": [["x" * 50, "y"]] * 100, "train": [["a", "b"]], "val": [["c", "d"]]}
    for indent in (None, 1):
        data = json.dumps(held, indent=indent).encode()
        assert [e.reply for s in ("train", "validation") for e in Dataset.parse(data, s)] == [
            "b",
            "d",
        ]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            {"Play": [{"data": []}], "n": 1},
            "one JSON object (Play, n); one row a line is needed: jq",
        ),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "one JSON object (messages)"),
        ({"a": "b"}, "one JSON object (a); one row a line is needed"),
    ],
)
def test_one_object_over_several_lines_is_told_once(value: object, says: str) -> None:
    (problem,) = Dataset.parse(json.dumps(value, indent=2).encode()).problems
    assert says in problem.evidence


@pytest.mark.parametrize("text", ['{"a": 1, {"b": 2}: []\n}', '{"a" 1:\n[]}', '{"a": [] "b": 1\n}'])
def test_what_is_not_one_object_is_read_by_its_lines(text: str) -> None:
    problems = Dataset.parse(text.encode()).problems
    assert len(problems) == 2
    assert not any("one JSON object" in problem.evidence for problem in problems)
