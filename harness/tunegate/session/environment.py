"""Who took part in a session: the command line, the plugins, and the modules that were loaded."""

import os
import platform
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..utils.hashing import sha256_file

# Environment variables that change what pytest runs and which modules it finds.
VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONPATH")
PACKAGES = ("site-packages", "dist-packages")  # folders of installed distributions


@dataclass
class Environment:
    """What can have changed a verdict without being part of the suite."""

    command: list[str] = field(default_factory=list)  # the arguments of pytest
    plugins: dict[str, str] = field(default_factory=dict)  # versions of installed distributions
    # The digest of each module outside of these, when it was first seen, by path; "" if unreadable.
    files: dict[str, str] = field(default_factory=dict)

    def note_files(self, plugins: Iterable[object]) -> None:
        """Digest what was not seen before of modules and plugins outside of installed packages."""
        standard = tuple(f"{sysconfig.get_path(s)}{os.sep}" for s in ("stdlib", "platstdlib"))
        for module in [*sys.modules.values(), *plugins]:
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and os.path.isabs(path) and path not in self.files:
                installed = any(f"{os.sep}{name}{os.sep}" in path for name in PACKAGES)
                if not installed and not path.startswith(standard):
                    self.files[path] = file_digest(path)

    def changed_files(self) -> list[str]:
        """Return the files that have other bytes now than when they were loaded."""
        return [path for path, digest in self.files.items() if file_digest(path) != digest]

    def to_dict(self, root: Path) -> dict[str, Any]:
        """Return the environment as builtins; paths below `root` are relative to it."""
        variables = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
        modules = {relative(path, root): digest for path, digest in self.files.items()}
        system = {"platform": platform.platform(), "modules": modules}
        return {"command": self.command, "variables": variables, "plugins": self.plugins, **system}

    def outsiders(self, root: Path, suite_files: Mapping[str, str]) -> list[str]:
        """Return the loaded files that are neither tunegate's nor among those of the suite."""
        own = Path(__file__).parents[1]
        distribution = own.parents[1] if own.parent.name == "harness" else own
        loaded = [p for p in sorted(self.files) if not Path(p).is_relative_to(distribution)]
        return [name for path in loaded if (name := relative(path, root)) not in suite_files]


def file_digest(path: str) -> str:
    """Return the sha256 of a file; "" where it cannot be read."""
    try:
        return sha256_file(path)
    except OSError:
        return ""


def relative(path: str, root: Path) -> str:
    """Return a path relative to `root` where it lies below it."""
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path
