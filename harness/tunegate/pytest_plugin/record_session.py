"""Writes what failed in a session to .tunegate/record.json, where `-p` names this module."""

import json
from pathlib import Path

import pytest

from .hooks import REPORT_ATTRIBUTE

failed: dict[str, dict[str, str]] = {}  # by test: the id of each finding, and where it is


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        found = [f for table in getattr(report, REPORT_ATTRIBUTE, []) for f in table["found"]]
        failed.setdefault(report.nodeid, {}).update({f["id"]: f["where"] for f in found})


def pytest_sessionfinish() -> None:
    Path(".tunegate/record.json").write_text(json.dumps(failed), "utf-8")
