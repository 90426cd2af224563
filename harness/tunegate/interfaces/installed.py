"""Trainers and models that plugins and conftests have added, in this process or in its child."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from . import builtin_models, hookspecs
from .model import Model
from .trainer import Trainer

ModelOpener = Callable[[str, Path], Model]


@dataclass
class Installed:
    """What the hooks have registered."""

    trainers: dict[str, type[Trainer]] = field(default_factory=dict)
    openers: dict[str, ModelOpener] = field(default_factory=dict)


def load_installed(manager: pytest.PytestPluginManager) -> Installed:
    """Load the `tunegate` entry points and ask every plugin for what it adds."""
    if not hasattr(manager.hook, "pytest_tunegate_trainers"):
        manager.add_hookspecs(hookspecs)
    manager.load_setuptools_entrypoints("tunegate")
    extensions = Installed(
        openers={"file": builtin_models.open_file, "python": builtin_models.open_function}
    )
    manager.hook.pytest_tunegate_trainers(
        register=lambda trainer: extensions.trainers.__setitem__(trainer.name, trainer)
    )
    manager.hook.pytest_tunegate_models(register=extensions.openers.__setitem__)
    return extensions


def project_plugin_files(manager: pytest.PytestPluginManager) -> list[Path]:
    """Return the files of the plugins that add something and stand in no distribution.

    A training runs in a child process, which has no conftests: it loads these by path.
    """
    callers = (manager.hook.pytest_tunegate_trainers, manager.hook.pytest_tunegate_models)
    files = {inspect.getfile(i.function) for caller in callers for i in caller.get_hookimpls()}
    installed = {getattr(plugin, "__file__", None) for plugin, _ in manager.list_plugin_distinfo()}
    return sorted(Path(f).resolve() for f in files - installed)


def load_files(files: Iterable[Path]) -> Installed:
    """Do in a child process what pytest did in its parent."""
    manager = pytest.PytestPluginManager()
    manager.add_hookspecs(hookspecs)
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
