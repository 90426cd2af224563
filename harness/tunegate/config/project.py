"""Finds a project, its configuration file, and the suite that a session runs.

A suite runs only when named, and alone: calls cost money. Standard library only: pytest imports it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError

TABLE_HEADERS = ("[tool.tunegate]", "[tool.tunegate.")
DEFAULT_SUITES = {"data": "suites/data", "model": "suites/model"}
USUAL_SUITES = (*DEFAULT_SUITES.values(), "suites/readiness", "suites/shadow")  # of any project


def find_root(start: Path) -> Path | None:
    """Return the nearest folder at or above `start` that configures tunegate, or None.

    It looks no higher than the repository (`.git`). Raises ConfigError where one folder has both a
    `tunegate.toml` and a `[tool.tunegate]` table: it would not be clear which one counts.
    """
    for folder in (start, *start.parents):
        has_toml = (folder / "tunegate.toml").is_file()
        try:  # parsing TOML would cost time at every start of pytest
            lines = (folder / "pyproject.toml").read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        has_table = any(line.startswith(TABLE_HEADERS) for line in lines)
        if has_toml and has_table:
            both = "both tunegate.toml and [tool.tunegate] in pyproject.toml"
            raise ConfigError(f"{folder}: {both}; keep one")
        if has_toml or has_table:
            return folder
        if (folder / ".git").exists():
            return None
    return None


def current_project(folder: Path = Path()) -> Path:
    """Return the root of the project around a folder, the working one; raises ConfigError."""
    if (root := find_root(folder.resolve())) is None:
        place = "here" if folder == Path() else f"in {folder}"
        lacking = f"no tunegate.toml or [tool.tunegate] {place} or above"
        raise ConfigError(f"{lacking}; `tunegate init` makes one")
    return root


def read_table(root: Path) -> tuple[Path, dict[str, Any]]:
    """Return configuration file and table of a project, not yet validated; raises ConfigError."""
    import tomllib

    from ..utils.text import toml_error_text

    toml_file = root / "tunegate.toml"
    path = toml_file if toml_file.is_file() else root / "pyproject.toml"
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return path, table if path == toml_file else table["tool"]["tunegate"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {toml_error_text(error)}") from None


def suite_folders(configured: Any, root: Path) -> list[Path]:
    """Return the folders of all suites: those of the table `suites`, and the folders beside them.

    `configured` is the table as read: to validate it would cost time at every start of pytest.
    """
    table = configured if isinstance(configured, dict) else {}
    names = [str(table.get(key, usual)) for key, usual in DEFAULT_SUITES.items()]
    configured_suites = [(root / name).resolve() for name in names]
    parents = {path.parent for path in configured_suites} - {root.resolve()}
    siblings = [p for parent in parents if parent.is_dir() for p in parent.iterdir() if p.is_dir()]
    return sorted({*configured_suites, *(p for p in siblings if p.name[0] not in "._")})


def suite_of_args(args: Sequence[str], folder: Path, suites: Sequence[Path]) -> Path | None:
    """Return the suite that pytest's arguments name, or None; raises ConfigError for two."""
    paths = [(folder / arg.partition("::")[0]).resolve() for arg in args]
    matches = {s for s in suites for p in paths if p == s or s in p.parents}
    # A folder above the suites names them all, but only when it was named, not as the default.
    parents = {suite.parent for suite in suites}
    named = {parent for parent in parents if parent in paths and parent != folder}
    matches |= {suite for suite in suites if suite.parent in named}
    if len(matches) > 1:
        several = f"{len(matches)}: {', '.join(sorted(p.name for p in matches))}"
        raise ConfigError(f"one suite a session, these are {several}; name one of them")
    return next(iter(matches), None)


def require_suite(suite: Path | None, root: Path, required: str, option: str) -> Path:
    """Return the suite if it is the one that an option needs; else raise ConfigError."""
    expected = (root / required).resolve()
    if root.resolve() not in expected.parents:
        raise ConfigError(f"the suite {required} must be a folder inside {root}")
    if suite != expected:
        waits = f"waits for the suite {required}, you named {suite.name if suite else 'none'}"
        raise ConfigError(f"{option} {waits}: pytest {required} {option}")
    return expected


def public_lists(folder: Path) -> tuple[list[str], list[str]]:
    """Return `pii_ignore` and `pii_allow` of a folder's project; not validated, empty if unread."""
    try:
        root = find_root(folder)
        limits = read_table(root)[1].get("limits", {}) if root else {}
        ignore, allow = (limits.get(key, []) for key in ("pii_ignore", "pii_allow"))
        return [str(kind) for kind in ignore], [str(value) for value in allow]
    except (ConfigError, OSError, AttributeError, TypeError):
        return [], []
