"""Finds a project and its configuration file.

Standard library only: pytest imports this at every start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ConfigError

TABLE_HEADERS = ("[tool.tunegate]", "[tool.tunegate.")


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
            raise ConfigError(
                f"{folder}: both tunegate.toml and [tool.tunegate] in pyproject.toml; keep one"
            )
        if has_toml or has_table:
            return folder
        if (folder / ".git").exists():
            return None
    return None


def current_project() -> Path:
    """Return the root of the project around the working directory; raises ConfigError."""
    root = find_root(Path.cwd())
    if root is None:
        raise ConfigError(
            "no tunegate.toml or [tool.tunegate] here or above; `tunegate init` makes one"
        )
    return root


def read_table(root: Path) -> tuple[Path, dict[str, Any]]:
    """Return the configuration file of the project at `root`, and its table, not yet validated.

    Raises ConfigError where the file is not TOML.
    """
    import tomllib

    toml_file = root / "tunegate.toml"
    path = toml_file if toml_file.is_file() else root / "pyproject.toml"
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return path, table if path == toml_file else table["tool"]["tunegate"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
