"""What the configuration says reaches the suites that `tunegate init` copies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

SUITES = Path(__file__).parents[3] / "suites" / "data"


@pytest.fixture
def copied(project: Project) -> Project:
    """A project with our own suite files on personal data, consistency and tokens."""
    for name in ("personal_data", "consistency", "tokens"):
        shutil.copy(SUITES / f"test_{name}.py", project.root / "suites" / "data")
    return project


def rows(system: str, mail: str) -> str:
    told = [("system", system), ("user", f"I am {mail}"), ("assistant", "a")]
    return json.dumps({"messages": [{"role": r, "content": c} for r, c in told]}) + "\n"


def test_personal_data_and_prompts_are_held_to_the_configuration(copied: Project) -> None:
    for split in ("train", "validation", "test"):
        copied.write(f"{split}.jsonl", rows("Be brief.", "ana@example.com"))
    copied.write("prompt.txt", "Be brief!")
    copied.add("tunegate.toml", 'system = "prompt.txt"\n')
    before = copied.pytest("suites/data", "-rf")
    assert "consistency.inference: 1 system prompt in 1 of 1 examples of train" in before.out
    assert "pii: 1 email in 1 of 1 examples of train" in before.out
    assert before.line("tokens of train, validation: ").startswith("not checked: no [train.qlora]")

    copied.write("prompt.txt", "Be brief.\n")  # as an editor saves it
    copied.add("tunegate.toml", '[limits]\npii_allow = ["@example.com"]\n')
    after = copied.pytest("suites/data")
    assert after.code == 0, after.out

    copied.add("tunegate.toml", 'pii_ignore = ["emial"]\n')
    typo = copied.pytest("suites/data", "-k", "personal")
    assert "no kind 'emial' to ignore, did you mean 'email'?" in typo.out


def test_openai_is_counted_and_priced(copied: Project) -> None:
    copied.add("tunegate.toml", '[train.openai]\nbase = "gpt-4o-mini"\nepochs = 2\n')
    copied.add("tunegate.toml", "[tokens]\nprice_per_million = 3.00\n")
    folder = copied.root / "no-cache"
    counted = copied.pytest(
        "suites/data", "-k", "tokens or answers", env={"TIKTOKEN_CACHE_DIR": str(folder)}
    )
    assert counted.code == 0, counted.out
    said = " ".join(counted.out.split())
    # A row: 3 + 2 x 3 tokens around it, user 1, question 3, assistant 3, a or b 1.
    assert "340 tokens an epoch, 80 of them learnt; 2 epochs, about $0.00 at $3.00" in said
    assert "an estimate: tiktoken's o200k_base is not in its cache" in said


def test_a_prompt_file_that_is_not_there_is_named(copied: Project) -> None:
    copied.add("tunegate.toml", 'system = "prompts/none.txt"\n')
    failed = copied.pytest("suites/data", "-k", "inference")
    assert "data.system: " in failed.out
    assert "none.txt cannot be read" in " ".join(failed.out.split())
