"""Copy the suites and a commented configuration into a project.

With --update, bring copied suites to the installed version: files that nobody edited are replaced,
new ones are added, and of an edited one the difference is shown. With --git-merge-driver, git joins
the registries of two branches that both promoted.

$ tunegate init
$ tunegate init --update
"""

import argparse
import difflib
import subprocess
from dataclasses import replace
from pathlib import Path

from ..config import suite_files
from ..config.project import find_root
from ..config.schema import load
from ..data import SPLITS
from ..errors import ConfigError
from ..utils.atomic import atomic_write

CONFIG_TEMPLATE = Path(__file__).with_name("template.toml")
# Where two branches both promoted, git calls `tunegate registry merge` with these.
GIT_ATTRIBUTE = "registry.jsonl merge=tunegate"
GIT_SETTINGS = {
    "merge.tunegate.name": "the registry of tunegate",
    "merge.tunegate.driver": "tunegate registry merge %A %B %O %P",
}


def create_project(folder: Path) -> list[str]:
    """Copy suites and configuration into a project, if absent; return a line for each file."""
    lines, current, installed = [], {}, suite_files.shipped_manifest()
    version, manifest = suite_files.project_version(folder), suite_files.read_manifest(folder)
    for path in installed.files:
        target = folder / "suites" / path
        lines.append(_file_line(folder, target, target.exists()))
        if not target.exists():
            atomic_write(target, (suite_files.SHIPPED_SUITES / path).read_bytes())
        if suite_files.file_digest(target.read_bytes()) == installed.files[path]:
            current[path] = installed.files[path]
    # What was copied before keeps its version, until --update.
    base = version if version and current != installed.files else installed
    if not suite_files.holds_shipped_suites(folder):
        replace(base, files={**(manifest.files if manifest else {}), **current}).write(folder)
    config, existed = folder / "tunegate.toml", find_root(folder) == folder
    if not existed:
        atomic_write(config, CONFIG_TEMPLATE.read_bytes())
    elif not config.is_file():
        config = folder / "pyproject.toml"
    return [*lines, _file_line(folder, config, existed)]


def next_step(folder: Path) -> str:
    """Return what to do after `init`: to name the data, where what is configured is not there."""
    data = load(folder).data
    named = [path for split in SPLITS if (path := getattr(data, split))]
    lacking = [path for path in named if not (folder / path).exists()]
    if named and not lacking:
        return "next   pytest suites/data"
    said = f" ({', '.join(lacking)}: not there)" if lacking else ""
    return f"next   write the paths of your data into tunegate.toml{said}, then: pytest suites/data"


def _file_line(folder: Path, path: Path, existed: bool) -> str:
    return f"{'kept' if existed else 'wrote':<6} {path.relative_to(folder)}"


def update_suites(root: Path) -> list[str]:
    """Bring the suites of a project to the installed version; return the lines to print.

    The manifest is written last, so an interrupted update is taken up by the next one. A file that
    was edited keeps the digest it was copied with: its difference is shown until it has none.
    """
    if suite_files.holds_shipped_suites(root):
        raise ConfigError(f"{root / 'suites'} holds the installed suites themselves")
    installed = suite_files.shipped_manifest()
    known = suite_files.known_digests(root, suite_files.read_manifest(root))
    lines, diffs, files, unchanged = [], [], {}, 0
    for path in installed.files:
        data = (suite_files.SHIPPED_SUITES / path).read_bytes()
        target, name = root / "suites" / path, f"suites/{path}"
        digests, files[path] = known.get(path, set()), installed.files[path]
        digest = suite_files.file_digest(target.read_bytes()) if target.exists() else ""
        if digest == installed.files[path]:
            unchanged += 1
        elif not digest and path in known:
            lines.append(f"removed  {name}: by you; `tunegate init` writes it again")
        elif not digest or digest in digests:
            atomic_write(target, data)
            lines.append(f"{'updated' if digest else 'added':<8} {name}")
        elif digests == {installed.files[path]}:
            lines.append(f"edited   {name}: by you, and the installed one is not newer")
        else:
            files[path] = min(digests) if len(digests) == 1 else ""
            lines.append(f"edited   {name}: by you, it stays; the installed one differs, see below")
            mine, theirs = (
                content.decode("utf-8", "replace").splitlines()
                for content in (target.read_bytes(), data)
            )
            patch = difflib.unified_diff(mine, theirs, f"a/{name}", f"b/{name}", lineterm="")
            diffs += ["", *patch]
    for path in sorted(known.keys() - installed.files.keys()):
        if (root / "suites" / path).exists():
            files[path] = min(known[path])
            lines.append(f"retired  suites/{path}: no longer shipped; remove it, or keep it")
    replace(installed, files=files).write(root)
    lines.append(f"same     {unchanged} of {len(installed.files)} files")
    if diffs:
        diffs += ["", "next     take over what you want of the difference; an edited file is yours"]
    return [*lines, *diffs]


def has_merge_driver(folder: Path) -> bool:
    """Return whether `.gitattributes` of a project names the merge driver."""
    path = folder / ".gitattributes"
    return path.is_file() and GIT_ATTRIBUTE in path.read_text("utf-8").splitlines()


def set_merge_driver(folder: Path) -> list[str]:
    """Name the merge driver in `.gitattributes`, and set it in this clone; raises ConfigError."""
    path, lines = folder / ".gitattributes", []
    for name, value in GIT_SETTINGS.items():
        command = ["git", "-C", str(folder), "config", "--local", name, value]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip()
            raise ConfigError(f"the merge driver is not set: {said}") from None
        lines.append(f"set    git config {name}")
    existed = has_merge_driver(folder)
    if not existed:
        before = path.read_text("utf-8") if path.is_file() else ""
        before += "\n" if before and not before.endswith("\n") else ""
        atomic_write(path, f"{before}{GIT_ATTRIBUTE}\n".encode())
    return [*lines, _file_line(folder, path, existed)]


def merge_driver_offer(folder: Path) -> list[str]:
    """Return the commands that set the merge driver; none outside of git, or where it is named."""
    in_git = any((above / ".git").exists() for above in (folder, *folder.parents))
    if not in_git or has_merge_driver(folder):
        return []
    return [
        "",
        "git    joins the registries of two branches after `tunegate init --git-merge-driver`, or:",
        f'       echo "{GIT_ATTRIBUTE}" >> .gitattributes',
        *(f'       git config {name} "{value}"' for name, value in GIT_SETTINGS.items()),
    ]


def arguments(parser: argparse.ArgumentParser) -> None:
    add, here = parser.add_argument, "default: the working directory"
    add("folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help=here)
    add("--update", action="store_true", help="bring copied suites up to the installed version")
    clone = "let git join registry.jsonl, in this clone"
    add("--git-merge-driver", action="store_true", help=clone)


def run(args: argparse.Namespace) -> None:
    """Copy what is missing, or update the suites, and print what became of each file."""
    folder: Path = args.folder.resolve()
    if args.update:
        if (root := find_root(folder)) is None:
            raise ConfigError(f"{folder} is in no project; `tunegate init` makes one")
        print("\n".join(update_suites(root)))
        return
    if args.git_merge_driver:
        print("\n".join(set_merge_driver(find_root(folder) or folder)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    print("\n".join([*create_project(folder), *merge_driver_offer(folder)]))
    print(f"\n{next_step(folder)}")
