"""`tunegate demo`: the project it makes; that it runs whole, tests/test_newcomer.py shows."""

import runpy
from pathlib import Path

import pytest

from tunegate.cli.init import EXAMPLES
from tunegate.cli.main import main
from tunegate.config.schema import load
from tunegate.errors import ConfigError

ROOT = Path(__file__).parents[1]
DEMO = runpy.run_path(str(EXAMPLES / "demo.py"))
FILES, make_project = DEMO["FILES"], DEMO["make_project"]


def test_a_project_is_made_once_and_is_the_repositorys_own_demo(tmp_path: Path) -> None:
    root = tmp_path / "new" / "demo"
    config = make_project(root)
    ours = load(ROOT).model_dump_json().replace("examples/triage/", "")
    assert config.model_dump_json() == ours
    assert (root / "suites" / "data").is_dir()
    assert (root / "base" / "model.safetensors").is_file()
    assert [path.name for path in root.parent.iterdir()] == ["demo"]

    (root / "data" / "train.jsonl").write_text("edited")  # as the demo says to try
    assert make_project(root) == config
    assert (root / "data" / "train.jsonl").read_text() == "edited"


@pytest.mark.parametrize("name", ["tunegate.toml", "notes.txt"])
def test_a_folder_of_anything_else_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(ConfigError, match="is not the demo's"):
        make_project(tmp_path)
    assert main(["demo", str(tmp_path)]) == 2
    assert "name a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_simple_methods_have_the_figures_of_the_readme() -> None:
    files = (FILES / "data" / f"{split}.jsonl" for split in ("train", "test"))
    train, test = map(DEMO["tickets"], files)
    assert DEMO["majority_hits"](train, test) == 80
    assert DEMO["linear_hits"](train, test) == 428
    readme = (FILES / "README.md").read_text("utf-8")
    assert f"| majority class | {80 / 480:.1%}".replace("%", " %") in readme
    assert f"logistic regression | {428 / 480:.1%}".replace("%", " %") in readme
