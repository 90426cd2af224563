"""Rows with preferences: the rejected reply is put right and redacted as the preferred one is."""

from pathlib import Path

from dirty import CPF, EMAIL, prompts, read, write

from tunegate.data.dataset import Dataset
from tunegate_checks.data import format, pii, preferences
from tunegate_checks.fix.pipeline import fix_files


def test_rejected_replies_are_redacted_and_tidied(tmp_path: Path) -> None:
    asked = prompts(3)
    rows = [
        {"prompt": asked[0], "chosen": "Ask the desk.", "rejected": f"Write to {EMAIL}"},
        {
            "input": {"messages": [{"role": "user", "content": f"{asked[1]} {CPF}"}]},
            "preferred_output": [{"role": "assistant", "content": "I cannot say."}],
            "non_preferred_output": [{"role": "gpt", "content": f"It is\0 {CPF}", "score": 3}],
        },
        {"prompt": asked[2], "chosen": "Yes.", "rejected": " "},
    ]
    done = fix_files(write(tmp_path / "train.jsonl", rows), tmp_path / "clean")
    (work,) = done
    first, second = read(work.job.out)
    assert first["rejected"] == [{"role": "assistant", "content": "Write to [EMAIL_1]"}]
    assert second["messages"][0]["content"].endswith("[CPF_1]")
    assert second["rejected"] == [{"role": "assistant", "content": "It is [CPF_1]"}]
    assert second["message_fields"] == {"rejected": {"score": 3}}
    (aside,) = work.rejected
    reason = "rejected[0].content is blank; write the text, or leave the row out"
    assert (aside.line, aside.reason) == (3, reason)
    found = Dataset.read(work.job.out)
    for check in (pii.find, preferences.find):
        assert not check(found)
    assert not format.find(found, fewest=0)


def test_what_was_fixed_is_left_byte_for_byte(tmp_path: Path) -> None:
    row = {"prompt": prompts(1)[0], "chosen": "Yes.", "rejected": f"Write to {EMAIL}"}
    once = fix_files(write(tmp_path / "train.jsonl", [row]), tmp_path / "clean")[0].job.out
    again = fix_files(once, tmp_path / "again")
    assert again[0].job.out.read_bytes() == once.read_bytes()
    assert again[0].changes == []


def test_ranked_replies_are_all_kept_and_their_copies_go(tmp_path: Path) -> None:
    (asked,) = prompts(1)
    rows = [{"prompt": asked, "chosen": "Ask the desk.", "rejected": r} for r in ("No.", "Later.")]
    done = fix_files(write(tmp_path / "train.jsonl", [*rows, rows[0]]), tmp_path / "clean")
    kept = [row["rejected"][0]["content"] for row in read(done[0].job.out)]
    assert kept == ["No.", "Later."]
