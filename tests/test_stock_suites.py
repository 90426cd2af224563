"""The suites that are shipped miss no fault that is planted into the demo's data, but those named.

docs/mutate.md says why for each. Where a kind is not applicable, the demo has no such rows.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections import defaultdict
from pathlib import Path

import forking
import pytest
from readmes import ROOT

from tunegate.cli.init import create_project

TRIAGE = ROOT / "examples" / "triage"
PER_CLASS = {"train": 100, "validation": 18, "test": 20}  # a part of the demo's rows: seconds each

MISSED = {"slipped-label"}
NOT_APPLICABLE = {"swapped-replies", "cut-reply", "broken-json", "broken-tool-call", "lying-judge"}


def small_demo(root: Path) -> None:
    """Make the demo's project with a part of its rows, and without its trainer."""
    for split, n in PER_CLASS.items():
        by_label = defaultdict(list)
        for line in (TRIAGE / "data" / f"{split}.jsonl").read_text("utf-8").splitlines():
            by_label[json.loads(line)["messages"][-1]["content"]].append(line)
        lines = [line for rows in by_label.values() for line in rows[:n]]
        random.Random(1).shuffle(lines)
        (root / "data").mkdir(exist_ok=True)
        (root / "data" / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    settings = (TRIAGE / "project.toml").read_text("utf-8").partition("# Chosen on")[0]
    (root / "tunegate.toml").write_text(f"{settings}[limits]\nfewest_per_class = 90\n", "utf-8")
    create_project(root)


@pytest.mark.slow
def test_the_stock_suites_miss_nothing_but_what_is_stated(tmp_path: Path) -> None:
    small_demo(tmp_path)
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    code, out = forking.run_python(["-m", "tunegate", "mutate", "--json"], tmp_path, env)
    assert code == 0, out
    found = json.loads(out)
    assert found["fails_already"] == []
    results = {v["kind"]: v["result"] for v in found["verdicts"]}
    assert {kind for kind, result in results.items() if result == "MISSED"} == MISSED
    assert {k for k, result in results.items() if result == "not applicable"} == NOT_APPLICABLE
    assert {*results.values()} == {"caught", "MISSED", "not applicable"}
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("page", ["docs/mutate.md", "docs/mutate.pt-BR.md"])
def test_the_page_lists_each_kind_and_what_is_missed(page: str) -> None:
    from tunegate.mutation.faults import FAULTS

    text = (ROOT / page).read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \|", text, re.M)
    assert {name for name, _ in rows} == {fault.name for fault in FAULTS}
    severities = {fault.name: fault.severity for fault in FAULTS}
    names = {"high": "high", "medium": "medium", "alta": "high", "média": "medium"}
    assert {name: names[severity] for name, severity in rows} == severities
