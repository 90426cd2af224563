"""What was trained elsewhere, held against the run that it is said to be of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.template import TemplateError

from . import adapter, base, rendering, shape, template
from .config import Settings
from .exported import ExportManifest

ADAPTER_WEIGHTS = "adapter_model.safetensors"
_LORA_SUFFIXES = (".lora_A.weight", ".lora_B.weight")


@dataclass(frozen=True, slots=True)
class ExternalModel:
    """A folder with a model of somebody else's making, and the base it must stand on."""

    folder: Path
    settings: Settings
    root: Path  # the base's folder, here
    manifest: ExportManifest  # what an export of the run says

    @property
    def files(self) -> list[Path]:
        """The files that make the model: of an adapter two, of a whole model weights and config."""
        if self.settings.method != "full":
            return [self.folder / "adapter_config.json", self.folder / ADAPTER_WEIGHTS]
        index = "model.safetensors.index.json"
        existing = [p for p in (self.folder / "config.json", self.folder / index) if p.is_file()]
        return existing + sorted(self.folder.glob("*.safetensors"))

    def problems(self, same_base: bool) -> Iterator[str]:
        """Yield why this cannot be the run's model; with `same_base` its base's name is right."""
        if missing := self._missing_files():
            yield missing
            return
        if self.settings.method == "full":
            yield from _config_problems(self.folder, self.root)
        else:
            config = json.loads((self.folder / "adapter_config.json").read_bytes())
            yield from self._base_problems(str(config.get("base_model_name_or_path")), same_base)
            yield from _setting_problems(config, self.settings)
            yield from _tensor_problems(
                self.folder / ADAPTER_WEIGHTS, shape.read_architecture(self.root).linear_layers
            )
        yield from self._template_problems()

    def _missing_files(self) -> str:
        is_adapter = adapter.is_adapter(self.folder)
        if self.settings.method == "full" and not list(self.folder.glob("*.safetensors")):
            return f"{self.folder} holds no weights (*.safetensors), and the run trains all of them"
        if self.settings.method == "full" or (
            is_adapter and (self.folder / ADAPTER_WEIGHTS).is_file()
        ):
            return ""
        missing = ADAPTER_WEIGHTS if is_adapter else "adapter_config.json"
        subfolders = sorted(p.parent.name for p in self.folder.glob("*/adapter_config.json"))
        hint = f"; there is one in {', '.join(subfolders)}" if subfolders else ""
        return f"{self.folder} holds no adapter: {missing} is missing{hint}"

    def _base_problems(self, base_name: str, same_base: bool) -> Iterator[str]:
        if same_base or base_name in (self.settings.base, self.manifest.base_model):
            return
        try:
            base_folder = base.locate_base(base_name, self.folder, Path.cwd())
        except ValueError:
            yield (
                f"it was trained on {base_name!r}, which is not here, and the run is on "
                f"{self.settings.base!r}; if that is the same model, say --same-base"
            )
            return
        if base.base_digest(base_folder) != self.manifest.base_digest:
            yield f"it was trained on {base_name!r}, the run is on another base: {self.settings.base!r}"

    def _template_problems(self) -> Iterator[str]:
        """Trainers save the tokenizer with the model: its template must be the base's."""
        if not rendering.template_text_of(self.folder):
            return
        try:
            rendered_here = rendering.render_probe(template.load_template(self.folder))
        except TemplateError:
            return
        rendered_base = rendering.render_probe(template.load_template(self.root))
        if rendered_here != rendered_base:
            yield (
                "it was trained with another chat template than the base's: "
                f"{rendering.rendering_difference(rendered_here, rendered_base)}"
            )


def _setting_problems(config: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    expected = {"peft_type": "LORA", "r": settings.r, "lora_alpha": settings.alpha}
    for key, value in expected.items():
        if config.get(key) != value:
            yield f"adapter_config.json: {key} is {config.get(key)!r}, the run's is {value!r}"


def _tensor_problems(path: Path, layers: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Yield the first tensor that has no place in the base, or holds what is no number."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            if not name.endswith(_LORA_SUFFIXES):
                continue
            layer = name.removeprefix("base_model.model.").rpartition(".lora_")[0]
            side = 0 if name.endswith(_LORA_SUFFIXES[0]) else 1
            tensor = file.get_tensor(name)
            if layer not in layers or tensor.shape[1 - side] != layers[layer][side]:
                yield f"{path.name}: {name} has no place in the base"
                return
            if not bool(torch.isfinite(tensor).all()):
                yield f"{path.name}: {name} holds what is no number"
                return


def _config_problems(folder: Path, root: Path) -> Iterator[str]:
    base_config, model_config = base.read_config(root), base.read_config(folder)
    for key in ("model_type", "hidden_size", "num_hidden_layers", "vocab_size"):
        if base_config.get(key) != model_config.get(key):
            yield f"config.json: {key} is {model_config.get(key)!r}, the base's is {base_config.get(key)!r}"
