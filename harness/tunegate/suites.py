"""Which suite a session is about. Suites run when named, one at a time: model calls cost money."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .project import ConfigError

USUAL = {"data": "suites/data", "model": "suites/model"}


def folders(configured: Any, root: Path) -> list[Path]:
    """Return the folders of all suites: those of the table `suites`, and their neighbours.

    The table is not validated yet: that costs time at start-up, and most sessions run no suite.
    """
    said = configured if isinstance(configured, dict) else {}
    own = [(root / str(said.get(key, usual))).resolve() for key, usual in USUAL.items()]
    homes = {path.parent for path in own} - {root.resolve()}
    beside = [p for home in homes if home.is_dir() for p in home.iterdir() if p.is_dir()]
    return sorted({*own, *(p for p in beside if p.name[0] not in "._")})


def named(args: Sequence[str], here: Path, suites: Sequence[Path]) -> Path | None:
    """Return the suite that pytest's arguments name, or None for an ordinary session.

    Raises ConfigError for two suites in one session.
    """
    paths = [(here / arg.partition("::")[0]).resolve() for arg in args]
    found = {s for s in suites for p in paths if p == s or s in p.parents}
    # A folder above the suites names them all, but only when it was named, not as the default.
    homes = {suite.parent for suite in suites}
    found |= {s for s in suites if s.parent in homes and s.parent in paths and s.parent != here}
    if len(found) > 1:
        names = ", ".join(sorted(p.name for p in found))
        raise ConfigError(f"one suite a session, these are {len(found)}: {names}; name one of them")
    return next(iter(found), None)


def check_role(suite: Path | None, root: Path, wanted: str, option: str) -> Path:
    """Return the suite if it is the one that this option waits for; else raise ConfigError."""
    right = (root / wanted).resolve()
    if root.resolve() not in right.parents:
        raise ConfigError(f"the suite {wanted} must be a folder inside {root}")
    if suite != right:
        got = f"you named {suite.name}" if suite else "you named none"
        raise ConfigError(f"{option} waits for the suite {wanted}, {got}: pytest {wanted} {option}")
    return right
