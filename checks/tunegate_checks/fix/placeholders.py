"""Placeholders, `[EMAIL_1]`: one value has one number, two values never share one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_PLACEHOLDER = re.compile(r"\[([A-Z][A-Z\d_]*)_(\d{1,12})\]")
_AT = re.compile(r" ?(?:\[at\]|\(at\)| arroba ) ?")
_DOT = re.compile(r" ?(?:\[dot\]|\(dot\)| ponto ) ?")
# Case, dots and spaces are writing here; in a password, a key or a wallet they are the value.
_IGNORE_PUNCTUATION = frozenset(
    ("cpf", "cnpj", "rg", "cnh", "pis", "voter_id", "cns", "cep", "pix_key", "plate", "card",
     "iban", "us_ssn", "eu_vat", "es_dni", "es_nie", "pt_nif", "pt_cc", "fr_nir",
     "it_codicefiscale", "de_idnr", "nl_bsn", "be_nn", "pl_pesel", "birth_date", "mac")
)  # fmt: skip


class Placeholders:
    """The numbers given out so far; `texts` hold the placeholders that were there before."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._placeholder_of: dict[tuple[str, str], str] = {}
        self._last_numbers: Counter[str] = Counter()
        for text in texts:
            for kind, number in _PLACEHOLDER.findall(text):
                self._last_numbers[kind] = max(self._last_numbers[kind], int(number))

    def of(self, kind: str, value: str) -> str:
        """Return the placeholder of a value: of any writing of it the same."""
        key = kind, value_key(kind, value)
        if key not in self._placeholder_of:
            name = kind.upper()
            self._last_numbers[name] += 1
            self._placeholder_of[key] = f"[{name}_{self._last_numbers[name]}]"
        return self._placeholder_of[key]


def value_key(kind: str, value: str) -> str:
    """Return what all writings of one value have in common: a CPF's digits, an e-mail's address."""
    if kind == "email":
        return _DOT.sub(".", _AT.sub("@", value.lower())).replace(" ", "")
    if kind == "phone":
        digits = re.sub(r"\D", "", re.split(r"[xer]", value.lower())[0]).removeprefix("00")
        return digits[2:] if len(digits) in (12, 13) and digits.startswith("55") else digits
    if kind in _IGNORE_PUNCTUATION:
        return re.sub(r"[\W_]", "", value).lower()
    return value.lower() if kind == "ip" else value
