"""Where a project's configuration stands. Standard library only: every pytest start-up is here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ConfigError

TABLE_HEADERS = ("[tool.tunegate]", "[tool.tunegate.")


def find_root(start: Path) -> Path | None:
    """Return the nearest folder at or above `start` that configures tunegate, or None.

    Looks no higher than the repository (`.git`). Raises ConfigError where one folder holds both a
    `tunegate.toml` and a `[tool.tunegate]` table: nobody could say which one is in force.
    """
    for folder in (start, *start.parents):
        has_toml, has_pyproject_table = (
            (folder / "tunegate.toml").is_file(),
            _has_table(folder / "pyproject.toml"),
        )
        if has_toml and has_pyproject_table:
            raise ConfigError(
                f"{folder}: both tunegate.toml and [tool.tunegate] in pyproject.toml; keep one"
            )
        if has_toml or has_pyproject_table:
            return folder
        if (folder / ".git").exists():
            return None
    return None


def current_project() -> Path:
    """Return the root of the project we stand in; raises ConfigError where there is none."""
    root = find_root(Path.cwd())
    if root is None:
        raise ConfigError(
            "no tunegate.toml or [tool.tunegate] here or above; `tunegate init` makes one"
        )
    return root


def read_table(root: Path) -> tuple[Path, dict[str, Any]]:
    """Return the file that configures the project at `root`, and its table, not yet validated.

    Raises ConfigError where it is not TOML.
    """
    import tomllib

    toml_file = root / "tunegate.toml"
    path = toml_file if toml_file.is_file() else root / "pyproject.toml"
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return path, table if path == toml_file else table["tool"]["tunegate"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _has_table(pyproject: Path) -> bool:
    try:
        return any(
            line.startswith(TABLE_HEADERS) for line in pyproject.read_text("utf-8").splitlines()
        )
    except (OSError, UnicodeDecodeError):
        return False
