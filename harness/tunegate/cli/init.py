"""Copy the suites and a commented configuration into a project.

On a terminal it asks for task and data. --update replaces suite files that nobody edited, adds new
ones, and shows the difference of edited ones.

$ tunegate init --task extraction --data data/
$ tunegate init --example pt chamados
"""

import argparse
import difflib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from ..config import suite_files
from ..config.project import find_root
from ..config.schema import Task, load
from ..data import SPLITS
from ..errors import ConfigError
from ..utils.files import atomic_write
from ..utils.text import did_you_mean, toml_string

CONFIG_TEMPLATE = Path(__file__).with_name("template.toml")
EXAMPLE_CHECK = Path(__file__).with_name("example_check.txt")
# Whole projects, to copy: in the wheel, or in a checkout of the repository.
_IN_WHEEL = Path(__file__).parents[1] / "examples"
EXAMPLES = _IN_WHEEL if _IN_WHEEL.is_dir() else Path(__file__).parents[3] / "examples"
_names: dict[str, Any] = tomllib.loads(Path(__file__).with_name("init.toml").read_text("utf-8"))
EXAMPLE_NAMES, GIT_IGNORED = _names["examples"], _names["git_ignored"]
DATA_SUFFIXES, SPLIT_WORDS = tuple(_names["data_suffixes"]), _names["split_words"]
CI_FILES, GIT_ATTRIBUTE = _names["ci_files"], _names["git"]["attribute"]
GIT_SETTINGS: dict[str, str] = _names["git"]["settings"]
CI_TEMPLATES = Path(__file__).with_name("ci")


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


def copy_example(name: str, folder: Path) -> list[str]:
    """Copy an example without suites, with a line for each entry; ConfigError for what is there."""
    source = EXAMPLES / name
    names = sorted({path.name for path in source.iterdir()} - {"project.toml", "__pycache__"})
    names = ["tunegate.toml", *names]
    if (there := [n for n in names if (folder / n).exists()]) or find_root(folder) == folder:
        found = there[0] if there else "a configuration"
        raise ConfigError(f"{folder} holds {found}: name a new folder for the example")
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(source, folder, ignore=ignored, dirs_exist_ok=True)
    (folder / "project.toml").rename(folder / "tunegate.toml")
    append_missing(folder / ".gitignore", GIT_IGNORED)
    return [_file_line(folder, folder / n, False) for n in names]


def configure(folder: Path, task: str, data: Path | None) -> str:
    """Write task, and the files of a folder that are named so; return the line of what is next."""
    config = folder / "tunegate.toml"
    text = config.read_text("utf-8").replace('task = "classification"', f'task = "{task}"', 1)
    found = sorted(data.iterdir()) if data and data.is_dir() else [data] if data else []
    files = [file for file in found if file.suffix in DATA_SUFFIXES]
    splits: dict[str, Path] = {}
    for split, words in SPLIT_WORDS.items():
        whole = re.compile(rf"(?i)(?<![^\W\d_])(?:{words})(?![^\W\d_])")
        if len(named := [file for file in files if whole.search(file.stem)]) == 1:
            splits[split] = named[0].resolve()
    step, whole_file = "", files[0] if len(files) == 1 else splits.get("train")
    if whole_file and splits.keys() <= {"train"}:
        # Its own folder would hold two files of a name.
        out = "data/split" if whole_file.resolve().parent == folder / "data" else "data"
        splits = {split: folder / out / f"{split}.jsonl" for split in SPLITS}
        step = f"next   tunegate split {shlex.quote(str(whole_file))} -o {out}"
    for split, path in splits.items():
        path = path.relative_to(folder) if path.is_relative_to(folder) else path
        value = toml_string(path.as_posix())
        text = text.replace(f'\n{split} = "data/{split}.jsonl"', f"\n{split} = {value}", 1)
    atomic_write(config, text.encode())
    return step or next_step(folder)


def ask_task_and_data(args: argparse.Namespace) -> None:
    """Ask on the terminal for what no option names; an empty answer takes the default."""
    tasks = get_args(Task)
    while args.task is None:
        answer = input(f"task: {', '.join(tasks)} [{tasks[0]}]? ").strip() or tasks[0]
        if answer not in tasks:
            print(f"no task {answer!r}{did_you_mean(answer, [*tasks])}")
        args.task = answer if answer in tasks else None
    if args.data is None:
        answer = input("your data, a file or a folder [none yet]? ").strip()
        args.data = Path(answer).expanduser() if answer else None


