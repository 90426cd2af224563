"""`tunegate.json` beside a model's weights: what the libraries' own files do not say."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tunegate.settings import settle

from .config import Decoding

NAME = "tunegate.json"


@dataclass(frozen=True, slots=True)
class Note:
    """The base and its digest, and how the model is to answer.

    `template` is the chat template's text, `rendered` what it made of a probe: see `rendering`.
    They and the digest are "" where the model was made elsewhere: nothing to compare with.
    """

    base: str = ""
    base_digest: str = ""
    decoding: Decoding = field(default_factory=Decoding)
    template: str = ""
    rendered: str = ""


def write(folder: Path, note: Note) -> None:
    """Write the note into a model's folder; raise OSError."""
    told = asdict(note) | {"decoding": note.decoding.model_dump(mode="json")}
    (folder / NAME).write_text(json.dumps(told, indent=1))


def read(folder: Path) -> Note:
    """Return what the note says, or an empty one; raise ValueError where it cannot be read."""
    path = folder / NAME
    try:
        told = json.loads(path.read_bytes()) if path.is_file() else {}
        decoding = settle(Decoding, told.get("decoding", {}))
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    texts = (str(told.get(k, "")) for k in ("template", "rendered"))
    base, digest = (str(told.get(k, "")) for k in ("base", "base_digest"))
    return Note(base, digest, decoding, *texts)
