"""Rules for payment cards, IBANs and cryptocurrency wallets.

Sources: ISO/IEC 7812 (Luhn) and the networks' published ranges; ISO 13616 (IBAN) and Bitcoin's
Base58Check through python-stdnum; BIP 173 for the shape of bc1 addresses; EIP-55 for Ethereum's.
"""

import re

from .rule import DIGIT, DIGITS, Rule, only_digits

# Visa, Mastercard (both ranges), American Express, Diners, Discover, JCB, UnionPay, Elo, Hipercard.
_ISSUER_PREFIX = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|(?:6011|64[4-9]\d|65\d\d)\d{12}"
    r"|35(?:2[89]|[3-8]\d)\d{12}|(?:2131|1800)\d{11}|62\d{14}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
    r"|(?:4011|4312|4389|4514|4576|5041|5066|5067|509\d|6277|6362|6363|650\d|6516|6550)\d{12}"
    r"|(?:606282|3841)\d{10,12}"
)


def is_card(value: str) -> bool:
    """Check a card number: prefix and length of a known network, and the Luhn digit."""
    return _ISSUER_PREFIX.fullmatch(only_digits(value)) is not None and is_luhn(value)


def is_luhn(value: str) -> bool:
    """Check the Luhn digit alone: enough beside the word "card", since a network may be new."""
    digits = list(map(int, only_digits(value)))
    total = sum(digits[-1::-2]) + sum([2 * d - 9 * (d > 4) for d in digits[-2::-2]])
    return len(set(digits)) > 1 and total % 10 == 0


def is_iban(value: str) -> bool:
    """Check an IBAN: modulo 97, and the length and structure of its country."""
    from stdnum import iban

    return bool(iban.is_valid(value.replace(" ", "").replace("-", ""), check_country=False))


_CARD = (
    rf"{DIGIT}(?<![\w.\-/])(?:\d{{4}}([ .\-]?)\d{{4}}\1\d{{4}}\1\d{{1,4}}|\d{{12,19}}"
    r"|\d{4}([ \-])\d{6}\2\d{4,5})(?!\w|[.\-/]\d)"
)
_IBAN = (
    r"(?<!\w)[A-Z]{2}\d\d(?P<gap>[ \-]?)[A-Z\d]{4}(?:(?P=gap)[A-Z\d]{4}){1,6}"
    r"(?:(?P=gap)[A-Z\d]{1,3})?(?!\w)"
)
# Only right behind these words a number without a check digit is an account.
_BANK = (
    "agência|agencia|ag|ag\\.|c/c|conta|conta corrente|conta poupança|conta poupanca|acct"
    "|account number|account no|bank account|routing|aba|cuenta|cuenta corriente|número de cuenta"
    "|clabe|cbu|compte|compte bancaire|konto|kontonummer|kontonr|conto|conto corrente"
)

RULES = (
    Rule("card", DIGIT + r"(?<!\d )" + _CARD + r"(?! ?\d)", is_card, silent_under_other_label=True,
        min_digits=12,
        signs=("000000000000", *(f"0000{gap}0000{gap}0000" for gap in " .-"), "0000 000000 0000",
        "0000-000000-0000")),
    Rule("card",  # several, one behind the other
        DIGIT + r"(?<![\w.\-/])(?:(?<=\d{12} )|(?=\d+ \d{12}))\d{13,19}(?!\w|[.\-/]\d)",
        is_card, silent_under_other_label=True, min_digits=26, signs=("000000000000",)),
    Rule("card", _CARD, is_luhn, ("card",), min_digits=12),
    # Branch and account of a bank: 1234-5, 12.345-X; without a check digit right behind its label.
    Rule("bank_account", DIGITS % r"\d{1,3}(?:\.?\d{3}){0,4}\d{0,3}-[\dX]{1,2}|\d\d-\d\d-\d\d",
        label_families=("bank",), needs_own_label=True, min_digits=3),
    Rule("bank_account", rf"(?<!\w)(?:{_BANK})[\"'*]{{0,3}}(?: ?(?:n[º°.o]{{1,2}}\.?|number))?"
        r" ?(?:[:#]| is| é| es)? ?[\"'*]{0,3}(?P<v>\d{4,22}(?:-[\dX]{1,2})?)"
        r"(?!\w|[.,:/\-]\w| ?[+*/=%])", min_digits=4,
        first_words=frozenset(re.findall(r"(?:^|\|)([^\W\d_]+)", _BANK))),
    Rule("iban", _IBAN, is_iban, min_digits=8, signs=("AA00",)),
    Rule("wallet", r"(?-i:(?<!\w)bc1[qp](?:[02-9ac-hj-np-z]{38}|[02-9ac-hj-np-z]{58})(?!\w))",
        first_words=frozenset(("bc",))),
    Rule("wallet", DIGIT + r"(?-i:(?<!\w)[13][1-9A-HJ-NP-Za-km-z]{25,34}(?!\w))", min_digits=1,
        signs=("0A",), stdnum="bitcoin"),
    Rule("wallet", DIGIT + r"(?-i:(?<!\w)0x[\da-fA-F]{40}(?!\w))", signs=("0x",)),
)  # fmt: skip
