from __future__ import annotations

import json
from pathlib import Path

from tiny_llama import ticket, write

from tunegate.interfaces.trainer import Plan
from tunegate_qlora.distributed import rehearsal
from tunegate_qlora.trainer import QLoRATrainer


def test_the_shortest_rows_are_rehearsed_as_often_as_it_takes(
    project: Path, tmp_path: Path, base: Path
) -> None:
    bad = {"messages": ticket(0)["messages"][:-1]}
    data = write(project / "data.jsonl", [bad, ticket(3), ticket(0)])
    config = QLoRATrainer().resolve({"base": "base", "processes": 3}, project)
    plan = Plan("qlora", data, None, None, config, "base", "", 0)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    small = rehearsal.rehearsal_plan(plan, scratch, base)
    rows = [json.loads(line) for line in small.train.read_text().splitlines()]
    assert len(rows) == 6  # two steps of three processes
    assert bad not in rows
    assert (small.config["processes"], small.config["batch"]) == (3, 1)
    assert small.config["method"] == "qlora"
