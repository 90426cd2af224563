"""Rules for telephone numbers: by their format alone, or any phone-like number beside a label.

Area codes: Anatel's plan (67 of them). Test data annotated by people contains invented numbers,
which strict validation refuses, so only international numbers are checked by numbering plan.
"""

import re

from .rule import DIGIT, Rule, only_digits

_AREA = r"(?:1[1-9]|2[12478]|3[1-578]|4[1-9]|5[1345]|6[1-9]|7[134579]|8[1-9]|9[1-9])"
_LOCAL = r"(?:9[ .]?\d{4}|[2-5]\d{3})"
_L = r"(?<![\w$€£#/.\-])(?<![^A-Za-z_\"']=)(?<![$€£] )(?<!\d[ ,])"
_D = DIGIT + _L
_R = r"(?!\w|:\d|[.,/\-]?\d|[.,]\d| ?= ?[$€£]?\d)"  # 1000-200=800 is a sum
_EXTENSION = r"(?: ?(?:x|ext\.?|ramal) ?\d{1,6})?"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = (
    rf"(?:{_DAY}[./ \-]{_MONTH}|{_MONTH}[./ \-]{_DAY})[./ \-](?:19|20)?\d\d"
    rf"|(?:19|20)\d\d[./ \-]{_MONTH}[./ \-]{_DAY}"
)
_DATED = rf"{_DAY}([./\-]){_MONTH}\1(?:19|20)\d\d\b|(?:19|20)\d\d([./\-]){_MONTH}\2{_DAY}\b"
_THOUSANDS = r"\d{1,2}(?:\.\d{3})+|\d\.\d{5,}"  # 3.1415926
_YEARS = r"(?:19|20)\d\d ?[\-/ ] ?(?:19|20)\d\d"
_NO_PHONE = re.compile(rf"{_DATED}|(?:{_DATE}|{_THOUSANDS}|{_YEARS})\Z")
_PAIRS = re.compile(r"\d\d([ .\-])\d\d\1\d\d")
_EXTENSION_SIGN = re.compile("[xer]", re.IGNORECASE)
# What follows a number that counts something: "call 12345678 times".
_COUNTED = (
    r" ?(?:times|users|people|calls|customers|clients|records|units|vezes|clientes|pessoas|reais"
    r"|usu[aá]rios|unidades|habitantes|abitanti|einwohner|visitas|liga[cç][oõ]es|chamadas|pontos|d[oó]lares|dollars|euros)\b"
)
# A company's service lines are public: they are nobody's personal data.
_SERVICE = re.compile(r"0[3589]00\d*|[89]00\d{6}|(?:4004|4003|4020|3003|4062)\d{4}")


def is_phone_number(value: str) -> bool:
    """Check for 7 to 15 digits (ITU-T E.164); refuse dates, years, service lines and 12345678."""
    number = only_digits(_EXTENSION_SIGN.split(value, 1)[0])
    is_long = 7 <= len(number) <= 15 or _PAIRS.fullmatch(value) is not None
    is_example = len(set(number)) < 2 or "12345678901234".startswith(value)
    return is_long and not (is_example or _NO_PHONE.match(value) or _SERVICE.fullmatch(number))


def is_international_number(value: str) -> bool:
    """Check the country code, and the length by its numbering plan (phonenumbers)."""
    import phonenumbers

    number = "+" + only_digits(_EXTENSION_SIGN.split(value, 1)[0])
    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(number)))
    except phonenumbers.NumberParseException:
        return False


_AREA_GIVEN = rf"\(0?{_AREA}\)"
_GROUPS = r"(?:\(\d{1,5}\)[ .\-/]{0,2}|\d{1,6}[ .\-/]{1,2})"
_PHONE = ("phone", "beside_phone")

