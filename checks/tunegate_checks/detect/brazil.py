"""Rules for Brazilian documents: CPF, CNPJ, RG, CNH, PIS, voter ID, SUS card, CEP, Pix, plates.

Sources of the check digits: python-stdnum for the CNPJ (also the alphanumeric one of IN RFB
2.229/2024); python-stdnum lacks the others: Caixa (PIS/NIS), Resolução TSE 23.659/2021 (voter
ID), Denatran's rule for the CNH, and DATASUS (cartão nacional de saúde).
"""

from collections.abc import Iterable
from itertools import product
from operator import mul

from .rule import DIGIT, DIGITS, NUMBER, Rule, only_digits

_UF = r"(?:A[CLMP]|BA|CE|DF|ES|GO|M[AGST]|P[ABEIR]|R[JNORS]|S[CEP]|TO)"
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))


def _weighted_sum(digits: str, weights: Iterable[int]) -> int:
    return sum(map(mul, digits.encode().translate(_VALUES), weights))


def is_cpf(value: str) -> bool:
    """Check both digits of a CPF; refuse one repeated digit, whose check digits are valid too."""
    number = only_digits(value)
    first, second = (_weighted_sum(number, range(n, 1, -1)) * 10 % 11 % 10 for n in (10, 11))
    return len(set(number)) > 1 and (int(number[9]), int(number[10])) == (first, second)


def is_cnpj(value: str) -> bool:
    """Check both digits of a numeric or alphanumeric CNPJ; refuse repeated characters."""
    from stdnum.br import cnpj

    return len(set(value[:8])) > 1 and bool(cnpj.is_valid(value))


def is_pis(value: str) -> bool:
    """Check the digit of a PIS, PASEP, NIS or NIT, modulo 11."""
    number = only_digits(value)
    rest = _weighted_sum(number, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) * 10 % 11
    return len(set(number)) > 1 and int(number[10]) == rest % 10


def is_cnh(value: str) -> bool:
    """Check both digits of a CNH, modulo 11; the second is 2 lower where the first overflowed."""
    number = only_digits(value)
    first, second = (_weighted_sum(number, w) % 11 for w in (range(9, 0, -1), range(1, 10)))
    second = 0 if second > 9 else (second - 2 * (first > 9)) % 11
    return len(set(number)) > 1 and (int(number[9]), int(number[10])) == (first % 10, second)


def is_voter_id(value: str) -> bool:
    """Check a voter ID: eight digits, a state (01 to 28), two check digits modulo 11.

    São Paulo (01) and Minas Gerais (02) write 1 for a remainder of 0.
    """
    number = only_digits(value)
    state = number[8:10]
    first = _voter_digit(_weighted_sum(number, range(2, 10)), state)
    second = _voter_digit(_weighted_sum(state, (7, 8)) + first * 9, state)
    return "01" <= state <= "28" and number[10:] == f"{first}{second}"


def _voter_digit(total: int, state: str) -> int:
    return total % 11 % 10 or int(total % 11 == 0 and state in ("01", "02"))


def is_cnj(value: str) -> bool:
    """Check a lawsuit's number (resolution CNJ 65/2008): modulo 97, check digits moved behind."""
    n = only_digits(value)
    return n[13] != "0" and int(n[:7] + n[9:] + n[7:9]) % 97 == 1


def is_renavam(value: str) -> bool:
    """Check the digit of a RENAVAM, made as that of a PIS; older ones lack leading zeros."""
    number = only_digits(value).zfill(11)
    return len(set(number)) > 2 and is_pis(number)


def is_cns(value: str) -> bool:
    """Check a SUS card: 11 divides the weighted sum of its fifteen digits."""
    number = only_digits(value)
    return number[0] in "12789" and _weighted_sum(number, range(15, 0, -1)) % 11 == 0


_C = r"[\dA-Z]"  # a character of a CNPJ: since July 2026 letters too

