"""What was trained elsewhere, held against the run that it is said to be of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.template import Unrendered

from . import adapter, base, rendering, shape, template
from .config import Settings
from .exported import Export

WEIGHTS = "adapter_model.safetensors"
_LORA = (".lora_A.weight", ".lora_B.weight")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A folder with a model of somebody else's making, and the base it must stand on."""

    folder: Path
    settings: Settings
    root: Path  # the base's folder, here
    told: Export  # what an export of the run says

    @property
    def files(self) -> list[Path]:
        """The files that make the model: of an adapter two, of a whole model weights and config."""
        if self.settings.method != "full":
            return [self.folder / "adapter_config.json", self.folder / WEIGHTS]
        index = "model.safetensors.index.json"
        found = [p for p in (self.folder / "config.json", self.folder / index) if p.is_file()]
        return found + sorted(self.folder.glob("*.safetensors"))

    def faults(self, same_base: bool) -> Iterator[str]:
        """Yield why this cannot be the run's model; with `same_base` its base's name is right."""
        if lacking := self._lacking():
            yield lacking
            return
        if self.settings.method == "full":
            yield from _unlike(self.folder, self.root)
        else:
            config = json.loads((self.folder / "adapter_config.json").read_bytes())
            yield from self._base(str(config.get("base_model_name_or_path")), same_base)
            yield from _settings(config, self.settings)
            yield from _misfits(self.folder / WEIGHTS, shape.outline(self.root).linear)
        yield from self._template()

    def _lacking(self) -> str:
        there = adapter.is_adapter(self.folder)
        if self.settings.method == "full" and not list(self.folder.glob("*.safetensors")):
            return f"{self.folder} holds no weights (*.safetensors), and the run trains all of them"
        if self.settings.method == "full" or (there and (self.folder / WEIGHTS).is_file()):
            return ""
        missing = WEIGHTS if there else "adapter_config.json"
        near = sorted(p.parent.name for p in self.folder.glob("*/adapter_config.json"))
        hint = f"; there is one in {', '.join(near)}" if near else ""
        return f"{self.folder} holds no adapter: {missing} is missing{hint}"

    def _base(self, named: str, same_base: bool) -> Iterator[str]:
        if same_base or named in (self.settings.base, self.told.base_model):
            return
        try:
            here = base.locate(named, self.folder, Path.cwd())
        except ValueError:
            yield (
                f"it was trained on {named!r}, which is not here, and the run is on "
                f"{self.settings.base!r}; if that is the same model, say --same-base"
            )
            return
        if base.digest(here) != self.told.base_digest:
            yield f"it was trained on {named!r}, the run is on another base: {self.settings.base!r}"

    def _template(self) -> Iterator[str]:
        """Trainers save the tokenizer with the model: its template must be the base's."""
        if not rendering.text(self.folder):
            return
        try:
            theirs = rendering.rendered(template.load(self.folder))
        except Unrendered:
            return
        ours = rendering.rendered(template.load(self.root))
        if theirs != ours:
            yield (
                "it was trained with another chat template than the base's: "
                f"{rendering.difference(theirs, ours)}"
            )


def _settings(config: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    wanted = {"peft_type": "LORA", "r": settings.r, "lora_alpha": settings.alpha}
    for key, value in wanted.items():
        if config.get(key) != value:
            yield f"adapter_config.json: {key} is {config.get(key)!r}, the run's is {value!r}"


def _misfits(path: Path, layers: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Yield the first tensor that has no place in the base, or holds what is no number."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            if not name.endswith(_LORA):
                continue
            layer = name.removeprefix("base_model.model.").rpartition(".lora_")[0]
            side = 0 if name.endswith(_LORA[0]) else 1
            tensor = file.get_tensor(name)
            if layer not in layers or tensor.shape[1 - side] != layers[layer][side]:
                yield f"{path.name}: {name} has no place in the base"
                return
            if not bool(torch.isfinite(tensor).all()):
                yield f"{path.name}: {name} holds what is no number"
                return


def _unlike(folder: Path, root: Path) -> Iterator[str]:
    ours, theirs = base.config(root), base.config(folder)
    for key in ("model_type", "hidden_size", "num_hidden_layers", "vocab_size"):
        if ours.get(key) != theirs.get(key):
            yield f"config.json: {key} is {theirs.get(key)!r}, the base's is {ours.get(key)!r}"
