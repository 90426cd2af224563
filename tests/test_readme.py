"""What README.md tells a stranger to type works, and README.pt-BR.md tells the same.

The `make` commands run in `.ci/run`; the commands that train run in tests/test_newcomer.py.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import forking
import pytest
from readmes import READMES, ROOT, blocks, commands

sys.path.insert(0, str(ROOT / "tools"))

import pictures


def test_both_readmes_give_the_same_commands_and_code() -> None:
    one, other = ([re.sub(r'--why ".*?"', "", c) for c in commands(r)] for r in READMES)
    assert one == other
    for language in ("python", "json"):
        lengths = [[len(b.splitlines()) for b in blocks(r, language)] for r in READMES]
        assert lengths[0] == lengths[1]


@pytest.mark.parametrize("readme", READMES)
def test_every_link_leads_somewhere(readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_the_code_in_it_runs(readme: str, tmp_path: Path) -> None:
    """The custom check is a test file in a suite; the rest is a script."""
    (tmp_path / "tunegate.toml").write_text('[data]\ntrain = "train.jsonl"\n')
    example = blocks(readme, "json")[0].strip()
    (tmp_path / "train.jsonl").write_text(f"{example}\n" * 3)
    suite = tmp_path / "suites" / "data"
    suite.mkdir(parents=True)
    for code in blocks(readme, "python"):
        if "def test_" in code:
            (suite / "test_custom.py").write_text(code)
            ran = run(["-m", "pytest", "-q", "suites/data"], tmp_path)
            assert "1 passed" in ran
        else:
            run(["-c", code], tmp_path)


def run(args: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *args], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def session(root: Path, arguments: Sequence[str]) -> str:
    """Run pytest as the tool does that writes the samples, in a fork."""
    command = ["-m", "pytest", "-p", "tunegate", "-q", *arguments]
    return forking.run_python(command, root, pictures.environment())[1]


def shown(page: str) -> dict[str, str]:
    """Return the samples of a page, by name."""
    return dict(re.findall(pictures.MARKED, (ROOT / page).read_text("utf-8")))


@pytest.mark.slow
def test_the_samples_are_what_sessions_print(tmp_path: Path) -> None:
    """Where this fails for a change that is wanted: `python tools/pictures.py DEMO`."""
    made = dict(pictures.samples(tmp_path, session))
    for page in pictures.PAGES:
        assert shown(page)
        assert shown(page) == {name: made.get(name, text) for name, text in shown(page).items()}


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_picture_shows_the_sample_and_fetches_nothing(name: str) -> None:
    picture = (pictures.PICTURES / f"terminal-{name}.svg").read_text("utf-8")
    told = "".join(shown("README.md")["tickets"].split())
    assert told in "".join("".join(pictures.words(picture)).split())
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", picture)
    assert (pictures.PICTURES / f"report-{name}.png").stat().st_size < 150_000
