"""Rules for dates of birth, and for the numbers of other countries in national_ids.toml.

Check digits are those of python-stdnum. A number that has letters or punctuation in fixed places
needs only its check digit; a run of digits needs its label beside it (89 % of random nine-digit
numbers pass as an SSN). Where python-stdnum has no module, the shape and the label must do.
"""

import tomllib
from pathlib import Path

from .rule import DIGITS, NUMBER, Rule, only_digits

_VAT = r"(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK)"

_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["numbers"]
TABLE: tuple[tuple[str, str, str, str], ...] = tuple(map(tuple, _ROWS))

# The signs of those that need no label.
_SIGNS = {
    "mx_curp": ("AAAA000000AAAAAA",),
    "mx_rfc": ("A000000", "A-000000", "&000000", "&-000000"),
    "ar_cuit": ("00-00000000-0",),
    "cl_rut": (".000.000-",),
    "fi_hetu": ("000000-000", "000000+000", "000000A000"),
}
FAMILIES = {kind: labels.lstrip("-") for kind, *_, labels in TABLE if labels != "-"}

_MONTH = (
    r"(?:jan|feb|fev|mar|apr|abr|may|mai|jun|jul|aug|ago|sep|set|oct|out|nov|dec|dez)[a-zç]{0,7}\.?"
)
_DATE_FORMATS = (
    r"\d{1,2}(?P<a>[/.\-])\d{1,2}(?P=a)(?:\d{4}|\d{2})",
    r"(?:19|20)\d\d(?P<b>[/.\-])\d{1,2}(?P=b)\d{1,2}",
    rf"\d{{1,2}}(?:º|st|nd|rd|th)? (?:de |of )?{_MONTH},? (?:de )?(?:19|20)\d\d",
    rf"{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d",
)
_DATE = rf"(?<![\w/.\-])(?:{'|'.join(_DATE_FORMATS)})(?!\w|[/.\-]\w)"


def is_ssn(value: str) -> bool:
    """Check a US SSN: no area 000, 666 or 9xx, no group 00, no serial 0000, none from an advert."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(only_digits(value)))


RULES = (
    *(
        Rule(
            kind, (DIGITS if pattern.startswith("\\d") else NUMBER) % pattern,
            label_families=() if labels[0] == "-" else (kind,),
            needs_own_label=not module, silent_under_other_label=labels[0] == "-",
            min_digits=6 if labels[0] == "-" else 4 if module else 2, stdnum=module,
            signs=_SIGNS[kind] if labels[0] == "-" else (),
        )
        for kind, pattern, module, labels in TABLE
    ),
    Rule("us_ssn", DIGITS % r"\d{3}-\d\d-\d{4}(?!-)", is_ssn, silent_under_other_label=True,
        min_digits=9, signs=("000-00-0000",)),
    Rule("us_ssn", DIGITS % r"\d{3}-\d\d-\d{4}(?!-)", label_families=("ssn",), needs_own_label=True,
        min_digits=9),
    Rule("us_ssn", DIGITS % r"\d{3} ?\d\d ?\d{4}", is_ssn, ("ssn",), needs_own_label=True,
        min_digits=9),
    Rule("eu_vat", rf"(?<!\w){_VAT} ?[\dA-Z](?:[ .]?[\dA-Z]){{6,11}}(?!\w)",
        label_families=("vat",), min_digits=5, stdnum="eu.vat"),
    Rule("es_dni", DIGITS % r"\d{8}-?[A-Z]", silent_under_other_label=True, min_digits=8,
        signs=("00000000A", "00000000-A"), stdnum="es.dni"),
    Rule("es_nie", NUMBER % r"[XYZ]-?\d{7}-?[A-Z]", silent_under_other_label=True, min_digits=7,
        signs=("A0000000A", "A0000000-A", "A-0000000A", "A-0000000-A"), stdnum="es.nie"),
    Rule("pt_cc", DIGITS % r"\d{8} ?\d ?[A-Z][\dA-Z]\d", min_digits=8,
        stdnum="pt.cc",
        signs=tuple(f"00000000{a}0{b}A{c}0" for a in ("", " ") for b in ("", " ") for c in "0A")),
    Rule("fr_nir", DIGITS % r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3} \d\d", min_digits=6,
        signs=("0 00 00 00 000 000 00", "0 00 00 0A"), stdnum="fr.nir"),
    Rule("it_codicefiscale", NUMBER % r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", min_digits=3,
        signs=("AAAAAA00A00A000A",), stdnum="it.codicefiscale"),
    Rule("be_nn", DIGITS % r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", min_digits=11,
        signs=("00.00.00-000.00",), stdnum="be.nn"),
    Rule("birth_date", _DATE, label_families=("birth_date",), needs_own_label=True, min_digits=4),
)  # fmt: skip
