"""`tunegate.json` beside a model's weights: what the libraries' own files do not say."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tunegate.config.settings import parse_settings

from ..config.settings import Decoding

METADATA_FILE = "tunegate.json"


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """The base and its digest, and how the model is to answer.

    `template` is the chat template's text, `rendered` what it made of a probe: see `rendering`.
    They and the digest are "" where the model was made elsewhere: nothing to compare with.
    """

    base: str = ""
    base_digest: str = ""
    decoding: Decoding = field(default_factory=Decoding)
    template: str = ""
    rendered: str = ""


def write_metadata(folder: Path, metadata: ModelMetadata) -> None:
    """Write the note into a model's folder; raise OSError."""
    content = asdict(metadata) | {"decoding": metadata.decoding.model_dump(mode="json")}
    (folder / METADATA_FILE).write_text(json.dumps(content, indent=1))


def read_metadata(folder: Path) -> ModelMetadata:
    """Return what the note says, or an empty one; raise ValueError where it cannot be read."""
    path = folder / METADATA_FILE
    try:
        content = json.loads(path.read_bytes()) if path.is_file() else {}
        decoding = parse_settings(Decoding, content.get("decoding", {}))
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    texts = (str(content.get(k, "")) for k in ("template", "rendered"))
    base, digest = (str(content.get(k, "")) for k in ("base", "base_digest"))
    return ModelMetadata(base, digest, decoding, *texts)
