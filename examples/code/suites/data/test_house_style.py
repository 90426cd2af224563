"""The rows are in the house style, and the compiler accepts them, where npx finds one."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from house_style import faults

from tunegate import Dataset, Finding, check

TSC = ("npx", "--no-install", "tsc")


@check(name="house.style")
def style(dataset: Dataset) -> Iterator[Finding]:
    """Yield each fault of a reply."""
    for example in dataset:
        for kind, evidence in faults(example.reply):
            yield example.finding(kind, evidence)


@check(name="house.types")
def types(dataset: Dataset) -> Iterator[Finding]:
    """Yield each reply that the TypeScript compiler refuses, each being a module of its own."""
    npx = shutil.which("npx")
    if not npx or subprocess.run([*TSC, "--version"], capture_output=True, check=False).returncode:
        yield Finding.dataset_hint("not compiled", "no tsc here: npm install --save-dev typescript")
        return
    with TemporaryDirectory(dir=".", prefix=".tsc-") as folder:
        for row, example in enumerate(dataset):
            (Path(folder) / f"row{row}.ts").write_text(example.reply, "utf-8")
        options = ("--noEmit", "--strict", "--target", "es2022")
        command = [*TSC, *options, *map(str, Path(folder).iterdir())]
        printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for row, error in re.findall(r"row(\d+)\.ts\(.*?\): (.*)", printed):
        yield dataset[int(row)].finding("types", error)


def test_house_style(dataset: Dataset) -> None:
    """A model learns each exception that the rows make."""
    assert not style(dataset)


def test_types(dataset: Dataset) -> None:
    """Each reply stands alone under `tsc --strict`; without a compiler a hint says so."""
    assert not types(dataset)
