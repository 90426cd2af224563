"""`pytest suites/readiness` as a user runs it: the verdict on one screen, advice unless a gate."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import endpoint_parts
from readmes import ROOT

if TYPE_CHECKING:
    from conftest import Project

SETTINGS = """
[models.few]
of = "toy:base"
shots = 2
[limits]
fewest_per_class = 5
[readiness]
prompt = "few"
confidential = false
changes_every_days = 100
retraining_days = 1
leave_out = ["pays"]
"""


def inquiries(first: int, end: int) -> str:
    """Return rows whose replies are the last words of their questions."""
    return "".join(
        json.dumps({"messages": [{"role": "user", "content": f"inquiry {n} {'ab'[n % 2]}"},
                                 {"role": "assistant", "content": "ab"[n % 2]}]}) + "\n"
        for n in range(first, end)
    )  # fmt: skip


def test_the_verdict_is_advice_unless_the_suite_is_a_gate(project: Project) -> None:
    shutil.copytree(ROOT / "suites" / "readiness", project.root / "suites" / "readiness")
    project.add("tunegate.toml", SETTINGS)
    project.write("validation.jsonl", inquiries(40, 100))
    told = project.pytest("suites/readiness", "--max-requests", "100")
    assert told.code == 0, told.out
    assert "8 passed" in told.out
    assert "= readiness: fine-tune =" in told.out
    assert "few: accuracy 0.0% on 60 validation rows, at most 4.9%" in told.out
    kept = json.loads((project.root / ".tunegate" / "readiness.json").read_text("utf-8"))
    assert (kept["verdict"], kept["rows"]) == ("fine-tune", 60)
    project.add("tunegate.toml", "gate = true\n")
    text = (project.root / "tunegate.toml").read_text("utf-8")
    project.write("tunegate.toml", text.replace("retraining_days = 1\n", ""))
    told = project.pytest("suites/readiness")
    assert told.code == 1
    assert "<stability: ?, set retraining_days in [readiness]>" in told.out
    assert "= readiness: not yet =" in told.out
    assert "2 failed, 6 passed" in told.out


ENDPOINT = """
[models.local]
base_url = "URL"
price_in = 2.0
price_out = 8.0
[models.few]
of = "openai:local"
shots = 2
[readiness]
prompt = "few"
"""


def test_a_prompt_at_an_endpoint_that_is_enough_is_the_verdict(project: Project) -> None:
    shutil.copytree(ROOT / "suites" / "readiness", project.root / "suites" / "readiness")
    project.write("validation.jsonl", inquiries(40, 140))
    with endpoint_parts.serving() as server:
        project.add("tunegate.toml", ENDPOINT.replace("URL", server.url))
        told = project.pytest("suites/readiness", "--max-cost", "1")
        roles = [[m["role"] for m in body["messages"]] for body in server()["bodies"]]
        assert roles == [["user", "assistant", "user", "assistant", "user"]] * 100
        assert told.code == 0, told.out
        assert "= readiness: prompt =" in told.out
        assert told.line("asked").startswith("100 requests, $0.0048 of $1")