RULES = (
    # +55 11 98765-4321, +351 912 345 678, +1 (415) 555-2671
    Rule("phone", rf"(?<![\w+])\+(?:{_GROUPS}|\d{{1,3}}(?=\()){{0,6}}\d{{2,15}}" + _EXTENSION + _R,
        is_international_number, min_digits=8, signs=("+0", "+ 0", "+(0")),
    # (11) 98765-4321, (011) 3456 7890, 55 (11) 9.8765-4321
    Rule("phone", rf"(?=[(5])(?<![\w(])(?:55 ?)?{_AREA_GIVEN} ?{_LOCAL}[ .\-]?\d{{4}}" + _R,
        is_phone_number, min_digits=10, signs=("(00",)),
    # 11 98765-4321
    Rule("phone", _D + rf"(?:55 )?0?{_AREA}[ \-]{_LOCAL}-\d{{4}}" + _R, is_phone_number,
        silent_under_other_label=True, min_digits=10,
        signs=tuple(f"00{a}{b}0000-0000" for a in " -" for b in ("", "0", "0 ", "0."))),
    # (415) 555-2671, 1 (415)555-2671
    Rule("phone", r"(?<![\w(])(?:(?:00)?1[ .\-]?)?\(\d{3}\) ?\d{3}[ .\-]\d{4}" + _EXTENSION + _R,
        is_phone_number, min_digits=10, signs=("(000)",)),
    # 415-555-2671, 415.555.2671, 001-415-555-2671x123
    Rule("phone", _D + r"(?:(?:00)?1[ .\-])?[2-9]\d{2}([.\-])\d{3}\1\d{4}" + _EXTENSION + _R,
        is_phone_number, silent_under_other_label=True, min_digits=10,
        signs=("000-000-0000", "000.000.0000")),
    # 021-555-2671x99: no US area code begins with 0, but only telephones have extensions
    Rule("phone", _D + r"\d{3}([.\-])\d{3}\1\d{4} ?(?:x|ext\.?) ?\d{1,6}" + _R, is_phone_number,
        silent_under_other_label=True, min_digits=10, signs=("000-000-0000", "000.000.0000")),
    # 06 12 34 56 78
    Rule("phone", _D + r"0[1-9](?:([ .])\d\d)(?:\1\d\d){3}" + _R, is_phone_number,
        silent_under_other_label=True, min_digits=10, signs=("00 00 00 00 00", "00.00.00.00.00")),
    # Spain 983 45 65 72, 635 576 281; Chile 9 8765 4321; Colombia 310 555 1234; Mexico 55 1234 5678
    Rule("phone",
        _D + r"(?:[6-9]\d\d \d\d \d\d \d\d|[679]\d\d \d{3} \d{3}|9 \d{4} \d{4}|3\d\d \d{3} \d{4}"
        rf"|(?:33|55|56|81) \d{{4}} \d{{4}}|{_AREA} 9\d{{4}} \d{{4}})(?! ?\d)"
        + _R + rf"(?!{_COUNTED})", is_phone_number, silent_under_other_label=True, min_digits=9,
        signs=("000 00 00 00", "000 000 000", "0 0000 0000", "00 00000 0000")),
    # wa.me/5511987654321, tel:+5511987654321
    Rule("phone", r"(?<![^\W\d_])(?:wa\.me/|tel:|phone=)(?P<v>\+?\d{8,15})(?!\w)", is_phone_number,
        first_words=frozenset(("wa", "tel", "phone"))),
    # Any phone-like number beside a label of the family `phone`: in groups, or in one run
    Rule("phone", r"(?=[\d(])" + _L + rf"(?:00)?{_GROUPS}{{1,5}}\d{{1,12}}" + _EXTENSION + _R
        + rf"(?!{_COUNTED})", is_phone_number, _PHONE, needs_own_label=True, min_digits=6),
    Rule("phone", _D + r"\d{7,15}" + _EXTENSION + _R + rf"(?!{_COUNTED})", is_phone_number, _PHONE,
        needs_own_label=True, min_digits=7, signs=("0000000",)),
)  # fmt: skip
