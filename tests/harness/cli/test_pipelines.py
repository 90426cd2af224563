"""`tunegate init --ci`: the jobs that it writes, run step by step as the services would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cli.init import CI_FILES
from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project

yaml = pytest.importorskip("yaml")

REMOTE = "https://token:secret@git.example/team/project.git"


@pytest.fixture
def clone(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project in git, with a remote to push to, on the branch main."""
    remote = tmp_path_factory.mktemp("remote")
    project.write("requirements.txt", "")
    project.write(".gitignore", "__pycache__/\n.tunegate/\n")
    project.write("registry.jsonl", "")
    for command in (
        "init --quiet --initial-branch main", "add --all",
        "-c user.name=a -c user.email=a@b.example commit --quiet --message first",
        f"init --quiet --bare {remote}", f"remote add origin {remote}",
        f"config url.{remote}.insteadOf {REMOTE}", "push --quiet --set-upstream origin main",
    ):  # fmt: skip
        subprocess.run(["git", "-C", str(project.root), *command.split()], check=True)
    return project


def pipeline(clone: Project, service: str) -> Any:
    assert main(["init", str(clone.root), "--ci", service]) == 0
    return yaml.safe_load((clone.root / CI_FILES[service]).read_text())


def bash(clone: Project, script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as both services do: any command that fails ends it."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=clone.root,
        env=outside | {"PATH": path} | env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def github_steps(job: Mapping[str, Any], event: Path, ref: str) -> Iterator[tuple[str, Any]]:
    """Yield the commands of a job's steps, with their variables filled in from the event."""
    inputs = json.loads(event.read_text()).get("inputs", {})
    for step in job["steps"]:
        on_branch = step.get("if", f"github.ref == '{ref}'")
        if "run" in step and on_branch == f"github.ref == '{ref}'":
            assert "${{" not in step["run"], "what an event brings is no part of a script"
            env = {
                name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: inputs[m[1]], value)
                for name, value in step.get("env", {}).items()
            }
            yield step["run"], env


def run_github(clone: Project, jobs: Any, name: str, event: dict[str, Any], ref: str) -> list[Any]:
    """Run the job that an event starts; the results of its steps, up to the first that failed."""
    path = clone.write(".git/event.json", json.dumps(event))
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path), "GITHUB_REF": ref}
    done = []
    for script, own in github_steps(jobs[name], path, ref):
        done.append(bash(clone, script, env | {"GITHUB_ACTOR": "maria"} | own))
        if done[-1].returncode:
            break
    return done


def remote_registry(clone: Project) -> list[Any]:
    """The lines of the registry that were pushed."""
    show = ["git", "-C", str(clone.root), "show", "origin/main:registry.jsonl"]
    text = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_github(clone: Project) -> None:
    jobs, main_ref = pipeline(clone, "github")["jobs"], "refs/heads/main"
    pull = {"pull_request": {"number": 7}}
    steps = run_github(clone, jobs, "data", pull, "refs/pull/7/merge")
    assert steps[-1].returncode == 0, steps[-1].stdout

    asked = {"inputs": {"trainer": "toy", "why": 'first "model"; $(touch gone)'}}
    steps = run_github(clone, jobs, "train", asked, "refs/heads/idea")
    assert [step.returncode for step in steps] == [0, 0], steps[-1].stdout + steps[-1].stderr
    assert remote_registry(clone) == []  # no promotion from a branch

    steps = run_github(clone, jobs, "train", asked, main_ref)
    assert steps[-1].returncode == 0, steps[-1].stdout + steps[-1].stderr
    (promoted,) = remote_registry(clone)
    assert (promoted["who"], promoted["alias"]) == ("maria", "production")
    assert not (clone.root / "gone").exists()
    steps = run_github(clone, jobs, "nightly", {"schedule": "17 3 * * *"}, main_ref)
    assert [step.returncode for step in steps] == [0, 0, 0], steps[-1].stdout
    assert steps[1].stdout == "1 entry, 0 wrong; 1 compared with a run that is here\n"

    clone.add("train.jsonl", (clone.root / "train.jsonl").read_text().replace("question", "bad"))
    steps = run_github(clone, jobs, "data", pull, "refs/pull/7/merge")
    assert steps[-1].returncode == 1
    steps = run_github(clone, jobs, "train", asked, main_ref)
    assert [step.returncode for step in steps] == [0, 1]  # a closed gate trains nothing


@pytest.mark.slow
def test_gitlab(clone: Project) -> None:
    jobs = pipeline(clone, "gitlab")
    env = {
        "GITLAB_USER_LOGIN": "maria", "TRAINER": "toy", "WHY": "first", "REGISTRY_TOKEN": "secret",
        "CI_SERVER_HOST": "git.example", "CI_PROJECT_PATH": "team/project",
        "CI_DEFAULT_BRANCH": "main",
    }  # fmt: skip

    def run_job(name: str) -> subprocess.CompletedProcess[str]:
        lines = [*jobs["default"]["before_script"], *jobs[name]["script"]]
        return bash(clone, "\n".join(lines), env)

    for name in ("data", "train", "nightly"):
        done = run_job(name)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [line["who"] for line in remote_registry(clone)] == ["maria"]


@pytest.mark.parametrize("service", CI_FILES)
def test_a_file_that_is_there_is_kept(
    service: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(project.root), "--ci", service]) == 0
    assert capsys.readouterr().out == (
        f"wrote  {CI_FILES[service]}\n\n"
        "next   write tunegate and its extras into requirements.txt, pinned; read the file\n"
    )
    project.write(CI_FILES[service], "mine: 1\n")
    assert main(["init", str(project.root), "--ci", service]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"kept   {CI_FILES[service]}\n")
    assert f"{service}.yml" in out.splitlines()[-1]
    assert (project.root / CI_FILES[service]).read_text() == "mine: 1\n"


def test_the_hooks_run_parts_of_the_suite_when_data_are_staged() -> None:
    root = Path(__file__).parents[3]
    for hook in yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text()):
        command, quiet, *files = hook["entry"].split()
        assert (command, quiet, hook["pass_filenames"]) == ("pytest", "-q", False)
        assert files
        assert all((root / file).is_file() for file in files)
        staged = ["data/train.jsonl", "a.csv", "tunegate.toml", "README.md", "my_tunegate.toml"]
        found = [name for name in staged if re.search(hook["files"], name)]
        assert found == ["data/train.jsonl", "a.csv", "tunegate.toml"]
