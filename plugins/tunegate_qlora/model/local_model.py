"""`folder:PATH`: a model or an adapter on this machine, answering greedily."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tunegate.config.settings import parse_settings
from tunegate.interfaces.model import Answer, Model, ModelUnknown, Request
from tunegate.utils.hashing import sha256_spaced_json

from ..config.settings import Decoding
from ..runtime import requirements
from ..runtime.quiet import quiet_libraries
from . import adapter, base, chat_template
from . import metadata as notes

PROMPTS_PER_BATCH = 32  # prompts answered together


class LocalModel:
    """A base, or a base with an adapter. Weights are loaded when the first answer is asked for."""

    def __init__(self, name: str, folder: Path, tuned: Path | None, decoding: Decoding) -> None:
        self.name, self.folder, self.tuned, self.decoding = name, folder, tuned, decoding
        self.digest = model_digest(folder, tuned, decoding)

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield the answers, a batch at a time, those to the shortest prompts first.

        An answer's latency is the seconds that its whole batch took: nobody had it sooner. One
        that ran into `max_new_tokens` is handed back as it stands; a prompt that leaves no room in
        the model's context is an error.
        """
        yield from self._generator.answers(requests)

    @cached_property
    def _generator(self) -> Any:
        absent = requirements.missing_requirements()
        if absent:
            raise ModelUnknown(absent)
        with quiet_libraries():
            from .generate import Generator

            return Generator(self.folder, self.tuned, self.decoding, PROMPTS_PER_BATCH)


def model_digest(folder: Path, tuned: Path | None, decoding: Decoding) -> str:
    """Return the sha256 of weights, template and decoding: the same digest answers the same."""
    weights = base.base_digest(folder)
    if tuned is not None:
        weights = adapter.adapter_digest(tuned, weights)
    decoding_settings = decoding.model_dump(mode="json") | {
        "batch": PROMPTS_PER_BATCH,
        "temperature": 0,
    }
    return sha256_spaced_json({"weights": weights, "decoding": decoding_settings})


def open_folder(path: str, root: Path) -> Model:
    """Open a model folder (`config.json`) or an adapter folder (`adapter_config.json`).

    `path` is relative to `root` or absolute. A whole model is quantised as in training, so that a
    base makes an honest baseline; `PATH?quantisation=none&max_new_tokens=64` overrules that. What
    tunegate trained or merged answers as it was trained to. Raises ModelUnknown where there is no
    model, where the adapter's base is missing or is not the one it was trained on, or where a
    setting is unknown.
    """
    folder_path, _, query = path.partition("?")
    folder = (root / Path(folder_path).expanduser()).resolve()
    try:
        if adapter.is_adapter(folder):
            return _open_adapter(path, folder, root, query)
        base.read_config(folder)
        decoding = _with_query(notes.read_metadata(folder).decoding, query)
        return LocalModel(f"folder:{path}", folder, None, decoding)
    except ValueError as error:
        raise ModelUnknown(f"folder:{path}: {error}") from None


def _open_adapter(path: str, folder: Path, root: Path, query: str) -> LocalModel:
    metadata = adapter.read_adapter_metadata(folder)
    base_folder = base.locate_base(metadata.base, root, *folder.parents)
    if metadata.base_digest and base.base_digest(base_folder) != metadata.base_digest:
        raise ValueError(
            f"its base in {base_folder} is not the one it was trained on: {_base_changed_reason(metadata, base_folder)}"
        )
    return LocalModel(f"folder:{path}", base_folder, folder, _with_query(metadata.decoding, query))


def _base_changed_reason(metadata: notes.ModelMetadata, base_folder: Path) -> str:
    current_template = chat_template.template_text_of(base_folder)
    if not metadata.template or current_template == metadata.template:
        return "the files have changed"
    return f"its chat template has changed, {chat_template.rendering_difference(current_template, metadata.template)}"


def _with_query(decoding: Decoding, query: str) -> Decoding:
    query_values: dict[str, Any] = dict(parse_qsl(query))
    integers = {key: int(value) for key, value in query_values.items() if value.isdigit()}
    return parse_settings(Decoding, decoding.model_dump() | query_values | integers)
