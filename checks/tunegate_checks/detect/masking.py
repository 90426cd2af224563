"""Mask personal data and keys for evidence: findable in the file, but not readable."""

from __future__ import annotations

import re

# Kinds so long that, with two characters known, millions of values remain possible.
_LAST_TWO = frozenset(
    ("cpf", "cnpj", "card", "iban", "phone", "cns", "us_ssn", "eu_vat", "pis", "cnh", "voter_id")
)


def mask_value(kind: str, value: str) -> str:
    """Return a value of a kind, masked, on one line.

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


def mask_key(value: str) -> str:
    """Return the vendor's prefix of an API key, which says which key to revoke, and `***`."""
    prefix = re.match(r"-----BEGIN|[A-Za-z]{2,6}[-_](?:[a-z]{3,7}[-_])?|AKIA|ASIA|AIza|eyJ", value)
    return f"{prefix[0] if prefix and len(value) > 16 else ''}***"


def _first_letter(part: str) -> str:
    return part[0] if len(part) > 3 else ""
