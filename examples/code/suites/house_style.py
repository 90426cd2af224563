"""The house style, as far as patterns can say it; suites/model/house.toml has the rest."""

import re
from collections.abc import Iterator

RULES = {
    "throws": r"\bthrow\b",
    "any": r"\bany\b",
    "default export": r"\bexport default\b",
    "console": r"\bconsole\.",
    "no Result": r"\A(?!.*Result<).*\bok: false\b",
}
UNREAD = re.compile(r"//.*|`[^`]*`|\"[^\"\n]*\"")  # comments, and what stands in quotes


def faults(code: str) -> Iterator[tuple[str, str]]:
    """Yield each fault of a program: its kind, and the words that show it."""
    for kind, pattern in RULES.items():
        if found := re.search(pattern, UNREAD.sub("", code), re.DOTALL):
            yield kind, found.group()[-40:]
