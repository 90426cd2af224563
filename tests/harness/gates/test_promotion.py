"""A promotion is refused wherever the chain from data to scores has a gap, and made otherwise."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Project, Result


OTHER_DECODING = """
Toy.decoding, make_model = {"seed": 0}, ToyModel.__init__

def __init__(self, rest, root):
    make_model(self, rest.partition("?")[0], root)

ToyModel.__init__ = __init__
"""


def promote(project: Project, *args: str, model: str = "latest") -> Result:
    return project.judge("--promote", "production", *args, model=model)


def refused(project: Project, said: str, *args: str, model: str = "latest") -> None:
    """See that the gate is open, and that the promotion is refused in one line all the same."""
    result = promote(project, *args, model=model)
    assert result.code == 77, result.out
    assert result.line("gate") == "open: all 2 tests of the suite passed"
    assert said in result.line("promotion refused:"), result.out
    assert "Traceback" not in result.out
    assert project.registry == []


def test_promoted(trained: Project) -> None:
    result = promote(trained, "--why", "better on invoices")
    assert result.code == 0, result.out
    run = trained.run.name
    assert result.line("promotion") == f"production is now run:{run}"
    (entry,) = trained.registry
    record = json.loads((trained.run / "run.json").read_text())
    assert (entry["action"], entry["alias"]) == ("promote", "production")
    assert (entry["run"], entry["model_digest"]) == (run, record["digest"])
    assert (entry["receipt"], entry["why"]) == (record["receipt"], "better on invoices")
    (card,) = trained.left("scorecards/*.json")
    assert card.stem == entry["scorecard"][:12]
    again = promote(trained)
    assert (again.code, len(trained.registry)) == (0, 1)
    assert again.line("promotion") == f"production was run:{run} already; nothing to do"


def test_a_record_that_changes_while_it_is_judged_closes_the_gate_in_one_line(
    trained: Project,
) -> None:
    """And a line that is wider than the terminal is wrapped, whatever it is printed to."""
    trained.add("conftest.py", OTHER_DECODING)
    trained.add(
        "suites/model/test_m.py",
        """
def test_changed():
    import pathlib
    (record,) = pathlib.Path(".tunegate").glob("runs/*/run.json")
    record.write_text(record.read_text().replace('"figures": {}', '"figures": {"loss": 0}'))
""",
    )
    arguments = ("-p", "tunegate", "suites/model", "--model", "latest?seed=1")
    bare = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    result = trained.python("-m", "pytest", *arguments, env=bare, unwrapped=False)
    assert result.code == 1, result.out
    assert "Traceback" not in result.out
    reason = result.out[result.out.index("gate      closed:") :].rstrip()
    assert "was changed since" in " ".join(reason.split())
    first, *rest = reason.splitlines()
    assert rest
    # Of a path that is longer than a line nothing is cut off: it can be copied.
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in (first, *rest))
    assert all(line.startswith(" " * 12) for line in rest)


def test_a_reason_with_personal_data_ends_it_before_the_first_test(trained: Project) -> None:
    result = promote(trained, "--why", "asked " + "maria.souza@" + "gmail.com")
    assert result.code == 4
    assert "--why holds what looks like email, from character 7 on" in result.line("ERROR:")
    assert "maria" not in result.out


def test_the_trainer_is_told_of_each_scorecard_and_its_errors_change_nothing(
    trained: Project,
) -> None:
    trained.add(
        "conftest.py",
        """
def told(self, plan, folder):
    (folder / "told").write_text(f"{plan.trainer} {len([*folder.glob('scorecards/*.json')])}")
    raise RuntimeError("no card")
