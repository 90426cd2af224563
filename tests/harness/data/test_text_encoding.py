"""Files in Latin-1 or Windows-1252 are told once; UTF-8, and one broken line in it, are not."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cli.main import main
from tunegate.data.dataset import Dataset
from tunegate.data.json_lines import detect_wrong_encoding
from tunegate.data.tables import check_data
from tunegate.errors import ConfigError

PORTUGUESE = "pergunta,fila\nonde está meu pedido?,entrega\nnão recebi nada,entrega\n"
COLUMNS = {"prompt": "pergunta", "reply": "fila"}


def jsonl(*prompts: str) -> str:
    rows = [
        [{"role": "user", "content": p}, {"role": "assistant", "content": "a"}] for p in prompts
    ]
    return "".join(json.dumps({"messages": r}, ensure_ascii=False) + "\n" for r in rows)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_utf8_is_never_refused(text: str) -> None:
    assert detect_wrong_encoding(text.encode()) is None


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    found = detect_wrong_encoding(data)
    assert found is None or all(part.isprintable() for part in found[1:])


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (PORTUGUESE, "latin-1", "byte 9 of line 2 (E1) is not UTF-8, nor is 1 more line; the file "
         "is likely Latin-1: iconv -f latin1 -t utf-8 IN > OUT"),
        (PORTUGUESE.replace("nada", "“nada”"), "cp1252", "is likely Windows-1252: iconv -f cp1252"),
    ],
)  # fmt: skip
def test_a_table_is_one_problem(text: str, code: str, says: str) -> None:
    dataset = Dataset.parse(text.encode(code), columns=COLUMNS)
    (problem,) = dataset.problems
    assert (len(dataset), problem.line, problem.kind, problem.hint) == (0, 2, "encoding", False)
    assert says in problem.evidence


def test_json_lines_are_one_problem() -> None:
    text = jsonl("where?", "está?", *["não"] * 40)
    (problem,) = Dataset.parse(text.encode("latin-1")).problems
    assert problem.line == 2
    assert "nor are 40 more lines" in problem.evidence
    assert Dataset.parse(text.encode()).problems == ()


def test_broken_lines_among_utf8_are_told_one_by_one() -> None:
    good = jsonl(*["não é, está aí"] * 40).encode()
    bad = jsonl("está?", "não").encode("latin-1")
    dataset = Dataset.parse(good + bad)
    assert len(dataset) == 40
    assert [p.line for p in dataset.problems] == [41, 42]


def test_two_cut_letters_in_a_thousand_lines_are_broken_lines() -> None:
    lines = jsonl(*["hello"] * 1000).encode().split(b"\n")
    lines[10] = lines[10].replace(b"hello", b"hello\xe2\x80")
    lines[20] = lines[20].replace(b"hello", b"hello\xc3")
    dataset = Dataset.parse(b"\n".join(lines))
    assert (len(dataset), [p.line for p in dataset.problems]) == (998, [11, 21])


def test_one_line_is_a_broken_line_two_of_few_are_an_encoding() -> None:
    one, two = (jsonl(*["hi"] * 98, *["está"] * n).encode("latin-1") for n in (1, 2))
    assert detect_wrong_encoding(one) is None
    found = detect_wrong_encoding(two)
    assert found is not None
    assert found[0] == 99


@pytest.mark.parametrize(("lines", "told"), [(1000, False), (900, True)])
def test_fewer_than_one_line_in_a_hundred_are_broken_lines(lines: int, told: bool) -> None:
    data = jsonl(*["está"] * 9, *["hi"] * (lines - 9)).encode("latin-1")
    assert (detect_wrong_encoding(data) is not None) == told


def test_letters_of_utf8_among_them_mean_broken_lines() -> None:
    broken = jsonl(*["está"] * 20).encode("latin-1")
    assert detect_wrong_encoding(broken + "éé\n".encode()) is not None
    assert detect_wrong_encoding(broken + "ééé\n".encode()) is None


@pytest.mark.parametrize("byte", [b"\0", b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"])
def test_a_byte_that_neither_has_means_another_encoding(byte: bytes) -> None:
    data = PORTUGUESE.encode("latin-1")
    assert detect_wrong_encoding(data) is not None
    assert detect_wrong_encoding(data + byte) is None


@pytest.mark.parametrize(
    ("byte", "code"), [(b"\x80", "cp1252"), (b"\x9f", "cp1252"), (b"\xa0", "latin1")]
)
def test_letters_that_latin1_has_not_are_windows_1252_s(byte: bytes, code: str) -> None:
    found = detect_wrong_encoding(PORTUGUESE.encode("latin-1") + byte, "x.csv")
    assert found is not None
    assert found[2] == f"iconv -f {code} -t utf-8 x.csv > x.utf8.csv"


def test_parquet_is_no_text() -> None:
    assert detect_wrong_encoding(b"PAR1" + PORTUGUESE.encode("latin-1")) is None


@pytest.mark.parametrize(
    ("text", "code"), [("привет, где заказ", "cp1251"), ("привет, где заказ", "koi8-r"),
                       ("注文はどこですか", "shift-jis")]
)  # fmt: skip
def test_other_scripts_get_no_advice_that_would_garble_them(text: str, code: str) -> None:
    assert detect_wrong_encoding(jsonl(*[text] * 40).encode(code)) is None


def test_the_command_that_it_names_mends_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my tickets.csv"
    path.write_bytes(PORTUGUESE.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        check_data(path.read_bytes(), path, COLUMNS)
    command = str(caught.value).splitlines()[1]
    assert shlex.split(command)[-1] == str(tmp_path / "my tickets.utf8.csv")
    if shutil.which("iconv"):
        subprocess.run(command, shell=True, check=True)
        assert (tmp_path / "my tickets.utf8.csv").read_text("utf-8") == PORTUGUESE
        check_data((tmp_path / "my tickets.utf8.csv").read_bytes(), path, COLUMNS)


def test_such_a_file_is_not_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "all.jsonl"
    path.write_bytes(jsonl("está?", "não").encode("latin-1"))
    assert main(["split", str(path), "-o", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "iconv -f latin1" in told
    assert "tunegate fix" not in told
    assert not (tmp_path / "out").exists()
