"""Masks private values in what pytest shows of a test: traceback, locals, captured output."""

import warnings
from dataclasses import is_dataclass
from typing import Any

import pytest

from ..results.session_results import REPORT_PROPERTY
from ..utils.masking import escape_controls, hide_values, mask


class MaskedMessages:
    """Masks what pytest shows of a suite beside the reports of its tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Mask the traceback of a file that cannot be collected."""
        mask_report(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: object) -> None:
        """Mask the traceback of an error outside of the tests."""
        masked_representation(excrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Mask what a warning says."""
        if isinstance(warning_message.message, Warning):
            said = warning_message.message
            said.args = tuple(mask(a) if isinstance(a, str) else a for a in said.args)


def mask_report(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Mask a report, in place, except for its node id and our property, masked where it is made."""
    report.longrepr = masked_representation(report.longrepr)
    report.sections = [(title, mask_output(text)) for title, text in report.sections]
    if reason := getattr(report, "wasxfail", ""):
        report.wasxfail = mask(reason)  # type: ignore[union-attr]
    properties = getattr(report, "user_properties", [])
    properties[:] = [(k, v if k == REPORT_PROPERTY else hide_values(v)) for k, v in properties]


def masked_representation(value: Any) -> Any:
    """Return the parts of an exception's report masked, in place; a list of lines is one text."""
    if isinstance(value, str):
        return mask_output(value)
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return mask_output("\n".join(value)).split("\n")
    if isinstance(value, list | tuple):
        return type(value)(map(masked_representation, value))
    if is_dataclass(value) or hasattr(value, "toterminal"):
        for name, attribute in vars(value).items():
            setattr(value, name, masked_representation(attribute))
    return value


def mask_output(text: str) -> str:
    """Return a text masked; its colours stay, where a program or a logger wrote some."""
    if "\x1b" not in text:
        return mask(text)
    return "\x1b".join(map(mask, escape_controls(text, colours=True).split("\x1b")))
