"""Rules for personal and tax numbers of the European Union and the United States (python-stdnum).

A number that has letters or punctuation in fixed places needs only its check digit; a run of
digits needs its label beside it (89 % of random nine-digit numbers pass as an SSN).
"""

from __future__ import annotations

from .rule import NUMBER, Rule, only_digits

_VAT = r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)"


def is_ssn(value: str) -> bool:
    """Check a US SSN: no area 000, 666 or 9xx, no group 00, no serial 0000, none from an advert."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(only_digits(value)))


RULES = (
    Rule(
        "us_ssn", NUMBER % r"\d{3}-\d\d-\d{4}(?!-)", is_ssn, silent_under_other_label=True,
        min_digits=9, signs=("000-00-0000",),
    ),
    Rule(
        "us_ssn", NUMBER % r"\d{3}-\d\d-\d{4}(?!-)", label_families=("ssn",), needs_own_label=True,
        min_digits=9,
    ),
    Rule(
        "us_ssn", NUMBER % r"\d{3} ?\d\d ?\d{4}", is_ssn, ("ssn",), needs_own_label=True,
        min_digits=9,
    ),
    Rule(
        "eu_vat", rf"(?<!\w){_VAT} ?[\dA-Z](?:[ .]?[\dA-Z]){{6,11}}(?!\w)", label_families=("vat",),
        min_digits=5, stdnum="eu.vat",
    ),
    Rule(
        "es_dni", NUMBER % r"\d{8}-?[A-Z]", silent_under_other_label=True, min_digits=8,
        signs=("00000000",), stdnum="es.dni",
    ),
    Rule(
        "es_nie", NUMBER % r"[XYZ]-?\d{7}-?[A-Z]", silent_under_other_label=True, min_digits=7,
        signs=("x0000000", "y0000000", "z0000000", "x-0000000", "y-0000000", "z-0000000"),
        stdnum="es.nie",
    ),
    Rule(
        "pt_cc", NUMBER % r"\d{8} ?\d ?[A-Z][\dA-Z]\d", min_digits=8,
        signs=("000000000", "00000000 0"), stdnum="pt.cc",
    ),
    Rule(
        "fr_nir", NUMBER % r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3} \d\d", min_digits=8,
        signs=("0 00 00 00 000 000 00", "0 00 00 0a", "0 00 00 0b"), stdnum="fr.nir",
    ),
    Rule(
        "it_codicefiscale", NUMBER % r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", min_digits=3,
        signs=tuple(f"00{month}00" for month in "abcdehlmprst"), stdnum="it.codicefiscale",
    ),
    Rule(
        "be_nn", NUMBER % r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", min_digits=11,
        signs=("00.00.00-000.00",), stdnum="be.nn",
    ),
)  # fmt: skip
