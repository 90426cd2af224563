"""Say what is installed, how the project stands, what it runs on.

Nothing is sent anywhere. The home folder and personal data are masked, keys are not shown: the text
can go into a bug report. Exit status 1: something must be put right.

$ tunegate doctor
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..config.data_files import find_data_files
from ..config.project import find_root, read_table
from ..config.schema import Config, load
from ..config.suite_files import older_than_installed
from ..errors import ConfigError
from ..storage.registry import Registry, RegistryBroken
from ..storage.state_dir import RunNotFound, StateDir, find_finished
from ..utils import masking
from ..utils.masking import HIDDEN, add_json_option, hide_values, is_secret, print_result
from ..utils.optional_deps import install_command
from ..utils.text import counted

# What it is about, a sentence that begins with PROBLEM for one, and its values for scripts.
Facts = Iterator[tuple[str, str, dict[str, Any]]]
PROBLEM, arguments = "PROBLEM: ", add_json_option


def run(args: argparse.Namespace) -> int:
    """Print a line for each fact; return 1 where one is a problem."""
    facts = [
        {"about": about, "problem": text.startswith(PROBLEM), "text": text, **values}
        for about, text, values in (*installed_lines(), *project_lines(), *machine_lines())
    ]
    facts, ok = hide_values(facts, lambda text, _: mask(text)), not any(f["problem"] for f in facts)
    wrap = partial(textwrap.fill, width=80, subsequent_indent=" " * 11)
    lines = (wrap(f["text"], initial_indent=f"{f['about']:<10} ") for f in facts)
    print_result(args.json, {"ok": ok, "facts": facts}, lines)
    return int(not ok)


def mask(text: str) -> str:
    """Return a text without the home folder, and without words that hold personal data or keys."""
    text = text.replace(str(Path.home()), "~")
    for private in sorted(masking.find_private(text), key=lambda found: -found.start):
        end = next((n for n in range(private.start, len(text)) if text[n].isspace()), len(text))
        text = f"{text[: private.start]}<{private.kind}>{text[end:]}"
    return text


def installed_lines() -> Facts:
    """Yield the versions of the core's libraries, and of each extra, or what installs it."""
    from packaging.requirements import Requirement

    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    yield "tunegate", f"{__version__}, Python {python}, {system}", {"version": __version__}
    distribution = metadata.distribution("tunegate")
    requirements = [Requirement(text) for text in distribution.requires or ()]
    extras = distribution.metadata.get_all("Provides-Extra") or []
    for extra in ("", *sorted(set(extras) - {"dev"})):
        present, absent = dict[str, str](), []
        for requirement in requirements:
            marker, name = requirement.marker, requirement.name
            in_core = marker is None or marker.evaluate({"extra": ""})
            is_wanted = marker is None or marker.evaluate({"extra": extra})
            if name == "tunegate" or not is_wanted or in_core != (not extra):
                continue
            try:
                version = metadata.version(name)
            except metadata.PackageNotFoundError:
                absent.append(name)
                continue
            present[name] = version
            if not requirement.specifier.contains(version, prereleases=True):
                absent.append(f"{name}{requirement.specifier} (it is {version})")
        command = install_command(extra) if extra else "pip install --upgrade tunegate"
        packages = {"packages": present, "missing": absent}
        if absent and not extra:
            yield "core", f"{PROBLEM}{', '.join(absent)} is needed: {command}", packages
        elif absent:
            yield extra, f"without {', '.join(absent)}: {command}", packages
        elif present:
            yield extra or "core", ", ".join(map(" ".join, present.items())), packages


def project_lines() -> Facts:
    """Yield how configuration, data, suites, runs and registry of the project stand."""
    try:
        if (root := find_root(Path.cwd())) is None:
            yield "project", "none here or above: tunegate init", {"path": None}
            return
        config, (path, table) = load(root), read_table(root)
        yield "project", f"{path}, task {config.task}", {"path": str(path), "task": config.task}
        for setting in settings(table, Config().model_dump()):
            yield "set", f"{setting} ({path.name})", {}
        yield "set", "all other settings: their defaults", {}
    except ConfigError as error:
        yield "project", f"{PROBLEM}{error}", {}
        return
    try:
        for split, path in find_data_files(config, root, {}, root).paths.items():
            shown = str(path.relative_to(root) if root in path.parents else path)
            size = path.stat().st_size
            values = {"split": split, "path": shown, "bytes": size}
            yield "data", f"{split}: {shown}, {size:,} bytes", values
    except ConfigError as error:
        yield "data", f"{PROBLEM}{error}", {}
    if not (root / config.suites.data).is_dir():
        yield "suites", f"{PROBLEM}no folder {config.suites.data}: tunegate init", {}
    elif older := older_than_installed(root):
        yield "suites", older, {}
    try:
        latest = find_finished(StateDir(root), "latest")
        values = {"run": latest.id, "made": latest.age[0].isoformat()}
        yield "latest", f"run:{latest.id}, made {latest.age[0]:%Y-%m-%d %H:%M}", values
    except RunNotFound:
        yield "latest", "no run is finished yet", {"run": None}
    try:
        for alias, standing in sorted(Registry(root).history().last.items()):
            if entry := standing.entry:
                values = {"alias": alias, "run": entry["run"], "when": entry["when"]}
                yield "alias", f"{alias} is run:{entry['run']}, since {entry['when'][:10]}", values
            if standing.contenders:
                moved = f"two branches moved {alias}: tunegate registry merge --keep"
                yield "alias", f"{PROBLEM}{moved}", {"alias": alias}
    except RegistryBroken as error:
        yield "alias", f"{PROBLEM}{error}", {}


def settings(
    table: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    """Yield each setting of a table, beside its default where it is another."""
    for key, value in table.items():
        default = defaults.get(key)
        if isinstance(value, Mapping):  # the default of `label` is a text
            of_table = default if isinstance(default, Mapping) else {}
            yield from settings(value, of_table, f"{prefix}{key}.")
        else:
            other = "" if default is None or default == value else f", not {default}"
            # The name of a section, such as [tokens], says nothing.
            secret = any(is_secret(part, value) for part in f"{prefix}{key}".split(".")[1:])
            shown = HIDDEN if secret else json.dumps(value, default=str)
            yield f"{prefix}{key} = {shown}{other}"


def machine_lines() -> Facts:
    """Yield the processors, the GPUs that the driver lists, the free space, and the keys set."""
    yield "cpu", counted(os.cpu_count() or 1, "processor"), {"processors": os.cpu_count() or 1}
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
        for line in asked.stdout.splitlines() or asked.stderr.splitlines() or ["none"]:
            yield "gpu", f"{PROBLEM}nvidia-smi fails: {line}" if asked.returncode else line, {}
    except FileNotFoundError:
        yield "gpu", "none: there is no nvidia-smi", {}
    except subprocess.TimeoutExpired:
        yield "gpu", f"{PROBLEM}nvidia-smi does not answer", {}
    usage = shutil.disk_usage(Path.cwd())
    values = {"free_bytes": usage.free, "total_bytes": usage.total}
    yield "disk", f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f} GB here", values
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        yield "key", f"{name} is {'set' if os.environ.get(name) else 'not set'}", {}