Toy.scorecard_written = told
""",
    )
    result = promote(trained)
    assert (result.code, len(trained.registry)) == (0, 1)
    assert result.line("trainer") == "toy, after the scorecard: no card"
    assert (trained.run / "told").read_text() == "toy 1"


@pytest.mark.slow
def test_an_alias_names_the_model_that_it_points_at(trained: Project) -> None:
    unknown = trained.judge(model="alias:production")
    assert unknown.code == 4
    said = "--model alias:production: nothing was promoted to it"
    assert unknown.line("ERROR:") == said
    assert promote(trained).code == 0
    again = promote(trained, model="alias:production")
    assert again.line("promotion").endswith("already; nothing to do"), again.out


def test_promoted_under_xdist(trained: Project) -> None:
    result = promote(trained, "-n", "2")
    assert result.code == 0, result.out
    assert len(trained.registry) == 1


def test_a_closed_gate_promotes_nothing(trained: Project) -> None:
    trained.add("tunegate.toml", "[limits]\naccuracy = 1.0\n")
    trained.add("suites/model/test_m.py", "\ndef test_no(predictions): assert 0\n")
    result = promote(trained)
    assert (result.code, trained.registry) == (1, [])
    assert result.line("gate") == "closed: 1 failed: suites/model/test_m.py::test_no"


def test_a_part_of_the_suite_promotes_nothing(trained: Project) -> None:
    result = promote(trained, "-k", "better")
    assert (result.code, trained.registry) == (1, [])
    assert "1 of 2 tests passed; suites/model/test_m.py::test_accuracy" in result.line("gate")


def test_a_suite_that_never_asks_the_candidate(trained: Project) -> None:
    trained.write("suites/model/test_m.py", "def test_rows(test): assert len(test)")
    result = promote(trained)
    assert (result.code, trained.registry) == (1, [])
    assert result.line("gate") == "closed: no test of the suite looked at the predictions"


@pytest.mark.parametrize("model", ["file:answers.jsonl", "python:answers:reply"])
def test_models_without_a_run(trained: Project, model: str) -> None:
    trained.add("tunegate.toml", "")
    config = trained.root / "tunegate.toml"
    config.write_text('baseline = "toy:base"\n' + config.read_text())
    lines = [json.dumps({"text": "ab"[n % 2]}) for n in range(6)]
    trained.write("answers.jsonl", "\n".join(lines))
    trained.write("answers.py", "def reply(m): return 'ab'[int(m[-1]['content'].split()[-1]) % 2]")
    refused(trained, f"{model} belongs to no run with a receipt", model=model)


def test_no_receipt(trained: Project) -> None:
    (trained.run / "receipt.json").rename(trained.run.parent / "receipt")
    result = promote(trained)
    assert (result.code, trained.registry) == (77, [])
    assert "receipt.json is missing: no gate opened for this run" in result.line("promotion")


def test_a_tampered_receipt(trained: Project) -> None:
    path = trained.run / "receipt.json"
    path.write_text(path.read_text().replace('"held": true', '"held": false', 1))
    refused(trained, "receipt.json was not written by a gate of this state tree")


def test_a_receipt_of_another_day(trained: Project) -> None:
    """A receipt that a gate did write, but not the one that this model was trained on."""
    run, record = trained.run, trained.run / "run.json"
    kept = record.read_bytes()
    shutil.rmtree(run)
    trained.add("suites/data/test_it.py", "\n# another day\n")
    assert trained.gate().code == 0
    (trained.run / "run.json").write_bytes(kept)
    refused(trained, "the receipt is not the one this run was trained on")


def test_a_model_that_was_changed(trained: Project) -> None:
    with (trained.run / "toy.txt").open("a") as file:
        file.write("more")
    refused(trained, "is not the one that was trained: it was changed")


def test_a_model_that_is_changed_while_it_is_asked(trained: Project) -> None:
    change = "open(predictions_of, 'a').write('more')"
    path = next((trained.root / ".tunegate/runs").glob("*/toy.txt"))
    text = f"def test_x(predictions):\n predictions_of = {str(path)!r}\n assert {change}\n"
    trained.write("suites/model/test_x.py", text)
    result = promote(trained)
    assert (result.code, trained.registry) == (75, []), result.out
    assert result.line("gate") == "closed: the model changed while it was asked; run again"
    (card,) = trained.left("scorecards/*.json")
    assert len(json.loads(card.read_text())["predictions"]["answers"]) == 64


def test_a_baseline_that_was_never_measured(project: Project) -> None:
    config = (project.root / "tunegate.toml").read_text()
    project.write("tunegate.toml", config.replace('test = "test.jsonl"\n', ""))
    project.write("suites/model/test_m.py", "def test_all(predictions): assert predictions\n" * 2)
    project.add("suites/model/test_m.py", "def test_more(predictions): assert predictions\n")
    assert "not measured: no test data" in project.gate().line("baseline")
    refused(project, "the baseline toy:base was never measured", "--test-data", "test.jsonl")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_test_prompt_that_was_seen(
    trained: Project, example_row: Callable[[str, str], str], split: str
) -> None:
    number = {"train": "3", "validation": "21"}[split]
    trained.add("test.jsonl", example_row(f"  QUESTION\n{number}", "a"))
    said = "1 test examples stand in what the model was trained on: test line 7 "
    refused(trained, f"{said}({split} line ")


@pytest.mark.parametrize("alias", ["", "../x", "suites/model"])
def test_an_alias_that_is_no_name_ends_it_before_the_first_test(
    trained: Project, alias: str
) -> None:
    result = trained.judge(f"--promote={alias}")
    assert (result.code, trained.registry) == (4, [])
    assert result.line("ERROR:").startswith(f"no alias: {alias!r}; an alias has ASCII letters")
    assert "Traceback" not in result.out


def test_an_empty_alias_without_a_model(trained: Project) -> None:
    result = trained.pytest("suites/model", "--promote", "")
    assert (result.code, result.line("ERROR:")[:9]) == (4, "--promote")


def test_an_alias_that_moved_during_the_session(trained: Project) -> None:
    """The candidate was compared with another incumbent than the one that is in force now."""
    trained.add(
        "suites/model/test_m.py",
        """
