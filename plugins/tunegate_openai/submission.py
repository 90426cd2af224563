"""What was asked of the provider, on disk before it is asked: a job is paid for once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tunegate.files import atomic_write


@dataclass(frozen=True, slots=True)
class Submission:
    """`submission.json` of a run: the files, when a job was asked for, and the job.

    `asked` without `job` means that nobody knows yet whether there is one.
    """

    training_file: str = ""
    validation_file: str = ""
    asked: float = 0.0  # seconds since 1970, by our clock
    job: str = ""
    forgotten: tuple[str, ...] = ()  # jobs that a person said are not, or no longer, this run's

    @staticmethod
    def read(folder: Path) -> Submission:
        """Return what the run's folder says, or an empty one."""
        path = folder / "submission.json"
        return Submission(**json.loads(path.read_bytes())) if path.exists() else Submission()

    def with_saved(self, folder: Path, **changes: Any) -> Submission:
        """Return this with changes, which are on the disk then."""
        new = replace(self, **changes)
        text = json.dumps(asdict(new), indent=2, sort_keys=True) + "\n"
        atomic_write(folder / "submission.json", text.encode(), mode=0o600)
        return new
