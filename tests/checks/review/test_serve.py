"""The page of a review: who may see it, what it saves, what comes of the corrections."""

from __future__ import annotations

import csv
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pages import Page

from tunegate import Dataset
from tunegate.cli.main import main
from tunegate_checks.data import review
from tunegate_checks.review.serve import ReviewServer
from tunegate_checks.review.sheet import CALLS_MARK, corrections, read_sheet, save_sheet
from tunegate_checks.review.status import review_status

Out = pytest.CaptureFixture[str]
SHEET = Path("reviews/a.csv")


def row(i: int, reply: str = "yes") -> str:
    turns = [{"role": "user", "content": f"<b>question</b> {i} & more"}]
    fields = {"messages": [*turns, {"role": "assistant", "content": reply}], "generated": True}
    return json.dumps(fields) + "\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tunegate.toml").write_text('task = "qa"\n[data]\ntrain = "train.jsonl"\n')
    (tmp_path / "train.jsonl").write_text("".join(map(row, range(40))))
    monkeypatch.chdir(tmp_path)
    assert main(["review", "sample", "train.jsonl", "-o", str(SHEET)]) == 0
    return tmp_path


@pytest.fixture
def page(project: Path) -> Iterator[Page]:
    with ReviewServer(SHEET) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield Page(server.address)
        server.shutdown()


def sheets() -> list[Path]:
    return sorted(Path("reviews").glob("*.csv"))


def is_blank() -> bool:
    return sheets() == [SHEET] and not read_sheet(SHEET).filled_count


def test_only_who_has_the_address_sees_and_writes(page: Page) -> None:
    good = f"/?token={page.token}"
    assert page.ask("GET", good)[0] == 200
    for method, path, headers in [
        ("GET", "/", {}),
        ("GET", f"/?token={page.token}x", {}),
        ("GET", "/?token=%E9", {}),
        ("GET", good, {"Host": "evil.example"}),
        ("GET", good, {"Host": f"evil.example:{page.host.partition(':')[2]}"}),
        ("GET", good, {"Origin": "https://evil.example"}),
        ("POST", good, {"Origin": "null"}),
    ]:
        body = urlencode({"token": page.token, "who": "a"}) if method == "POST" else ""
        assert page.ask(method, path, body, **headers)[0] == 403, (path, headers)
    assert page.ask("POST", good, "row=1&who=ana")[0] == 403
    assert page.ask("POST", "/", **{"Content-Length": str(2 << 20)})[0] == 413
    for length in ("x", "1" * 5_000, "-1", ""):
        assert page.ask("POST", "/", **{"Content-Length": length})[0] == 413
    assert is_blank()