def test_another_promotes(predictions):
    from pathlib import Path
    from tunegate.storage.registry import Registry
    facts = {"run": "x", "model": "toy:base", "model_digest": "x"}
    Registry(Path(__file__).parents[2]).append("promote", "production", facts, "")
    assert len(predictions)
""",
    )
    result = promote(trained)
    assert (result.code, len(trained.registry)) == (77, 1), result.out
    said = "production was no run when this session began and is run:x now"
    assert said in result.line("promotion refused:")


def test_a_broken_registry(trained: Project) -> None:
    assert promote(trained).code == 0
    path = trained.root / "registry.jsonl"
    first = path.read_bytes()
    path.write_bytes(first + first)
    result = promote(trained)
    assert result.code == 77
    assert "registry.jsonl, line 2: the chain is broken here" in result.line("promotion")
    assert path.read_bytes() == first + first


def test_errors_alone_decide(trained: Project) -> None:
    """Between the two worst readings of the errors the gate is closed, and says so: exit 75."""
    conftest = (trained.root / "conftest.py").read_text()
    half = 'yield Answer(r.row, "ab"[r.row % 2] if self.known else "?", error="429" * (r.row == 4))'
    trained.write("conftest.py", conftest.replace(_line(conftest, "yield Answer"), half))
    forget_answers(trained.root)
    result = promote(trained)
    assert (result.code, trained.registry) == (75, []), result.out
    assert "1 of 6 answers could not be had" in result.out
    trained.write("conftest.py", conftest)
    assert promote(trained).code == 0  # only the missing answer is asked for


def forget_answers(root: Path) -> None:
    for path in (root / ".tunegate").glob("answers.sqlite*"):
        path.unlink()


def _line(text: str, part: str) -> str:
    return next(line.strip() for line in text.splitlines() if part in line)
