"""What names a person or opens a door online: e-mail, IP and MAC addresses, passwords."""

from __future__ import annotations

import ipaddress
import re

from .rule import Rule, compiled

# No top-level domains: `icon@2x.png` is a picture.
_FILES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".css", ".js", ".json", ".html")
_V4 = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
# [SENHA], <password>, {{pwd}}, ${PASSWORD}, a link, a date.
_PLACEHOLDER = re.compile(r"[\[<{]|\$[{(]|\w+://|\d\d/\d\d/\d{4}$")
_PASSWORD = r"senhas?|passwords?|passwd|passcode|pwd|palavra-passe|contraseña|pin"
# The usual gateways of home networks, and public resolvers: the first thing a help desk names.
_NOBODYS = frozenset(
    ("192.168.0.1", "192.168.1.1", "192.168.0.254", "192.168.1.254", "192.168.15.1", "10.0.0.1",
     "10.0.0.138", "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9")
)  # fmt: skip


def is_address(value: str) -> bool:
    """Not a file's name, and not the user that all of a code host share."""
    return not value.lower().startswith("git@") and not value.lower().endswith(_FILES)


def is_someones(value: str) -> bool:
    """An IP address, except loopback, masks, multicast, usual gateways and public resolvers."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    nobodys = address.is_loopback or address.is_unspecified or address.is_multicast
    return not nobodys and value not in _NOBODYS and not value.startswith(("255.", "0."))


def is_someones_v6(value: str) -> bool:
    """Three groups at least: `::1` and `fe80::1` are nobody's, and `add::face` is a program."""
    groups = [g for g in value.split(":") if g]
    return len(groups) > 2 and any(c.isdigit() for c in value) and is_someones(value)


def is_telling_v4(value: str) -> bool:
    """Four single digits read as a numbered section or a version: those need a word beside them."""
    return len(value) > 9 and is_someones(value)


def is_password(value: str) -> bool:
    """Four characters or more that are no plain word: a digit, a symbol or capitals inside."""
    inner = value.strip(".,;:!?()\"'")
    telling = re.search(r"\d|[!@#$%&*+=_~^]|[a-z][A-Z]", inner)
    shown = sum(c.isalnum() for c in inner) >= 3 and not _PLACEHOLDER.match(inner)
    return len(inner) >= 4 and bool(telling) and shown


_USER, _HOST = r"\w[\w.+%\-']{0,63}", r"(?:[\w\-]{1,63}\.){1,5}[^\W\d_]{2,24}"
_SAID = r" ?[\w\-]{2,63}(?: ?(?:\.|\[dot\]|\(dot\)| ponto ) ?[a-z]{2,12}){1,3}(?!\w)"
_IPV4 = compiled(rf"(?<![\w.\-])(?<![^/]/)(?:{_V4}\.){{3}}{_V4}(?!\w|[.\-]\w)")
_HEX = r"[\da-f]{2}"
# "senha do wifi é X", "senha: X", "password X"
_LEADS = (
    r"(?:(?:[\"']|(?: [^\W\d]+(?:-[^\W\d]+)?){0,4}) ?(?:[:=]|\b(?:é|e|eh|is|era|was|será)\b)| )"
    r"\s?[\"'“]?"
)
_SECRET = r"(?P<v>[^\s\"'“”]{4,64}?)(?=[\"'”]|[.,;:!?)]*(?:\s|$))"

RULES = (
    Rule(
        "url_credentials",
        compiled(r"\b[a-z][a-z\d+.\-]{1,20}://(?P<v>[^\s:/@]{1,64}:[^\s/@]{1,64})@"),
        has="://",
    ),
    Rule(
        "email",
        compiled(rf"(?<![\w.+%\-/@]){_USER}@(?!\dx\.){_HOST}(?![\w@])"),
        is_address, has="@",
    ),
    *(
        Rule("email", compiled(rf"(?<![\w.+%\-])[\w.+%\-]{{1,64}} ?{re.escape(at)}", _SAID), has=at)
        for at in ("[at]", "(at)", " arroba ")
    ),
    Rule("ip", _IPV4, is_telling_v4, shy=True, digits=4, has="."),
    Rule("ip", _IPV4, is_someones, ("ip",), digits=4, has="."),
    Rule(
        "ip",
        compiled(r"(?<![\w:.])(?:[\da-f]{0,4}:){2,7}[\da-f]{0,4}(?![\w:])"),
        is_someones_v6, digits=1, has=":",
    ),
    *(
        Rule("mac", compiled(rf"(?<![\w:\-]){_HEX}(?:{gap}{_HEX}){{5}}(?![\w:\-])"), has=gap)
        for gap in ":-"
    ),
    Rule(
        "mac",
        compiled(r"(?<![\w.])[\da-f]{4}\.[\da-f]{4}\.[\da-f]{4}(?![\w.])"),
        words=("mac",), has=".",
    ),
    *(
        Rule("password", compiled(rf"\b(?:{_PASSWORD})\b", _LEADS, _SECRET), is_password, has=word)
        for word in ("senha", "pass", "pwd", "contrase", "pin")
    ),
)  # fmt: skip