def next_step(folder: Path) -> str:
    """Return what to do after `init`: to name the data, where what is configured is not there."""
    data = load(folder).data
    named = [path for split in SPLITS if (path := getattr(data, split))]
    lacking = [path for path in named if not (folder / path).exists()]
    if named and not lacking:
        return "next   pytest suites/data"
    said = f" ({', '.join(lacking)}: not there)" if lacking else ""
    paths = f"or write the paths of your data into tunegate.toml{said}"
    return f"next   tunegate split FILE -o data; then: pytest suites/data\n       {paths}"


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
    manifest = suite_files.read_manifest(root) or suite_files.SuiteManifest()
    known = {path: {digest} for path, digest in manifest.files.items()}
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


def write_pipeline(folder: Path, service: str) -> list[str]:
    """Write the pipeline of a hosting service, if absent; return the lines to print."""
    path, template = folder / CI_FILES[service], CI_TEMPLATES / f"{service}.yml"
    if existed := path.exists():
        hint = f"next   take over the jobs that you want from {template}"
    else:
        atomic_write(path, template.read_bytes())
        hint = "next   write tunegate and its extras into requirements.txt, pinned; read the file"
    return [_file_line(folder, path, existed), "", hint]


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
    return [*lines, _file_line(folder, path, not append_missing(path, [GIT_ATTRIBUTE]))]


def merge_driver_offer(folder: Path) -> list[str]:
    """Return the commands that set the merge driver; none outside of git, or where it is named."""
    in_git = any((above / ".git").exists() for above in (folder, *folder.parents))
    path = folder / ".gitattributes"
    if not in_git or (path.is_file() and GIT_ATTRIBUTE in path.read_text("utf-8").splitlines()):
        return []
    return [
        "",
        "git    joins the registries of two branches after `tunegate init --git-merge-driver`, or:",
        f'       echo "{GIT_ATTRIBUTE}" >> .gitattributes',
        *(f'       git config {name} "{value}"' for name, value in GIT_SETTINGS.items()),
    ]


def append_missing(path: Path, lines: Sequence[str]) -> list[str]:
    """Append to a file the lines that it does not hold; return these."""
    text = path.read_text("utf-8") if path.is_file() else ""
    if lacking := [line for line in lines if line not in text.splitlines()]:
        text += "\n" if text and not text.endswith("\n") else ""
        atomic_write(path, (text + "\n".join(lacking) + "\n").encode())
    return lacking


def arguments(parser: argparse.ArgumentParser) -> None:
    add, here = parser.add_argument, "default: the working directory"
    add("folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help=here)
    add("--task", choices=get_args(Task), metavar="TASK", help="default: classification")
    add("--data", type=Path, metavar="PATH", help="a file of rows, or a folder of train, val, test")
    whole = "a whole project with data: triage, code or pt"
    add("--example", choices=EXAMPLE_NAMES, metavar="NAME", help=whole)
    jobs = "write the jobs of both gates: github or gitlab"
    add("--ci", choices=CI_FILES, metavar="SERVICE", help=jobs)
    add("--update", action="store_true", help="bring copied suites up to the installed version")
    clone = "let git join the registries of two branches"
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
    if args.ci:
        print("\n".join(write_pipeline(find_root(folder) or folder, args.ci)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    if args.example and (args.task or args.data):
        raise ConfigError("an example has its own task and data: leave out --task and --data")
    copied = copy_example(args.example, folder) if args.example else []
    is_new = find_root(folder) != folder
    if not is_new and (args.task or args.data):
        raise ConfigError(f"{folder} has a configuration: write task and data there")
    if is_new and sys.stdin.isatty() and sys.stdout.isatty():
        ask_task_and_data(args)
    if args.data and not args.data.exists():
        raise ConfigError(f"{args.data} is not there: --data takes a file of rows, or their folder")
    made = create_project(folder)
    made = [*copied, *made[:-1]] if copied else made  # the last is the configuration
    # The files of a suite are counted by folder.
    counts = Counter(re.sub(r"(suites/\w+)/.*", r"\1", line) for line in made)
    lines = [line if n == 1 else f"{line}: {n} files" for line, n in counts.items()]
    if is_new:
        example = folder / "suites" / "data" / "test_my_checks.py"
        if not example.exists():
            atomic_write(example, EXAMPLE_CHECK.read_bytes())
            lines.append(f"wrote  {example.relative_to(folder)}: an example, yours to edit")
        if added := append_missing(folder / ".gitignore", GIT_IGNORED):
            lines.append(f"added  {', '.join(added)} to .gitignore")
        step = configure(folder, args.task or "classification", args.data)
    print("\n".join([*lines, *merge_driver_offer(folder)]))
    print(f"\n{step if is_new else next_step(folder)}")
