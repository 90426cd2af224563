from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunegate.interfaces.trainer import Plan
from tunegate.utils.files import sha256_json
from tunegate_qlora import model_card
from tunegate_qlora.data.training_data import make_job
from tunegate_qlora.model import folders

Planner = Callable[..., Plan]
SCORECARD: dict[str, Any] = {
    "scores": [
        {
            **{"name": "accuracy", "value": 0.95, "low": 0.9, "high": 0.98, "hits": 95, "n": 100},
            **{"limit": 0.9, "sign": ">="},
        }
    ],
    "model_digest": "feed",
    "test": {"digest": "beef", "n": 100},
    "gate": "open",
}


@pytest.fixture
def written(plan: Planner, folder: Path, project: Path) -> Callable[..., str]:
    """Write the card of a run, trained on a base that is named by an absolute path."""

    def write(**settings: object) -> str:
        made = plan(**settings)
        made = replace(made, config={**made.config, "base": str(project / "base")})
        model = folder / "adapter"
        model.mkdir(exist_ok=True)
        (model / "adapter_config.json").write_text("{}")
        model_card.write_card(model, make_job(made, folder))
        return (model / "README.md").read_text()

    return write


def test_a_card_says_what_the_model_was_made_of(
    written: Callable[..., str], folder: Path, project: Path
) -> None:
    (folder / "receipt.json").write_text(json.dumps({"run": "abc", "seal": "x"}))
    (folder / "figures.json").write_text(json.dumps({"validation_loss": 0.123456789}))
    text = written(preset="few")
    assert text.startswith(
        "---\nlibrary_name: peft\npipeline_tag: text-generation\n---\n# LoRA adapter on base, "
    )
    assert "# LoRA adapter on base, run abc" in text
    assert "| train data | train |" in text  # a snapshot is named after its digest
    assert f"| receipt | {sha256_json({'run': 'abc'})} |" in text  # the seal aside
    assert "| validation_loss | 0.123457 |" in text
    assert "| preset | few |" in text
    assert "| epochs | 2 |" in text
    assert "Never judged: `pytest suites/model --model run:abc`." in text
    assert "The base's folder does not state one" in text
    assert "## Limits of use" in text
    assert str(project) not in text  # no path of this machine
    assert "please" not in text  # no row of the data


def test_a_card_shows_the_newest_scores_of_this_very_model(
    written: Callable[..., str], folder: Path
) -> None:
    (folder / "scorecards").mkdir()
    other = folder / "scorecards/other.json"
    other.write_text(json.dumps(SCORECARD))
    text = written()
    assert "Never judged" in text
    (own,) = re.findall(r"this model \| (\w{64}) ", text)
    for name, gate in (("b", "open"), ("a", "accuracy is too low")):
        path = folder / f"scorecards/{name}.json"
        missed = [{**SCORECARD["scores"][0], "name": "macro-F1"}, {"check": "pii", "held": False}]
        told = SCORECARD | {"model_digest": own, "gate": gate, "missed": missed}
        path.write_text(json.dumps(told))
        os.utime(path, (ord(name), ord(name)))
    check = {"made": "2026-11-30T10:00:00+00:00", "verdict": "open", "trained": "run:abc"}
    checks = {"openai:x": {**check, "agreement": {"value": 0.998}}}
    (folder / "run.json").write_text(json.dumps({"served_checks": checks}))
    text = written()
    assert "| 2026-11-30 | open | 0.998 | run:abc |" in text
    assert "| accuracy | 95.0% | 90.0% - 98.0% | >= 90% | 100 |" in text
    assert "| macro-F1 | 95.0% |" in text  # of a test that failed
    assert "On test data beef (100 rows)." in text
    assert "The gate of the suite was open." in text


def test_a_card_names_the_other_models_reviewers_limits_and_what_checks_it(
    written: Callable[..., str], folder: Path
) -> None:
    reviewed = {"name": "review", "hints": ["300 of 3,000 rows reviewed by ana | rui: 2 % wrong"]}
    tests = {"test_review.py::test_x[train]": [reviewed, {"name": "pii", "hints": ["other"]}]}
    (folder / "receipt.json").write_text(json.dumps({"run": "abc", "tests": tests}))
    (folder / "scorecards").mkdir()
    (own,) = re.findall(r"this model \| (\w{64}) ", written())
    compared = {**SCORECARD["scores"][0], "name": "accuracy gained", "p": 0.01}
    compared["line"] = "<accuracy better: 90.0% became 95.0% on 100, 6 gained, 1 lost>"
    told = SCORECARD | {"model_digest": own, "scores": [compared]}
    told |= {"limits": {"accuracy": 0.9, "pii_ignore": ["ip"], "latency": None}, "baseline": None}
    told["baseline"] = {"model": "folder:/home/ana/base?max_new_tokens=9", "right": 0, "n": 100}
    told |= {"incumbent": {"model": "run:1234", "right": 90, "n": 100}}
    (folder / "scorecards/a.json").write_text(json.dumps(told))
    text = written()
    assert "The incumbent (`run:1234`) had 90 of 100 right.\n" in text
    assert "The baseline (`folder:base?max_new_tokens=9`) had 0 of 100 right.\n" in text
    assert "- `<accuracy better: 90.0% became 95.0% on 100, 6 gained, 1 lost>`\n" in text
    assert "| accuracy | 0.9 |\n" in text
    assert "pii_ignore" not in text
    assert "- 300 of 3,000 rows reviewed by ana \\| rui: 2 % wrong\n" in text
    assert "\n## Check it\n" in text
    assert "- `tunegate run attest abc` writes" in text
    assert "\n\n\n\n" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: apache-2.0\n---\n# x", "apache-2.0"),
        ("---\nlanguage: en\nlicense: 'mit'\n---", "mit"),
        ("---\nlicense: other\nlicense_name: llama3.2\n---\n", "llama3.2"),
        ("---\nlicense: other\n---\n", ""),
        ("# license: mit", ""),
        ("---\nlicense: mit", ""),
        ("---\nlicense: [mit\n---\n", ""),  # no YAML
        ("---\n- mit\n---\n", ""),
        (None, ""),
    ],
)
def test_the_licence_of_a_base(tmp_path: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / "README.md").write_text(text)
    assert folders.licence_of(tmp_path) == expected
