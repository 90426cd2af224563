"""`folder:PATH`: a model or an adapter on this machine, answering greedily."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tunegate.protocols import Answer, Model, ModelUnknown, Request
from tunegate.settings import settle

from . import adapter, base, digests, extra, rendering
from . import note as notes
from .config import Decoding
from .quiet import undisturbed

BATCH = 32  # prompts answered together


class LocalModel:
    """A base, or a base with an adapter. Weights are loaded when the first answer is asked for."""

    def __init__(self, name: str, folder: Path, tuned: Path | None, decoding: Decoding) -> None:
        self.name, self.folder, self.tuned, self.decoding = name, folder, tuned, decoding
        self.digest = digest(folder, tuned, decoding)

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield the answers, a batch at a time, those to the shortest prompts first.

        An answer's latency is the seconds that its whole batch took: nobody had it sooner. One
        that ran into `max_new_tokens` is handed back as it stands; a prompt that leaves no room in
        the model's context is an error.
        """
        yield from self._loaded.answers(requests)

    @cached_property
    def _loaded(self) -> Any:
        absent = extra.missing()
        if absent:
            raise ModelUnknown(absent)
        with undisturbed():
            from .generate import Generator

            return Generator(self.folder, self.tuned, self.decoding, BATCH)


def digest(folder: Path, tuned: Path | None, decoding: Decoding) -> str:
    """Return the sha256 of weights, template and decoding: the same digest answers the same."""
    weights = base.digest(folder)
    if tuned is not None:
        weights = adapter.digest(tuned, weights)
    manner = decoding.model_dump(mode="json") | {"batch": BATCH, "temperature": 0}
    return digests.of_values({"weights": weights, "decoding": manner})


def open_folder(path: str, root: Path) -> Model:
    """Open a model folder (`config.json`) or an adapter folder (`adapter_config.json`).

    `path` is relative to `root` or absolute. A whole model is quantised as in training, so that a
    base makes an honest baseline; `PATH?quantisation=none&max_new_tokens=64` overrules that. What
    tunegate trained or merged answers as it was trained to. Raises ModelUnknown where there is no
    model, where the adapter's base is missing or is not the one it was trained on, or where a
    setting is unknown.
    """
    place, _, query = path.partition("?")
    folder = (root / Path(place).expanduser()).resolve()
    try:
        if adapter.is_adapter(folder):
            return _with_adapter(path, folder, root, query)
        base.config(folder)
        decoding = _overruled(notes.read(folder).decoding, query)
        return LocalModel(f"folder:{path}", folder, None, decoding)
    except ValueError as error:
        raise ModelUnknown(f"folder:{path}: {error}") from None


def _with_adapter(path: str, folder: Path, root: Path, query: str) -> LocalModel:
    note = adapter.note(folder)
    under = base.locate(note.base, root, *folder.parents)
    if note.base_digest and base.digest(under) != note.base_digest:
        raise ValueError(
            f"its base in {under} is not the one it was trained on: {_why(note, under)}"
        )
    return LocalModel(f"folder:{path}", under, folder, _overruled(note.decoding, query))


def _why(note: notes.Note, under: Path) -> str:
    now = rendering.text(under)
    if not note.template or now == note.template:
        return "the files have changed"
    return f"its chat template has changed, {rendering.difference(now, note.template)}"


def _overruled(decoding: Decoding, query: str) -> Decoding:
    given: dict[str, Any] = dict(parse_qsl(query))
    whole = {key: int(value) for key, value in given.items() if value.isdigit()}
    return settle(Decoding, decoding.model_dump() | given | whole)
