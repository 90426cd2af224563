"""The example projects: `init --example` copies them, and their data suites pass as copied."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import forking
import pytest
from readmes import ROOT

from tunegate import Dataset
from tunegate.cli.init import EXAMPLE_NAMES, EXAMPLES
from tunegate.cli.main import main
from tunegate.config.schema import load

Out = pytest.CaptureFixture[str]
SPLITS = ("train", "validation", "test")
LARGEST = 200_000  # bytes of a data file, but for those of the demo


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_a_project_is_copied_whole(name: str, tmp_path: Path, capsys: Out) -> None:
    root = tmp_path / "new"
    assert main(["init", "--example", name, str(root)]) == 0
    out = capsys.readouterr().out
    assert "wrote  tunegate.toml\n" in out
    assert "kept" not in out
    assert out.endswith("\nnext   pytest suites/data\n")
    config = load(root)
    for split in SPLITS:
        rows = Dataset.read(root / str(getattr(config.data, split)), split)
        assert len(rows)
        assert not rows.problems
    assert "report*.html" in (root / ".gitignore").read_text()
    assert (root / "suites" / "data" / "test_format.py").is_file()
    assert (root / "README.md").is_file()
    assert not [p for p in root.rglob("*") if p.name in ("project.toml", "__pycache__")]


def test_nothing_is_written_where_something_stands(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".venv").mkdir()
    assert main(["init", "--example", "pt", str(tmp_path)]) == 2
    assert f"{tmp_path} holds README.md: name a new folder" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == [".venv", "README.md"]
    (tmp_path / "README.md").unlink()
    (tmp_path / "pyproject.toml").write_text("[tool.tunegate]\n")
    assert main(["init", "--example", "pt", str(tmp_path)]) == 2
    assert "holds a configuration" in capsys.readouterr().err
    assert main(["init", "--example", "pt", "--task", "qa", str(tmp_path / "new")]) == 2
    assert "leave out --task and --data" in capsys.readouterr().err
    (tmp_path / "pyproject.toml").unlink()
    assert main(["init", "--example", "pt", str(tmp_path)]) == 0  # beside an environment


@pytest.mark.parametrize("name", ["code", "pt"])
def test_its_generator_makes_the_same_bytes_again(name: str, tmp_path: Path) -> None:
    made = shutil.copytree(EXAMPLES / name, tmp_path / name)
    shutil.rmtree(made / "data")
    status, out = forking.run_python(["generate.py"], made, {})
    assert status == 0, out
    for split in SPLITS:
        kept = (EXAMPLES / name / "data" / f"{split}.jsonl").read_bytes()
        assert (made / "data" / f"{split}.jsonl").read_bytes() == kept, split
        assert len(kept) < LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_its_data_suite_passes(name: str, tmp_path: Path) -> None:
    assert main(["init", "--example", name, str(tmp_path)]) == 0
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    status, out = forking.run_python(["-m", "pytest", "suites/data", "-q"], tmp_path, env)
    assert status == 0, out


class TestHouseStyle:
    """The checks of the TypeScript example, on rows with faults."""

    @pytest.fixture
    def checks(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        suites = EXAMPLES / "code" / "suites"
        monkeypatch.syspath_prepend(suites)
        path = suites / "data" / "test_house_style.py"
        spec = importlib.util.spec_from_file_location("example_house_style", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
        yield module
        sys.modules.pop("house_style")

    def test_each_rule_finds_its_fault(self, checks: Any) -> None:
        replies = {
            "throws": "export function f(): number {\n  throw new Error();\n}",
            "any": "export const f = (x: any): number => 1;",
            "default export": "export default function f(): number {\n  return 1;\n}",
            "console": "export function f(): void {\n  console.log(1);\n}",
            "no Result": "export const f = () => ({ ok: false, error: '' });",
            "": '// never throw any\nexport const f = (): string => `any` + "console.";',
        }
        rows = [{"prompt": kind, "completion": code} for kind, code in replies.items()]
        found = checks.style(Dataset.of(rows, "train"), advisory=True)
        assert [(rows[f.row]["prompt"], f.kind) for f in found] == [(k, k) for k in replies if k]

    def test_its_own_rows_keep_them(self, checks: Any) -> None:
        for split in SPLITS:
            rows = Dataset.read(EXAMPLES / "code" / "data" / f"{split}.jsonl", split)
            assert not checks.style(rows, advisory=True)

    def test_a_compiler_is_asked_where_there_is_one(
        self, checks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        rows = Dataset.of([{"prompt": str(i), "completion": f"const a{i}"} for i in range(3)])
        monkeypatch.setenv("PATH", str(tmp_path))
        assert [f.kind for f in checks.types(rows, advisory=True).hints] == ["not compiled"]
        npx = tmp_path / "npx"
        npx.write_text("#!/bin/sh\nfor last; do :; done\necho \"$last(1,7): error TS1: no 'a'\"\n")
        npx.chmod(0o755)
        (found,) = checks.types(rows, advisory=True)
        assert (found.kind, found.evidence) == ("types", "error TS1: no 'a'")
        assert [p.name for p in tmp_path.iterdir()] == ["npx"]


def test_the_rubric_of_an_example_is_one() -> None:
    from tunegate_checks.judge.rubric import load_rubric

    assert load_rubric(EXAMPLES / "code" / "suites" / "model" / "house.toml").name == "house style"


def test_the_readmes_say_how_many_rows_there_are() -> None:
    for name in ("code", "pt"):
        readme = (ROOT / "examples" / name / "README.md").read_text("utf-8")
        for split in SPLITS:
            lines = (EXAMPLES / name / "data" / f"{split}.jsonl").read_bytes().splitlines()
            assert f"{len(lines)} " in readme, (name, split)
            assert json.loads(lines[0])["messages"]
