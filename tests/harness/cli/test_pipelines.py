"""`tunegate init --ci`: the jobs that it writes, run step by step as the services would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
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
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run(["git", "-C", str(clone.root), "add", "--all"], check=True)
    merge = ["git", "-C", str(clone.root), *who, "commit", "--quiet", "--message", "merged"]
    subprocess.run(merge, check=True)
    return yaml.safe_load((clone.root / CI_FILES[service]).read_text())


def bash(clone: Project, script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a step as both services do: any command that fails ends it."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=clone.root,
        env=outside | {"PATH": path} | env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def is_run(step: Mapping[str, Any], ref: str, done: Mapping[str, int]) -> bool:
    """Whether a step runs after others with these exit codes; it knows the conditions in use."""
    conditions = step.get("if", "").split(" && ")
    known = {"": True, "always()": True, "steps.model.outcome != 'skipped'": "model" in done}
    known[f"github.ref == '{ref}'"] = True
    failed = any(done.values()) and "always()" not in conditions
    return not failed and all(known.get(condition, False) for condition in conditions)


def run_github(clone: Project, jobs: Any, name: str, event: dict[str, Any], ref: str) -> list[Any]:
    """Run the job that an event starts; the results of its steps, up to the first that failed.

    The steps that always run write the summary.
    """
    path, summary = (clone.write(f".git/{name}", "") for name in ("event.json", "summary.md"))
    path.write_text(json.dumps(event))
    env = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path), "GITHUB_REF": ref}
    env |= {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTOR": "maria"}
    results, codes = [], dict[str, int]()
    for number, step in enumerate(jobs[name]["steps"]):
        if "run" not in step or not is_run(step, ref, codes):
            continue
        assert "${{" not in step["run"], "what an event brings is no part of a script"
        own = {
            key: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: event["inputs"][m[1]], value)
            for key, value in step.get("env", {}).items()
        }
        result = bash(clone, step["run"], env | own)
        codes[step.get("id", str(number))] = result.returncode
        if "always()" in step.get("if", ""):
            assert result.returncode == 0, result.stderr
        else:
            results.append(result)
    return results


def summary_of(clone: Project) -> str:
    return (clone.root / ".git" / "summary.md").read_text()


def remote_registry(clone: Project) -> list[Any]:
    """The lines of the registry that were pushed."""
    subprocess.run(["git", "-C", str(clone.root), "fetch", "--quiet", "origin"], check=True)
    show = ["git", "-C", str(clone.root), "show", "origin/main:registry.jsonl"]
    text = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_github(clone: Project) -> None:
    jobs, main_ref = pipeline(clone, "github")["jobs"], "refs/heads/main"
    pull = {"pull_request": {"number": 7}}
    steps = run_github(clone, jobs, "data", pull, "refs/pull/7/merge")
    assert steps[-1].returncode == 0, steps[-1].stdout
    assert "| train | 0 | 0 | 0 | 20 |" in summary_of(clone)

    asked = {"inputs": {"trainer": "toy", "why": 'first "model"; $(touch gone)'}}
    steps = run_github(clone, jobs, "train", asked, "refs/heads/idea")
    assert [step.returncode for step in steps] == [0, 0], steps[-1].stdout + steps[-1].stderr
    assert remote_registry(clone) == []  # no promotion from a branch

    steps = run_github(clone, jobs, "train", asked, main_ref)
    assert steps[-1].returncode == 0, steps[-1].stdout + steps[-1].stderr
    assert summary_of(clone).startswith("<!-- tunegate -->\n### ✅ Run <code>")
    (promoted,) = remote_registry(clone)
    assert (promoted["who"], promoted["alias"]) == ("maria", "production")
    assert not (clone.root / "gone").exists()
    steps = run_github(clone, jobs, "nightly", {"schedule": "17 3 * * *"}, main_ref)
    assert [step.returncode for step in steps] == [0, 0, 0], steps[-1].stdout
    assert steps[1].stdout == "1 entry, 0 wrong; 1 compared with a run that is here\n"

    clone.add("train.jsonl", (clone.root / "train.jsonl").read_text().replace("question", "bad"))
    steps = run_github(clone, jobs, "data", pull, "refs/pull/7/merge")
    assert steps[-1].returncode == 1
    assert re.search(r"Findings in the session of .*: new \S+ bad \(20\)", summary_of(clone))
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


@pytest.mark.slow
def test_the_action(clone: Project) -> None:
    action = yaml.safe_load((Path(__file__).parents[3] / "action.yml").read_text())
    given = {name: value["default"] for name, value in action["inputs"].items()}
    given |= {"arguments": "--deselect 'suites/data/test_it.py::test_none at all' -q -q"}
    given |= {"compare-with": "HEAD"}
    summary, outputs = clone.write(".git/summary.md", ""), []
    for step in action["runs"]["steps"]:
        if "run" in step:
            env = {
                key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: given[m[1]], value)
                for key, value in step["env"].items()
            }
            done = bash(clone, step["run"], env | {"GITHUB_STEP_SUMMARY": str(summary)})
            assert done.returncode == 0, done.stdout + done.stderr
            outputs.append(done.stdout)
    assert "passed" not in outputs[1]  # -q -q reached pytest
    assert "| test | 0 | 0 | 0 | 6 |" in summary_of(clone)


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
