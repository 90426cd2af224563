"""Tell a value from what documentation and code write in its place."""

import re

# <password>, [SENHA], {{pwd}}, ${DB_PASS}, $DB_PASS, %(password)s, %s, %PASS%
_OPENING = re.compile(r"[\[<{]|\$[{(]|\$[A-Z_][A-Z\d_]*$|%\(|%[sdr]$|%\w+%$")
# Words of which a value in a manual is made: sk-your-api-key-here, AKIA...EXAMPLE.
_WORDS = re.compile(
    r"EXAMPLE(?:KEY)?$|(?<![^\W_])(?:your?s?|example|exemplo|placeholder|change_?me|replace|insert"
    r"|goes|here|dummy|redacted|hidden|seu|sua|tu|votre|ihr)(?![^\W_])",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:\w*_|my|your)?(?:passw(?:or)?d|pass|pwd|senha|secret|token)", re.IGNORECASE)
# get_password(8), auth[1], settings.DB_PASSWORD, proxy_auth, ==1.26.4, SecretStr, hashedPassword
_CODE = re.compile(
    r"[A-Za-z_$][\w.$]*[(\[]|[A-Za-z_]+(?:\.[A-Za-z_]+)+$|_?[a-z]+(?:_[a-z]+)+$|="
    r"|[A-Za-z]*[a-z](?:Str|String|Bytes|Field|Input|Type|Hash|Hasher|Schema|Config|Auth|Form|Model"
    r"|Option|Value|Password|Passwd|Pwd|Secret)$"
)


def is_placeholder(value: str) -> bool:
    """Whether a value stands for another: `${DB_PASS}`, `<password>`, `****`, `your-api-key`."""
    is_repeated = len(value) > 3 and len(set(value)) < 3
    is_marked = _OPENING.match(value) or _WORDS.search(value)
    return is_repeated or bool(is_marked) or is_password_name(value)


def is_password_name(value: str) -> bool:
    """Whether a value is a word for a password, or the name of a variable: `DB_PASSWORD`."""
    return _NAME.fullmatch(value) is not None


def is_code(value: str) -> bool:
    """Whether a value is an expression or a type of a program: `make_password(8)`, `SecretStr`."""
    return _CODE.match(value) is not None
