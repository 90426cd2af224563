"""Rules for personal and tax numbers of the European Union and the United States (python-stdnum).

A number that has letters or punctuation in fixed places needs only its check digit; a run of
digits needs its label beside it (89 % of random nine-digit numbers pass as an SSN).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from .rule import Rule, compile_pattern, number_pattern, only_digits

_VAT = r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)"


def validator_of(module: str) -> Callable[[str], bool]:
    """Return the check of a python-stdnum module, which is imported at the first call."""

    def valid(value: str) -> bool:
        return bool(import_module(f"stdnum.{module}").is_valid(value))

    return valid


def is_ssn(value: str) -> bool:
    """Check a US SSN: no area 000, 666 or 9xx, no group 00, no serial 0000, none from an advert."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(only_digits(value)))


def _checked_number(
    module: str, pattern: str
) -> tuple[str, re.Pattern[str], Callable[[str], bool]]:
    return module.replace(".", "_"), number_pattern(pattern), validator_of(module)


RULES = (
    Rule(
        "us_ssn", number_pattern(r"\d{3}-\d\d-\d{4}(?!-)"), is_ssn, silent_under_other_label=True,
        min_digits=9, contains="-",
    ),
    Rule(
        "us_ssn", number_pattern(r"\d{3}-\d\d-\d{4}(?!-)"), label_families=("ssn",),
        needs_own_label=True, min_digits=9,
    ),
    Rule(
        "us_ssn", number_pattern(r"\d{3} ?\d\d ?\d{4}"), is_ssn, ("ssn",), needs_own_label=True,
        min_digits=9,
    ),
    Rule(
        "eu_vat",
        compile_pattern(rf"(?<!\w){_VAT} ?[\dA-Z](?:[ .]?[\dA-Z]){{6,11}}(?!\w)"),
        validator_of("eu.vat"), ("vat",), min_digits=7,
    ),
    Rule(*_checked_number("es.dni", r"\d{8}-?[A-Z]"), silent_under_other_label=True, min_digits=8),
    Rule(
        *_checked_number("es.nie", r"[XYZ]-?\d{7}-?[A-Z]"), silent_under_other_label=True,
        min_digits=7,
    ),
    Rule(*_checked_number("pt.nif", r"\d{3} ?\d{3} ?\d{3}"), ("pt_nif",), min_digits=9),
    Rule(*_checked_number("pt.cc", r"\d{8} ?\d ?[A-Z][\dA-Z]\d"), min_digits=10),
    Rule(*_checked_number("fr.nir", r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3} \d\d"), min_digits=13),
    Rule(*_checked_number("fr.nir", r"[12]\d{4}\d[\dAB]\d{8}"), ("fr_nir",), min_digits=13),
    Rule(
        *_checked_number("it.codicefiscale", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]"),
        min_digits=7,
    ),
    Rule(*_checked_number("de.idnr", r"\d\d ?\d{3} ?\d{3} ?\d{3}"), ("de_idnr",), min_digits=11),
    Rule(*_checked_number("nl.bsn", r"\d{4}[ .]?\d\d[ .]?\d{3}"), ("nl_bsn",), min_digits=9),
    Rule(*_checked_number("be.nn", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d"), min_digits=11),
    Rule(*_checked_number("be.nn", r"\d{11}"), ("be_nn",), min_digits=11),
    Rule(*_checked_number("pl.pesel", r"\d{11}"), ("pl_pesel",), min_digits=11),
)  # fmt: skip
