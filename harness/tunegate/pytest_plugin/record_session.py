"""Writes what failed in a session to .tunegate/record.json, where `-p` names this module.

No model but the candidate is asked: no baseline, none of `[compare]`, and no judge, or the one that
lies where the project has its file.
"""

import json
from pathlib import Path

import pytest

from ..config import schema
from .hooks import REPORT_ATTRIBUTE

JUDGE_MODULE = "tunegate_lying_judge"  # as mutation/faults.py names it

failed: dict[str, dict[str, str]] = {}  # by test: the id of each finding, and where it is
load_whole = schema.load


def load_without_models(root: Path) -> schema.Config:
    """Return the configuration of a copy of a project, less the models that would be asked."""
    config = load_whole(root)
    lies = (root / f"{JUDGE_MODULE}.py").is_file()
    models = (f"python:{JUDGE_MODULE}:answer",) if lies else ()
    judge = config.judge.model_copy(update={"models": models})
    limits = config.limits.model_copy(update={"compare": {}})
    removed: dict[str, object] = {"baseline": None, "compare": {}, "limits": limits, "judge": judge}
    return config.model_copy(update=removed)


vars(schema)["load"] = load_without_models


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        found = [f for table in getattr(report, REPORT_ATTRIBUTE, []) for f in table["found"]]
        failed.setdefault(report.nodeid, {}).update({f["id"]: f["where"] for f in found})


def pytest_sessionfinish() -> None:
    Path(".tunegate/record.json").write_text(json.dumps(failed), "utf-8")
