"""The metadata that tunegate keeps beside a model's weights, in `tunegate.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tunegate.config.settings import parse_settings

from ..config.settings import Decoding

METADATA_FILE = "tunegate.json"


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """The base of a model, and how the model answers.

    `template` is the text of the chat template in training, `rendered` the probe that it rendered
    (see `chat_template.render_probe`). Both, and the digest, are "" for a model that tunegate did
    not train: there is nothing to compare with.
    """

    base: str = ""
    base_digest: str = ""
    decoding: Decoding = field(default_factory=Decoding)
    template: str = ""
    rendered: str = ""


def write_metadata(folder: Path, metadata: ModelMetadata) -> None:
    """Write `tunegate.json` into a model's folder; raise OSError."""
    content = asdict(metadata) | {"decoding": metadata.decoding.model_dump(mode="json")}
    (folder / METADATA_FILE).write_text(json.dumps(content, indent=1))


def read_metadata(folder: Path) -> ModelMetadata:
    """Read `tunegate.json`; return defaults where there is none, raise ValueError for a bad one."""
    path = folder / METADATA_FILE
    try:
        content = json.loads(path.read_bytes()) if path.is_file() else {}
        decoding = parse_settings(Decoding, content.get("decoding", {}))
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    texts = (str(content.get(k, "")) for k in ("template", "rendered"))
    base, digest = (str(content.get(k, "")) for k in ("base", "base_digest"))
    return ModelMetadata(base, digest, decoding, *texts)
