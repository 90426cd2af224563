"""Collects the trainers and models that plugins and conftests add."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .. import interfaces
from .builtin_models import FileModel, open_function
from .model import Model
from .trainer import Trainer

ModelOpener = Callable[[str, Path], Model]


@dataclass
class Installed:
    """The trainers by name, and what opens a model by the scheme of its spec."""

    trainers: dict[str, type[Trainer]] = field(default_factory=dict)
    openers: dict[str, ModelOpener] = field(default_factory=dict)


def load_installed(manager: pytest.PytestPluginManager) -> Installed:
    """Load the `tunegate` entry points, and call the two hooks of every plugin."""
    if not hasattr(manager.hook, "pytest_tunegate_trainers"):
        manager.add_hookspecs(interfaces)
    manager.load_setuptools_entrypoints("tunegate")
    installed = Installed(openers={"file": FileModel, "python": open_function})
    manager.hook.pytest_tunegate_trainers(
        register=lambda trainer: installed.trainers.__setitem__(trainer.name, trainer)
    )
    manager.hook.pytest_tunegate_models(register=installed.openers.__setitem__)
    return installed


def project_plugin_files(manager: pytest.PytestPluginManager) -> list[Path]:
    """Return the files of plugins of no distribution, which a training's process loads by path."""
    callers = (manager.hook.pytest_tunegate_trainers, manager.hook.pytest_tunegate_models)
    files = {inspect.getfile(i.function) for caller in callers for i in caller.get_hookimpls()}
    installed = {getattr(plugin, "__file__", None) for plugin, _ in manager.list_plugin_distinfo()}
    return sorted(Path(f).resolve() for f in files - installed)


def load_files(files: Iterable[Path]) -> Installed:
    """Import these plugin files and collect what is installed, as pytest did in the parent."""
    manager = pytest.PytestPluginManager()
    manager.add_hookspecs(interfaces)
    for file in files:
        sys.path.insert(0, str(file.parent))
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        spec.loader.exec_module(module)
        manager.register(module, str(file))
    return load_installed(manager)