RULES = (
    Rule("cpf", DIGIT + r"(?<![\d.\-/])\d{3}\.\d{3}\.\d{3}-\d\d(?!\d)", is_cpf, min_digits=11,
        signs=("000.000.000-00",)),
    Rule("cpf", DIGITS % r"\d{3}[ .]?\d{3}[ .]?\d{3}[ .\-/]{0,3}\d\d", is_cpf, ("cpf",),
        min_digits=11),
    Rule("cnpj", rf"(?<![\w.\-/]){_C}{{2}}\.{_C}{{3}}\.{_C}{{3}}/{_C}{{4}}-\d\d(?!\w)", is_cnpj,
        min_digits=2, signs=tuple(f"/{''.join(c)}-00" for c in product("0A", repeat=4))),
    Rule("cnpj", NUMBER % rf"{_C}{{2}}[ .]?{_C}{{3}}[ .]?{_C}{{3}}[ /]?{_C}{{4}}[ \-]?\d\d",
        is_cnpj, ("cnpj",), min_digits=2),
    Rule("rg",
        NUMBER % rf"(?:{_UF}[ \-]?)?(?:\d{{1,3}}\.?\d{{3}}\.?\d{{3}}(?:[ \-]?[\dX])?|\d{{10}})",
        label_families=("rg",), needs_own_label=True, min_digits=7),
    Rule("cnj", DIGITS % r"\d{7}-\d\d\.\d{4}\.\d\.\d\d\.\d{4}", is_cnj, min_digits=20,
        signs=("0000000-00.0000.0.00.0000",)),
    Rule("cnj", DIGITS % r"\d{20}", is_cnj, ("cnj",), min_digits=20),
    Rule("renavam", DIGITS % r"\d{9}|\d{11}", is_renavam, ("renavam",), min_digits=9),
    Rule("ctps", DIGITS % r"\d{5,8}(?:[ ,/\-]{1,3}(?:s[ée]rie:? ?)?\d{3,5})?(?:[ \-/][A-Z]{2})?",
        label_families=("ctps",), needs_own_label=True, min_digits=5),
    Rule("cnh", DIGITS % r"\d{11}", is_cnh, ("cnh",), min_digits=11),
    Rule("pis", DIGIT + r"(?<![\d.\-/])\d{3}\.\d{5}\.\d\d-\d(?!\d)", is_pis, min_digits=11,
        signs=("000.00000.00-0",)),
    Rule("pis", DIGITS % r"\d{3}[ .]?\d{5}[ .]?\d\d[ .\-]?\d", is_pis, ("pis",), min_digits=11),
    Rule("voter_id", DIGITS % r"\d{4}[ .]?\d{4}[ .]?\d\d[ .]?\d\d", is_voter_id, ("voter_id",),
        min_digits=12),
    Rule("cns", DIGITS % r"\d{3} ?\d{4} ?\d{4} ?\d{4}", is_cns, ("cns",), min_digits=15),
    Rule("cep", DIGITS % r"\d\d\.?\d{3}-?\d{3}", label_families=("cep", "address"),
        needs_own_label=True, min_digits=8),
    Rule("pix_key", r"(?<![\w\-])[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}(?![\w\-])",
        label_families=("pix",), min_digits=1, signs=("-",)),
    Rule(
        # Brazil and Argentina; France and Italy, Spain, Germany, Britain.
        "plate",
        r"(?<![\w\-])(?:[A-Z]{3}[ \-]?\d(?:\d{3}|[A-J]\d\d)|[A-Z]{2}[ \-]?\d{3}[ \-]?[A-Z]{2}"
        r"|\d{4}[ \-]?[B-DF-HJ-NPR-TV-Z]{3}|[A-ZÄÖÜ]{1,3}[ \-][A-Z]{1,2} ?\d{1,4}"
        r"|[A-Z]{2}\d\d ?[A-Z]{3})(?![\w\-])",
        label_families=("plate",), needs_own_label=True, min_digits=2,
    ),
)  # fmt: skip
