"""Rules for e-mail, IP and MAC addresses, and for passwords."""

import ipaddress
import re

from .placeholders import is_code, is_password_name, is_placeholder
from .rule import DIGIT, Rule

# No top-level domains: `icon@2x.png` is a picture.
_FILE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".css", ".js", ".json", ".html")
_V4 = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_LINK_OR_DATE = re.compile(r"\w+://|\d\d/\d\d/\d{4}$")
# At the start of a word, or of one of an identifier: DB_PASSWORD, dbPassword.
PASSWORD_NAME = (
    r"(?=[pscmk])(?:(?<![^\W_])|(?-i:(?<=[a-z])(?=[PS])))"
    r"(?:pgpassword|senhas?|passwords?|passwd|passcode|pwd|palavra-passe|contraseña|passwort|kennwort"
    r"|mot de passe)(?:_?(?:atual|nova|antiga|current|new|old|admin|user|usuario|app|db))?\b"
)
# Gateways of home networks and public resolvers: help desks name them, and they are nobody's.
_PUBLIC_ADDRESSES = frozenset(
    ("192.168.0.1", "192.168.1.1", "192.168.0.254", "192.168.1.254", "192.168.15.1", "10.0.0.1",
     "10.0.0.138", "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9")
)  # fmt: skip


def is_email_address(value: str) -> bool:
    """Tell an e-mail address from `icon@2x.png`, `git@host` and `user:password@host`."""
    user = value.lower().partition("@")[0]
    is_file = value.lower().endswith(_FILE_SUFFIXES)
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
    is_public = shown in _PUBLIC_ADDRESSES or shown.startswith(("255.", "0."))
    return not is_reserved and not is_public


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
    is_spelt_out = sum(c.isalnum() for c in inner) >= 3 and not _LINK_OR_DATE.match(inner)
    stands_for_another = is_placeholder(inner) or is_code(inner) or is_code(value)
    return len(inner) >= 4 and bool(has_symbol) and is_spelt_out and not stands_for_another


def is_credentials(value: str) -> bool:
    """Check `user:password`: `<user>:<password>` and `app:****` are none."""
    return not is_placeholder(value.partition(":")[2])


_MARKS = "\u0300-\u036f\u0900-\u0dff"  # accents and vowel signs, which are no letters
_USER = rf"\w[\w{_MARKS}.+%\-']{{0,63}}"
# A domain in Unicode, or in its form of ASCII (xn--).
_TOP = rf"(?:xn--[a-z\d\-]{{2,59}}|[^\W\d_](?:[^\W\d_]|[{_MARKS}]){{1,23}})"
_HOST = rf"(?:[\w{_MARKS}\-]{{1,63}}\.){{1,5}}{_TOP}"
_SPOKEN_HOST = r" ?[\w\-]{2,63}(?: ?(?:\.|\[dot\]|\(dot\)| ponto ) ?[a-z]{2,12}){1,3}(?!\w)"
_IPV4 = rf"{DIGIT}(?<![\w.\-])(?<![^/]/)(?:{_V4}\.){{3}}{_V4}(?!\w|[.\-]\w)"
_MIDDLE = tuple(f".{a}.{b}." for a in ("0", "00", "000") for b in ("0", "00", "000"))
_HEX = r"[\da-f]{2}"
# "senha do wifi é X", "senha: X", "password X"
_PASSWORD_LEAD = (
    r"(?:(?:[\"']|(?: [^\W\d]+(?:-[^\W\d]+)?){0,4}) ?(?:[:=]|\b(?:é|e|eh|is|era|was|será)\b)| )"
    r"\s?[\"'“]?"
)
_PASSWORD_VALUE = r"(?P<v>[^\s\"'“”]{4,64}?)(?=[\"'”]|[.,;:!?)]*(?:\s|$))"

RULES = (
    Rule(
        # The user may be absent; in the password an @ may stand, the last one ends it.
        "url_credentials", r"\b[a-z][a-z\d+.\-]{1,20}://(?P<v>[^\s:/@?#]{0,64}:[^\s/?#\"']{1,64})@",
        is_credentials, signs=("://",),
    ),
    Rule("email", rf"(?<![\w.+%\-/@])(?!(?<=:)(?:token|secret)@){_USER}@(?!\dx\.){_HOST}(?![\w@])",
        is_email_address, signs=("@",)),
    Rule("email", r"(?<![\w.+%\-])[\w.+%\-]{1,64} ?(?:\[at\]|\(at\)| arroba )" + _SPOKEN_HOST,
        signs=("[at]", "(at)", " arroba ")),
    Rule("ip",
        rf"(?<![\w:.])(?:[\da-f]{{0,4}}:){{2,7}}(?:(?:{_V4}\.){{3}}{_V4}|[\da-f]{{0,4}})(?![\w:])",
        is_personal_ipv6, min_digits=1, signs=("::", ":0")),
    Rule("ip", _IPV4, is_unambiguous_ipv4, silent_under_other_label=True, min_digits=4,
        signs=_MIDDLE),
    Rule("ip", _IPV4, is_personal_ip, ("ip",), min_digits=4, signs=_MIDDLE),
    *(
        Rule(
            "mac", rf"(?<![\w:\-]){_HEX}(?:{gap}{_HEX}){{5}}(?![\w:\-])",
            min_digits=1, signs=tuple(f"{gap}{a}{b}{gap}" for a in "0A" for b in "0A"),
        )
        for gap in ":-"
    ),
    Rule("mac", r"(?<![\w.])[\da-f]{4}\.[\da-f]{4}\.[\da-f]{4}(?![\w.])", label_families=("mac",),
        min_digits=1),
    Rule("password", PASSWORD_NAME + _PASSWORD_LEAD + _PASSWORD_VALUE, is_password,
        signs=("senha", "pass", "pwd", "contrase", "kennwort")),
    Rule("password", r"\bpin\b" + _PASSWORD_LEAD + r"(?P<v>\d{4,12})(?![\w.=])", min_digits=4,
        first_words=frozenset(("pin",))),
)  # fmt: skip
