"""`folder:PATH`: a model or an adapter on this machine, which answers greedily."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tunegate.config.schema import parse_settings
from tunegate.interfaces.model import Answer, Model, ModelUnknown, Request
from tunegate.tokenization.chat_template import TemplateOptions, pin_template, template_options
from tunegate.utils.files import sha256_spaced_json

from ..config import Decoding, VLLMTable
from ..runtime.libraries import missing_requirements, quiet_libraries
from . import folders


@dataclass(eq=False)
class LocalModel:
    """A base, or a base with an adapter; its weights are loaded for the first answer."""

    name: str
    folder: Path
    tuned: Path | None
    decoding: Decoding
    options: TemplateOptions
    root: Path  # of the project
    temperature = 0

    def __post_init__(self) -> None:
        self.digest = model_digest(self.folder, self.tuned, self.decoding, self.root)
        self._generator: Any = None  # a Generator or VLLMBatch, from the first answer on

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield the answers batch by batch, those to the shortest prompts first.

        The latency of an answer is the seconds that its batch took. An answer that reaches
        `max_new_tokens` is returned as it is; a prompt that fills the model's context is an error.
        """
        if self._generator is None:
            if absent := missing_requirements():
                raise ModelUnknown(absent)
            model = self.folder, self.tuned, self.decoding, self.options
            with quiet_libraries():
                from .generate import Generator, VLLMBatch

                if self.decoding.engine == "vllm":
                    self._generator = VLLMBatch(*model, self.root)
                else:
                    self._generator = Generator(*model)
        yield from self._generator.answers(requests)


def model_digest(folder: Path, tuned: Path | None, decoding: Decoding, root: Path) -> str:
    """Return the sha256 of all that decides the answers: weights, chat template and decoding.

    `folder` is that of a whole model, or of the base of the adapter in `tuned`. The size of a batch
    counts too, since sums over padded rows can differ in the last bits, and so do the options that
    the project in `root` gives vLLM where it answers. Raises ModelUnknown for a bad one.
    """
    weights = folders.folder_digest(folder)
    if tuned is not None:
        weights = sha256_spaced_json({"adapter": folders.folder_digest(tuned), "base": weights})
    decoding_settings = decoding.identity | {"temperature": 0}
    if decoding.engine == "vllm" and (options := VLLMTable.read(root).options):
        decoding_settings |= {"options": options}
    return sha256_spaced_json({"weights": weights, "decoding": decoding_settings})


def _query_value(text: str) -> Any:
    if text.startswith("{") or text in ("true", "false"):
        return json.loads(text)
    return int(text) if text.isdigit() else text


def open_folder(path: str, root: Path) -> Model:
    """Open a model folder (`config.json`) or an adapter folder (`adapter_config.json`).

    What tunegate trained or merged answers with the decoding of its training. Any other model is
    quantised as in training, so that a base is a fair baseline. A query sets decoding otherwise:
    `PATH?quantisation=none&max_new_tokens=64`. Raises ModelUnknown where there is no model, the
    adapter's base is missing or is not the one that it was trained on, or a setting is unknown.
    """
    folder_path, _, query = path.partition("?")
    folder = (root / Path(folder_path).expanduser()).resolve()
    try:
        tuned = folder if folders.is_adapter(folder) else None
        if tuned:
            recorded = folders.read_adapter_metadata(folder)
            base_folder = folders.locate_base(recorded.base, root, *folder.parents)
            if recorded.base_digest and folders.folder_digest(base_folder) != recorded.base_digest:
                reason = "the files have changed"
                template = folders.template_text_of(base_folder)
                is_own = bool(recorded.decoding.chat_template)  # the model's, not the base's
                if recorded.template and template != recorded.template and not is_own:
                    difference = folders.rendering_difference(template, recorded.template)
                    reason = f"its chat template has changed, {difference}"
                what = f"its base in {base_folder} is not the one it was trained on"
                raise ValueError(f"{what}: {reason}")
        else:
            folders.read_config(folder)
            recorded, base_folder = folders.read_metadata(folder), folder
        values = {k: _query_value(v) for k, v in parse_qsl(query)}
        if "chat_template" in values:
            values["chat_template"] = pin_template(str(values["chat_template"]), root)
        decoding = parse_settings(Decoding, recorded.decoding.model_dump() | values)
        same = decoding.chat_template and decoding.chat_template == recorded.decoding.chat_template
        named = decoding.model_dump() | ({"chat_template": ""} if same else {})
        options = template_options(named, root)
        if same:  # the model brings the template that it was trained with
            options = replace(options, text=recorded.template)
        return LocalModel(f"folder:{path}", base_folder, tuned, decoding, options, root)
    except ValueError as error:
        raise ModelUnknown(f"folder:{path}: {error}") from None