def test_what_is_no_request_is_answered_and_nothing_is_printed(page: Page, capsys: Out) -> None:
    host, port = page.host.split(":")
    of_it = f"HTTP/1.1\r\nHost: {page.host}\r\n\r\n"
    for head, status in [
        ("GET //[ ", b" 403 "),
        (f"GET http://[x/?token={page.token}&row={'1' * 5_000} ", b" 400 "),
        ("BREW / ", b" 501 "),
    ]:
        with socket.create_connection((host, int(port)), timeout=60) as asked:
            asked.sendall((head + of_it).encode())
            assert status in asked.recv(100)
    for left in (
        f"GET /?token={page.token} {of_it}",
        "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    ):
        asked = socket.create_connection((host, int(port)), timeout=60)
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        asked.sendall(left.encode())
        asked.close()  # the browser has gone
    assert page.ask("GET", f"/?token={page.token}")[0] == 200
    assert capsys.readouterr().err == ""
    assert is_blank()


def test_columns_and_separator_of_a_reviewer_stay(page: Page) -> None:
    text = SHEET.read_text("utf-8-sig").replace(",", ";")
    head, *rows = text.splitlines()
    rows = [f"=now();{row};{n}, soon;" for n, row in enumerate(rows)]
    SHEET.write_text("\n".join([f"Mine;{head};When;;", *rows, ""]), "utf-8")
    assert page.save(who="ana", row=2, note="odd", verdict="wrong") == 303
    assert page.save(who="Rui", row=1, note="", verdict="ok") == 303  # in a sheet of his own
    of_rui, drawn = sheets()
    for path, note in ((drawn, "odd"), (of_rui, "")):
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = list(csv.DictReader(file, delimiter=";"))
        assert [(r["Mine"], r["When"]) for r in table] == [
            ("=now()", f"{n}, soon") for n in range(4)
        ]
        assert table[1]["note"] == note


def test_a_page_loads_nothing_and_escapes_what_it_shows(page: Page) -> None:
    status, text, headers = page.ask("GET", f"/?token={page.token}&who=ana")
    assert status == 200
    assert "&lt;b&gt;question&lt;/b&gt;" in text
    assert not re.search(r'(?:src|href)="', text)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    nonces = re.findall(r'nonce="(.*?)"', text)
    assert len(nonces) == 2
    assert all(f"'nonce-{nonce}'" in headers["Content-Security-Policy"] for nonce in nonces)
    assert headers["Cache-Control"] == "no-store"


def test_each_key_is_in_the_sheet_when_it_is_answered(page: Page) -> None:
    for note in ("o", "od", "odd"):
        assert page.save(who="ana", note=note, stay=1) == 204
        assert [e.note for e in read_sheet(sheets()[0]).entries] == [note, "", "", ""]
    assert page.save(who="ana", verdict="ok", note="odd", go=2) == 303
    assert "Row 2 of 4" in page.show(who="ana")
    assert 'value="odd"' in page.show(who="ana", row=1)


def test_a_page_that_is_older_than_the_sheet_saves_nothing(page: Page) -> None:
    def opened() -> dict[str, str]:
        text = page.show(who="ana", row=2)
        return {k: re.findall(f'name="{k}" value="(.*?)"', text)[0] for k in ("page", "after")}

    first, second = opened(), opened()
    for verdict in ("ok", "wrong"):  # each key of one page
        assert page.save(who="ana", row=2, verdict=verdict, note="odd", **first) == 303
    status, told, _ = page.ask(
        "POST", "/", urlencode({"token": page.token, "who": "ana", "row": 2, "note": "",
                                "correction": "", **second})
    )  # fmt: skip
    assert (status, told) == (400, "row 2 was changed in another tab: load this page again")
    entry = read_sheet(sheets()[0]).entries[1]
    assert (entry.verdict, entry.note) == ("wrong", "odd")
    assert page.save(who="ana", row=2, verdict="ok", **opened()) == 303
    assert page.save(who="ana", row=2, verdict="ok", **first) == 400


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_reply_is_as_drawn_whatever_its_line_ends(project: Path, end: str) -> None:
    (project / "train.jsonl").write_text("".join(row(i, f"a{end}b") for i in range(10)))
    assert main(["review", "sample", "train.jsonl", "-o", "reviews/ends.csv"]) == 0
    with ReviewServer(Path("reviews/ends.csv")) as server:
        said = {"who": "ana", "row": "1", "note": "", "verdict": "ok"}
        server.save({**said, "correction": "a\r\nb"})
    (entry,) = read_sheet(Path("reviews/ends.csv")).entries
    assert (entry.verdict, entry.correction) == ("ok", "")


def test_a_row_that_was_corrected_is_wrong_whatever_its_verdict(project: Path) -> None:
    with open(SHEET, newline="", encoding="utf-8-sig") as file:
        names, *rows = [line.rstrip("\r\n").split(",") for line in file]
    filled = [dict(zip(names, cells, strict=True)) for cells in rows]
    for i, cells in enumerate(filled):
        cells |= {"verdict": "ok", "reviewer": "Ana", "correction": "yes" if i else "no"}
    with open(SHEET, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names)
        table.writeheader()
        table.writerows(filled)
    assert found(project) == {"errors": 1}  # 1 of 4; the same reply is no correction


def test_all_wrong_is_100_per_cent(page: Page, project: Path) -> None:
    for n in range(1, 5):
        page.save(who="Ana", row=n, verdict="wrong")
    status = review_status(Dataset.read("train.jsonl", "train"), Path("reviews"))
    assert status.summary().endswith("by Ana: 100 % wrong (95 % interval 51 to 100 %)")


def test_what_a_sheet_cannot_hold_is_refused(page: Page) -> None:
    for form in (
        {"who": "ana", "row": "0"}, {"who": "ana", "row": "5"}, {"who": "ana", "row": "x"},
        {"who": " "}, {"who": "ana", "verdict": "fine"}, {"who": "ana", "note": "x" * 40_000},
    ):  # fmt: skip
        assert page.save(**form) == 400
    assert page.ask("GET", f"/?token={page.token}&who=ana&row=9")[0] == 400
    assert is_blank()


def found(folder: Path) -> dict[str, int]:
    data = Dataset.read(folder / "train.jsonl", "train")
    return review.find(data, folder=folder / "reviews").kinds


def test_two_reviewers_open_the_gate_as_sheets_do(page: Page, project: Path) -> None:
    assert found(project) == {"too few": 1}
    for who in ("Ana", "Rui"):
        for n in range(1, 5):
            unsure = who == "Rui" and n == 2
            assert page.save(who=who, row=n, verdict="unsure" if unsure else "ok") == 303
        if who == "Ana":
            assert found(project) == {}
    assert len(sheets()) == 2
    assert found(project) == {}
    assert "Every row has a verdict" in page.show(who="Ana", row=1)


def test_what_one_reviewer_is_unsure_of_is_not_reviewed(
    page: Page, project: Path, capsys: Out
) -> None:
    for n in range(1, 5):
        page.save(who="Rui", row=n, verdict="unsure" if n == 1 else "ok")
    assert found(project) == {"too few": 1}
    assert main(["review", "status"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "3 of 40 rows (7.5 %) reviewed by Rui" in told
    assert "reviews/a.csv: unsure of 1: another reviewer decides" in told


def fix(*options: str) -> int:
    return main(["fix", "train.jsonl", "-o", "new.jsonl", "--only", "review", *options])


def test_corrections_make_a_new_version_with_a_diff(page: Page, project: Path, capsys: Out) -> None:
    before = (project / "train.jsonl").read_bytes()
    page.save(who="Ana", row=2, correction="=no\r\n  at all", note="was 'yes'")
    page.save(who="Rui", row=2, verdict="wrong", correction="yes")  # the same reply: none
    page.save(who="Rui", row=3, verdict="wrong")
    assert fix() == 0
    assert "corrected          1" in capsys.readouterr().out
    line = int(read_sheet(SHEET).entries[1].line)
    after = (project / "new.jsonl").read_bytes().splitlines()
    pairs = zip(before.splitlines(), after, strict=True)
    assert [i for i, (a, b) in enumerate(pairs, 1) if a != b] == [line]
    fields = json.loads(after[line - 1])
    assert fields["messages"][-1] == {"role": "assistant", "content": "=no\n  at all"}
    assert fields["generated"] is True
    with open("new.fix.csv", newline="", encoding="utf-8") as file:
        (change,) = csv.DictReader(file)
    assert (change["line_in"], change["step"]) == (str(line), "review")
    assert change["what"] == "reply: “[yes|=no at all]”"
    assert change["why"] == "Ana corrected it: was 'yes'"
    assert (project / "train.jsonl").read_bytes() == before
    again = ["fix", "new.jsonl", "-o", "newer.jsonl", "--only", "review"]
    assert main(again) == 0  # the row has another content by now
    assert (project / "newer.jsonl").read_bytes() == (project / "new.jsonl").read_bytes()
    capsys.readouterr()
    page.save(who="Rui", row=2, correction="never")
    assert fix("--force") == 2
    assert "correct it otherwise" in capsys.readouterr().err


def test_a_reply_that_stands_in_part_is_not_corrected(project: Path) -> None:
    (project / "train.jsonl").write_text("".join(row(i, "long " * 8_000) for i in range(10)))
    assert main(["review", "sample", "train.jsonl", "-o", "reviews/long.csv"]) == 0
    with ReviewServer(Path("reviews/long.csv")) as server:
        said = {"who": "ana", "row": "1", "note": ""}
        server.save({**said, "correction": server.sheet_of("ana").entries[0].reply})
        with pytest.raises(ValueError, match="correct it in the file"):
            server.save({**said, "correction": "shorter ... (cut: see the line of the file)"})
        with pytest.raises(ValueError, match="correct it in the file"):
            server.save({**said, "correction": "long long"})


@pytest.mark.parametrize("typed", ["long", "long long ... (cut: see the line of the file)"])
def test_a_correction_of_a_part_in_a_spreadsheet_is_refused(
    project: Path, capsys: Out, typed: str
) -> None:
    (project / "train.jsonl").write_text("".join(row(i, "long " * 8_000) for i in range(10)))
    SHEET.unlink()
    assert main(["review", "sample", "train.jsonl", "-o", "reviews/long.csv"]) == 0
    sheet = read_sheet(Path("reviews/long.csv"))
    save_sheet(replace(sheet, entries=[replace(e, correction=typed) for e in sheet.entries]))
    assert fix() == 2
    told = "reviews/long.csv, row 2: the sheet had cut the reply: correct it in the file"
    assert told in capsys.readouterr().err
    assert not Path("new.jsonl").exists()


@pytest.mark.slow
def test_a_kill_loses_nothing(project: Path) -> None:
    command = [sys.executable, "-m", "tunegate", "review", "serve", str(SHEET)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        page = Page(served.stdout.readline().split()[-1])
        assert page.save(who="ana", row=3, verdict="wrong", note="half a wo", stay=1) == 204
        served.send_signal(signal.SIGKILL)
    (sheet,) = map(read_sheet, sheets())
    assert [(e.verdict, e.note) for e in sheet.entries][2] == ("wrong", "half a wo")
    assert [p.name for p in Path("reviews").iterdir()] == [sheet.path.name]


@pytest.mark.slow
def test_a_review_by_keyboard_in_a_browser(page: Page) -> None:
    from browser import BROWSER, DRIVER, browsing

    if not (BROWSER and DRIVER):
        pytest.skip("no chromium with chromedriver here")
    saved = "return document.getElementById('state').textContent === 'saved'"
    with browsing() as browser:
        browser.go(f"http://{page.host}/?token={page.token}")
        browser.press("Ana\n")
        browser.until("return document.title.startsWith('Row 1')")
        browser.press("1")
        browser.until(saved)
        browser.press("n")
        browser.until("return document.title.startsWith('Row 2')")
        browser.press("e")
        browser.press(" but no")
        browser.until(saved)
    entries = read_sheet(sheets()[0]).entries[:2]
    assert [(e.verdict, e.correction) for e in entries] == [("ok", ""), ("wrong", "yes but no")]


def test_a_correction_of_a_reply_without_text_is_left_for_a_person(
    project: Path, capsys: Out
) -> None:
    call = {"type": "function", "function": {"name": "route", "arguments": "{}"}, "id": "c"}
    turns = json.loads(row(0))["messages"][:1]
    fields = {"messages": [*turns, {"role": "assistant", "tool_calls": [call]}]}
    (project / "train.jsonl").write_text(json.dumps(fields) + "\n")
    assert main(["review", "sample", "train.jsonl", "-o", "reviews/b.csv"]) == 0
    sheet = read_sheet(Path("reviews/b.csv"))
    save_sheet(replace(sheet, entries=(replace(sheet.entries[0], correction="no"),)))
    assert fix() == 1
    assert "a correction of a reply that is no text, at line 1" in capsys.readouterr().out


def test_a_sheet_that_is_not_there_is_told_in_one_line(project: Path, capsys: Out) -> None:
    assert main(["review", "serve", "nothere.csv"]) == 2
    assert capsys.readouterr().err == (
        "tunegate review serve: nothere.csv: No such file or directory\n"
    )


def test_a_reply_of_tool_calls_shows_the_calls(project: Path) -> None:
    call = {"type": "function", "function": {"name": "refund", "arguments": '{"id": 7}'}}
    turns = [{"role": "user", "content": "back"}, {"role": "assistant", "tool_calls": [call]}]
    (project / "train.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    assert main(["review", "sample", "train.jsonl", "-o", "calls.csv"]) == 0
    (entry,) = read_sheet(project / "calls.csv").entries
    calls = entry.reply.removeprefix(CALLS_MARK)
    assert calls != entry.reply
    assert json.loads(calls) == [{"name": "refund", "arguments": {"id": 7}}]
    with ReviewServer(project / "calls.csv") as server:
        said = {"who": "ana", "row": "1", "note": "", "verdict": "wrong"}
        with pytest.raises(ValueError, match="the reply is no text: correct it in the file"):
            server.save({**said, "correction": "Hello"})
        server.save({**said, "correction": entry.reply})


def test_a_correction_that_is_the_reply_changes_nothing(project: Path) -> None:
    assert main(["review", "sample", "train.jsonl", "-o", "reviews/b.csv"]) == 0
    sheet = read_sheet(Path("reviews/b.csv"))
    save_sheet(replace(sheet, entries=[replace(e, correction=e.reply) for e in sheet.entries]))
    assert corrections(Path("reviews")) == {}


def test_a_dropped_row_before_it_moves_no_correction(project: Path, capsys: Out) -> None:
    call = {"type": "function", "function": {"name": "route", "arguments": "{}"}, "id": "c"}
    turns = json.loads(row(0))["messages"][:1]
    said = {"role": "assistant", "tool_calls": [call]}
    called = json.dumps({"messages": [*turns, said], "generated": True})
    (project / "train.jsonl").write_text(f"{row(1)}{row(1)}{called}\n")
    assert main(["review", "sample", "train.jsonl", "-o", "reviews/b.csv", "--share", "1"]) == 0
    sheet = read_sheet(Path("reviews/b.csv"))
    entries = [replace(e, correction="no") if e.line == "3" else e for e in sheet.entries]
    save_sheet(replace(sheet, entries=entries))
    assert main(["fix", "train.jsonl", "-o", "new.jsonl"]) == 1
    assert "a correction of a reply that is no text, at line 3" in capsys.readouterr().out
