"""Personal and tax numbers of the European Union and the United States (python-stdnum).

Where letters or punctuation make the writing unmistakable the check digit is enough; a run of
digits needs its name beside it (a random one passes as an SSN nine times in ten).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from .rule import Rule, compiled, number, only_digits

_VAT = r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)"


def checked_by(module: str) -> Callable[[str], bool]:
    """Return the check of a python-stdnum module, which is loaded when first asked."""

    def valid(value: str) -> bool:
        return bool(import_module(f"stdnum.{module}").is_valid(value))

    return valid


def is_ssn(value: str) -> bool:
    """No area 000, 666 or 9xx, no group 00, no serial 0000, none that an advert printed."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(only_digits(value)))


def _shape(module: str, pattern: str) -> tuple[str, re.Pattern[str], Callable[[str], bool]]:
    return module.replace(".", "_"), number(pattern), checked_by(module)


RULES = (
    Rule("us_ssn", number(r"\d{3}-\d\d-\d{4}(?!-)"), is_ssn, shy=True, digits=9, has="-"),
    Rule("us_ssn", number(r"\d{3}-\d\d-\d{4}(?!-)"), words=("ssn",), weak=True, digits=9),
    Rule("us_ssn", number(r"\d{3} ?\d\d ?\d{4}"), is_ssn, ("ssn",), weak=True, digits=9),
    Rule(
        "eu_vat",
        compiled(rf"(?<!\w){_VAT} ?[\dA-Z](?:[ .]?[\dA-Z]){{6,11}}(?!\w)"),
        checked_by("eu.vat"), ("vat",), digits=7,
    ),
    Rule(*_shape("es.dni", r"\d{8}-?[A-Z]"), shy=True, digits=8),
    Rule(*_shape("es.nie", r"[XYZ]-?\d{7}-?[A-Z]"), shy=True, digits=7),
    Rule(*_shape("pt.nif", r"\d{3} ?\d{3} ?\d{3}"), ("pt_nif",), digits=9),
    Rule(*_shape("pt.cc", r"\d{8} ?\d ?[A-Z][\dA-Z]\d"), digits=10),
    Rule(*_shape("fr.nir", r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3} \d\d"), digits=13),
    Rule(*_shape("fr.nir", r"[12]\d{4}\d[\dAB]\d{8}"), ("fr_nir",), digits=13),
    Rule(*_shape("it.codicefiscale", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]"), digits=7),
    Rule(*_shape("de.idnr", r"\d\d ?\d{3} ?\d{3} ?\d{3}"), ("de_idnr",), digits=11),
    Rule(*_shape("nl.bsn", r"\d{4}[ .]?\d\d[ .]?\d{3}"), ("nl_bsn",), digits=9),
    Rule(*_shape("be.nn", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d"), digits=11),
    Rule(*_shape("be.nn", r"\d{11}"), ("be_nn",), digits=11),
    Rule(*_shape("pl.pesel", r"\d{11}"), ("pl_pesel",), digits=11),
)  # fmt: skip
