"""Masks: enough to find the place again, never enough to know the value."""

from __future__ import annotations

import re

# Long enough that two characters more or less leave millions of values.
_LAST_TWO = frozenset(
    ("cpf", "cnpj", "card", "iban", "phone", "cns", "us_ssn", "eu_vat", "pis", "cnh", "voter_id")
)


def mask_value(kind: str, value: str) -> str:
    """Return a value's outline in one line.

    An e-mail keeps its top-level domain and the first letter of parts of four or more; long
    numbers keep their last two characters and their punctuation; the rest keeps nothing.
    """
    value = " ".join(value.split())
    user, _, domain = value.rpartition("@")
    host, _, top = domain.rpartition(".")
    if kind == "email" and user and host:
        return f"{_first_letter(user)}***@{_first_letter(host)}***.{top}"
    if kind not in _LAST_TWO or sum(c.isalnum() for c in value[:-2]) < 7:
        return "***"
    return re.sub(r"\w", "*", value[:-2]) + value[-2:]


def _first_letter(part: str) -> str:
    return part[0] if len(part) > 3 else ""
