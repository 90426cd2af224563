"""The suites that are installed with tunegate, and which version of them a project has copied.

`tunegate init` writes `suites/.tunegate-suites.json`, which the user commits: the version, and the
digest of each file as it was shipped. So it can be told later which files were edited.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from ..errors import ConfigError
from ..utils.files import atomic_write, sha256_bytes

MANIFEST_NAME = ".tunegate-suites.json"
DIGEST_LENGTH = 16
# The folder of the suites: in the wheel, or in a checkout of the repository.
_IN_WHEEL = Path(__file__).parents[1] / "suites"
SHIPPED_SUITES = _IN_WHEEL if _IN_WHEEL.is_dir() else Path(__file__).parents[3] / "suites"


@dataclass(frozen=True)
class SuiteManifest:
    """The version of the suites in a project, and the digest of each file as it was shipped.

    `digest` is that of all shipped files. One that cannot be read or is not known is "".
    """

    tunegate: str = ""
    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, root: Path) -> None:
        """Write the manifest into the suites of the project at `root`."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"
        atomic_write(root / "suites" / MANIFEST_NAME, text.encode())


def holds_shipped_suites(root: Path) -> bool:
    """Return whether the suites of a project are the installed ones, as in our own repository."""
    return (root / "suites").resolve() == SHIPPED_SUITES.resolve()


def shipped_manifest() -> SuiteManifest:
    """Return the manifest of the installed suites."""
    paths = sorted(p for p in SHIPPED_SUITES.rglob("*") if p.suffix in (".py", ".toml"))
    files = {p.relative_to(SHIPPED_SUITES).as_posix(): file_digest(p.read_bytes()) for p in paths}
    digest = sha256_bytes(json.dumps(files, sort_keys=True).encode())[:DIGEST_LENGTH]
    return SuiteManifest(metadata.version("tunegate"), digest, files)


def file_digest(data: bytes) -> str:
    """Return the digest of a file of a suite, whatever its line ends: git may change those."""
    return sha256_bytes(data.replace(b"\r\n", b"\n"))[:DIGEST_LENGTH]


def read_manifest(root: Path) -> SuiteManifest | None:
    """Return the manifest of a project; None where it has none. Raises ConfigError."""
    path = root / "suites" / MANIFEST_NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        files = {str(name): str(digest) for name, digest in content["files"].items()}
        return SuiteManifest(str(content["tunegate"]), str(content["digest"]), files)
    except (ValueError, KeyError, TypeError, AttributeError):
        advice = "take it back from git, or remove it and run `tunegate init --update`"
        raise ConfigError(f"{path} is not what `tunegate init` has written: {advice}") from None


def project_version(root: Path) -> SuiteManifest | None:
    """Return the version of a project's suites, None without one; its digest "" if unreadable."""
    try:
        return read_manifest(root)
    except ConfigError:  # `tunegate init --update` says what is wrong with it
        return SuiteManifest()


def older_than_installed(root: Path) -> str:
    """Say in one line that a project's suites are older than the installed ones; else return ""."""
    version, installed = project_version(root), shipped_manifest()
    if version is None or version.digest == installed.digest:
        return ""
    names = [f"{v.tunegate}, {v.digest[:6]}" if v.digest else "" for v in (version, installed)]
    was = f" ({names[0]})" if names[0] else ""
    return f"older{was} than the installed ones ({names[1]}): tunegate init --update"
