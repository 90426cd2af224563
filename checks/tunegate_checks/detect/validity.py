"""Check whether a value that a rule matches can be one of its kind, or is a placeholder.

Sources of the check digits: python-stdnum for the CNPJ (also the alphanumeric one of IN RFB
2.229/2024), IBAN (ISO 13616) and others; python-stdnum lacks those of Caixa (PIS/NIS), Resolução
TSE 23.659/2021 (voter ID), Denatran's rule for the CNH, and DATASUS (cartão nacional de saúde). For
cards ISO/IEC 7812 (Luhn) and the networks' published ranges. Annotated test data contain invented
telephone numbers, which strict validation refuses: only international ones are held to their plan.
"""

import ipaddress
import re
from collections.abc import Iterable
from operator import mul

from .rule import CONTENTS, only_digits, phrases, read_patterns

PATTERNS = read_patterns(__file__)


def is_placeholder(value: str) -> bool:
    """Whether a value stands for another: `${DB_PASS}`, `<password>`, `****`, `your-api-key`."""
    is_repeated = len(value) > 3 and len(set(value)) < 3
    is_marked = PATTERNS["opening"].match(value) or PATTERNS["words"].search(value)
    return is_repeated or bool(is_marked) or is_password_name(value)


def is_password_name(value: str) -> bool:
    """Whether a value is a word for a password, or the name of a variable: `DB_PASSWORD`."""
    return PATTERNS["name"].fullmatch(value) is not None


def is_code(value: str) -> bool:
    """Whether a value is an expression or a type of a program: `make_password(8)`, `SecretStr`."""
    return PATTERNS["code"].match(value) is not None


_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))


def _weighted_sum(digits: str, weights: Iterable[int]) -> int:
    return sum(map(mul, digits.encode().translate(_VALUES), weights))


def is_cpf(value: str) -> bool:
    """Check both digits of a CPF; refuse one repeated digit, whose check digits are valid too."""
    number = only_digits(value)
    first, second = (_weighted_sum(number, range(n, 1, -1)) * 10 % 11 % 10 for n in (10, 11))
    return len(set(number)) > 1 and (int(number[9]), int(number[10])) == (first, second)


def is_cnpj(value: str) -> bool:
    """Refuse a CNPJ of repeated characters; python-stdnum checks its digits."""
    return len(set(value[:8])) > 1


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
    """Check a voter ID: eight digits, a state (01 to 28), two check digits modulo 11."""
    number = only_digits(value)
    state = number[8:10]
    first = _voter_digit(_weighted_sum(number, range(2, 10)), state)
    second = _voter_digit(_weighted_sum(state, (7, 8)) + first * 9, state)
    return "01" <= state <= "28" and number[10:] == f"{first}{second}"


def _voter_digit(total: int, state: str) -> int:
    # São Paulo (01) and Minas Gerais (02) write 1 for a remainder of 0.
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


def is_ssn(value: str) -> bool:
    """Check a US SSN: no area 000, 666 or 9xx, no group 00, no serial 0000, none from an advert."""
    from stdnum.us import ssn

    return bool(ssn.is_valid(only_digits(value)))


def is_card(value: str) -> bool:
    """Check a card number: prefix and length of a known network, and the Luhn digit."""
    return PATTERNS["issuer_prefix"].fullmatch(only_digits(value)) is not None and is_luhn(value)


def is_luhn(value: str) -> bool:
    """Check the Luhn digit alone: enough beside the word "card", since a network may be new."""
    digits = list(map(int, only_digits(value)))
    total = sum(digits[-1::-2]) + sum([2 * d - 9 * (d > 4) for d in digits[-2::-2]])
    return len(set(digits)) > 1 and total % 10 == 0


def is_iban(value: str) -> bool:
    """Check an IBAN: modulo 97, and the length and structure of its country."""
    from stdnum import iban

    return bool(iban.is_valid(value.replace(" ", "").replace("-", ""), check_country=False))


def is_email_address(value: str) -> bool:
    """Tell an e-mail address from `icon@2x.png`, `git@host` and `user:password@host`."""
    user = value.lower().partition("@")[0]
    is_file = PATTERNS["file"].search(value)
    is_password = is_password_name(user) and user not in ("token", "secret")
    return user != "git" and not is_file and not is_password


def is_personal_ip(value: str) -> bool:
    """Check an IP address; refuse loopback, masks, multicast, usual gateways, public resolvers."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    is_reserved = address.is_loopback or address.is_unspecified or address.is_multicast
    shown = str(address) if address.version == 4 else ""
    return not (is_reserved or PATTERNS["public_address"].match(shown))


def is_personal_ipv6(value: str) -> bool:
    """Check for three groups or more, an IPv4 end being two: `fe80::1`, `add::face` have fewer."""
    groups = [g for g in re.split(r"[:.]", value) if g]
    return len(groups) > 2 and any(c.isdigit() for c in value) and is_personal_ip(value)


def is_unambiguous_ipv4(value: str) -> bool:
    """Check an IPv4 address of 10 characters or more: a shorter one may be a version number."""
    return len(value) > 9 and is_personal_ip(value)


def is_password(value: str) -> bool:
    """Check for four characters or more with a digit, a symbol or an inner capital letter."""
    inner = value.strip(".,;:!?()\"'")
    has_symbol = re.search(r"\d|[!@#$%&*+=_~^]|[a-z][A-Z]", inner)
    is_spelt_out = len(inner) >= 4 and sum(c.isalnum() for c in inner) >= 3
    is_other = is_placeholder(inner) or is_code(inner) or is_code(value)
    is_other = is_other or bool(PATTERNS["link_or_date"].match(inner))
    return is_spelt_out and bool(has_symbol) and not is_other


def is_credentials(value: str) -> bool:
    """Check `user:password`: `<user>:<password>` and `app:****` are none."""
    return not is_placeholder(value.partition(":")[2])


def is_phone_number(value: str) -> bool:
    """Check for 7 to 15 digits (ITU-T E.164); refuse dates, years, service lines and 12345678."""
    number = only_digits(PATTERNS["extension_sign"].split(value, 1)[0])
    is_long = 7 <= len(number) <= 15 or PATTERNS["pairs"].fullmatch(value) is not None
    is_example = len(set(number)) < 2 or "12345678901234".startswith(value)
    is_other = PATTERNS["no_phone"].match(value) or PATTERNS["service"].fullmatch(number)
    return is_long and not (is_example or is_other)


def is_international_number(value: str) -> bool:
    """Check the country code, and the length by its numbering plan (phonenumbers)."""
    import phonenumbers

    number = "+" + only_digits(PATTERNS["extension_sign"].split(value, 1)[0])
    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(number)))
    except phonenumbers.NumberParseException:
        return False


_NO_NAMES = frozenset(phrases(CONTENTS["people"]["words"]["no_names"]))


def is_name(value: str) -> bool:
    """Check that a name holds no word for a team, a role or a type of a program."""
    words = [word.lower() for word in re.split(r"[ \-]", value) if word[:1].isupper()]
    return len(value) > 2 and _NO_NAMES.isdisjoint(words)


def is_street(value: str) -> bool:
    """Tell "rua das Flores, 12" from "rua sem saída, 12 vizinhos"."""
    return not PATTERNS["no_street"].search(value)
