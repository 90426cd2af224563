"""Formats that an earlier version wrote mean the same today: ids, digests, seals, files.

What is compared with stands in golden/, written once and never again: see its README.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tunegate_checks
from tunegate import Dataset, Findings, Predictions
from tunegate.checking.accepted import read_accepted
from tunegate.checking.decorator import row_fingerprint, rows_fingerprint
from tunegate.config import schema as configuration
from tunegate.data.row_schema import load_row_schema
from tunegate.gates.promotion import check_promotable
from tunegate.interfaces.installed import load_files
from tunegate.interfaces.model import Request
from tunegate.interfaces.trainer import Plan, Trainer
from tunegate.models import evaluation as baselines
from tunegate.models.spec import open_model, resolve_candidate
from tunegate.results.outcome import collect_outcomes as accepting
from tunegate.results.prediction import Prediction
from tunegate.results.session_results import scorecard_digest as card_digest
from tunegate.storage.answer_cache import AnswerCache
from tunegate.storage.registry import Registry, promotions_in_force
from tunegate.storage.state_dir import Run, SealBroken, StateDir, find_finished, run_id
from tunegate.tokenization.spec import TokenizationSpec
from tunegate.utils.files import sha256_json, sha256_spaced_json
from tunegate_checks.data import (
    balance,
    consistency,
    diversity,
    duplicates,
    format,
    labels,
    leakage,
    pii,
    preferences,
    review,
    schema,
    secrets,
    size,
    splits,
    tokens,
)
from tunegate_checks.judge import prompt, rubric
from tunegate_checks.model import answer_quality, memorization, overfitting
from tunegate_checks.review.sheet import draw_order, row_id

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[1]
OLDER, NEWER = "f3dd6e51525e", "b35e4f54f237"  # the runs of golden/state


def written(name: str) -> Any:
    """Return what stands in a JSON file of golden/."""
    return json.loads((GOLDEN / name).read_text("utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the state tree of golden/, in the modes and the order it was written in."""
    root = tmp_path / "tickets"
    shutil.copytree(GOLDEN / "state", root / ".tunegate")
    for path in [root / ".tunegate", *(root / ".tunegate").rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    for when, name in enumerate((OLDER, NEWER), start=1_800_000_000):
        os.utime(root / ".tunegate" / "runs" / name / "run.json", (when, when))
    for name in ("registry.jsonl", "test.jsonl"):
        shutil.copy(GOLDEN / name, root)
    (root / "tunegate.toml").write_text('[data]\ntest = "test.jsonl"\n')
    return root


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the models of golden/, and no word of the environment's on endpoints."""
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)
        monkeypatch.setenv(f"{name}_API_KEY", "none")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "answering", raising=False)
    return Path(shutil.copytree(GOLDEN / "models", tmp_path / "models"))


RunPytest = Callable[..., tuple[int, str]]


@pytest.fixture
def run_pytest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunPytest:
    """Run pytest in a process of its own; returns its exit code, and what it printed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)

    def run(root: Path, *args: str) -> tuple[int, str]:
        monkeypatch.chdir(root)
        result = pytester.run(sys.executable, "-m", "pytest", "-p", "tunegate", *args)
        return int(result.ret), result.stdout.str() + result.stderr.str()

    return run


# Run ids.

RUNS: Mapping[str, Any] = written("run_ids.json")


def planned(trainer: Trainer, root: Path, case: Mapping[str, Any]) -> Plan:
    """Return the plan of a training, as a gate that opens makes it."""
    config = trainer.resolve(case["values"], root)
    neutral = getattr(trainer, "neutral", {})
    absent = [key for key, value in neutral.items() if config.get(key) == value]
    snapshots = GOLDEN / "state" / "snapshots"
    return Plan(
        trainer=trainer.name,
        train=snapshots / f"{case['train']}.jsonl",
        validation=snapshots / f"{case['validation']}.jsonl" if case["validation"] else None,
        test=None,
        config=config,
        base=trainer.baseline(config),
        base_digest=trainer.base_digest(config, root),
        seed=int(config["seed"]),
        columns=case["columns"],
        incidental=[*getattr(trainer, "incidental", ()), *absent],
    )


@pytest.mark.parametrize("name", RUNS)
def test_the_same_training_is_the_same_run(name: str, models: Path) -> None:
    case = RUNS[name]
    plan = planned(load_files([]).trainers[case["trainer"]](), models, case)
    assert run_id(plan) == case["run"]
    assert (plan.base, plan.base_digest) == (case["intent"]["base"], case["intent"]["base_digest"])


@pytest.mark.parametrize("name", RUNS)
def test_the_intent_of_an_old_run_holds(name: str, tmp_path: Path) -> None:
    run = Run(StateDir(tmp_path), RUNS[name]["run"])
    path = run.state.path("runs", run.id, "intent.json")
    path.write_text(json.dumps(RUNS[name]["intent"]))
    run.verify_plan()
    path.write_text(json.dumps({**RUNS[name]["intent"], "seed": 99}))
    with pytest.raises(SealBroken, match="changed since the gate opened"):
        Run(run.state, run.id).verify_plan()


# In process the test above makes its own plan; here the gate does.
@pytest.mark.parametrize("name", ["qlora", "openai"])
def test_the_gate_finds_the_same_run(name: str, models: Path, run_pytest: RunPytest) -> None:
    case = RUNS[name]
    values = "".join(f"{key} = {json.dumps(value)}\n" for key, value in case["values"].items())
    (models / "tunegate.toml").write_text(
        f'[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n[train.{name}]\n{values}'
    )
    for split in ("train", "validation"):
        snapshot = GOLDEN / "state" / "snapshots" / f"{case[split]}.jsonl"
        shutil.copy(snapshot, models / f"{split}.jsonl")
    suite = models / "suites" / "data" / "test_rows.py"
    suite.parent.mkdir(parents=True)
    suite.write_text("def test_rows(dataset):\n    assert len(dataset)\n")
    code, out = run_pytest(models, "suites/data", "--train-with", name, "--elsewhere")
    assert code == 0, out
    assert f"{case['run']} may be trained elsewhere" in out


# Findings.

Check = Callable[..., Findings]


def rows(name: str, split: str = "") -> Dataset:
    """Return a dataset of golden/data, under its own name or as another split."""
    data = (GOLDEN / "data" / f"{name}.jsonl").read_bytes()
    return Dataset.parse(data, split=split or name, path=f"{name}.jsonl")


TRAIN, VALIDATION, TEST = rows("train"), rows("validation"), rows("test")
PAIRS, PROSE, FORMED = rows("pairs", "train"), rows("prose", "train"), rows("formed", "train")


def plain(name: str) -> list[Any]:
    return [json.loads(line) for line in (GOLDEN / "data" / name).read_text("utf-8").splitlines()]


def predicted(test: Dataset, told: list[Any]) -> Predictions:
    """Return predictions with these answers to the first rows."""
    return Predictions(
        [
            Prediction(
                e.row, e.line, e.prompt, e.reply, a["text"], tokens=a["tokens"], finish=a["finish"]
            )
            for e, a in zip(test, told, strict=False)
        ]
    )


ANSWERED = predicted(TEST, plain("answers.jsonl"))


def by_heart(asked: Dataset) -> Predictions:
    """Answer a half of a training reply with the other half."""
    return predicted(asked, [{"text": e.reply, "tokens": 9, "finish": "stop"} for e in asked])


TRIAGE = str(ROOT / "examples" / "triage" / "base")  # a tokenizer with a chat template
REVIEWS = GOLDEN / "accepted" / "reviews"

# By the name of the check; what stands behind a space tells two calls of one check apart.
CHECKS: Mapping[str, tuple[Check, tuple[Any, ...], Mapping[str, Any]]] = {
    "balance": (balance.find, (TRAIN,), {"rarest": 0.5}),
    "balance.makeup": (balance.makeup, (PROSE,), {}),
    "consistency.across": (consistency.across, (TRAIN, TEST), {}),
    "consistency.inference": (consistency.inference, (TRAIN, "Name the team."), {}),
    "consistency.labels": (consistency.labels, (TRAIN, TEST), {}),
    "consistency.output_format": (
        consistency.output_format,
        (TRAIN,),
        {"task": "classification"},
    ),
    "consistency.output_format json": (consistency.output_format, (FORMED,), {}),
    "consistency.system_prompt": (consistency.system_prompt, (TRAIN,), {}),
    "diversity": (diversity.find, (PROSE,), {"task": "qa", "distinct": 0.9}),
    "diversity opening": (
        diversity.find,
        (TRAIN,),
        {"task": "classification", "distinct": 1.0, "opening": 0.1},
    ),
    "duplicates": (duplicates.find, (TRAIN,), {}),
    "duplicates.near": (duplicates.near, (TRAIN,), {}),
    "format": (format.find, (TRAIN,), {"fewest": 50}),
    "format rejected": (format.find, (PAIRS,), {"fewest": 6}),
    "labels.contradictions": (labels.contradictions, (TRAIN,), {}),
    "labels.errors": (labels.errors, (TRAIN,), {}),
    "leakage": (leakage.find, (TRAIN, TEST), {}),
    "leakage validation": (leakage.find, (TRAIN, VALIDATION), {}),
    "pii": (pii.find, (TRAIN,), {}),
    "preferences": (preferences.find, (PAIRS,), {}),
    "review": (review.find, (TRAIN,), {"folder": REVIEWS, "share": 1.0, "errors": 0.0}),
    "schema": (schema.find, (TRAIN, load_row_schema("row_schema.py:Row", GOLDEN, TRAIN)), {}),
    "secrets": (secrets.find, (TRAIN,), {}),
    "size": (size.find, (TRAIN,), {"task": "classification"}),
    "size qa": (size.find, (TRAIN,), {"task": "qa"}),
    "size.resolution": (size.resolution, (TEST, 0.95), {}),
    "size.test_size": (size.test_size, (TEST,), {}),
    "splits.drift": (splits.drift, (TRAIN, TEST), {}),
    "splits.share": (splits.share, (TRAIN, VALIDATION), {"low": 0.3, "high": 0.4}),
    "tokens": (tokens.find, (TRAIN, TokenizationSpec("openai:gpt-4o")), {}),
    "tokens pairs": (
        tokens.find,
        (PAIRS, TokenizationSpec(TRIAGE, max_length=8, rejected=True)),
        {},
    ),
    "memory.verbatim": (memorization.verbatim, (PROSE, TEST, ANSWERED), {}),
    "memory.extraction": (memorization.extraction, (PROSE, by_heart), {}),
    "memory.personal_data": (memorization.personal_data, (TEST, ANSWERED), {}),
    "memory.cut_off": (answer_quality.cut_off, (ANSWERED,), {}),
    "memory.refusals": (answer_quality.refusals, (ANSWERED,), {}),
    "overfitting": (overfitting.find, (plain("curves.jsonl"),), {}),
}


def found(name: str) -> Findings:
    """Run a check where findings can be accepted, which is where they have ids."""
    check, args, kwargs = CHECKS[name]
    with accepting({}):
        return check(*args, **kwargs)


def identities(findings: Findings) -> list[dict[str, Any]]:
    """Return what an accepted finding hangs on; hints, which are never accepted, aside."""
    return [{"row": f.row, "kind": f.kind, "id": f.id} for f in findings]


@pytest.mark.parametrize("name", CHECKS)
def test_a_finding_has_the_id_it_had(name: str) -> None:
    findings = found(name)
    assert findings.name == name.partition(" ")[0]
    assert identities(findings) == written("findings.json")[name]


def test_every_shipped_check_is_among_them() -> None:
    frozen = {check for check, *_ in CHECKS.values()}
    names = [m.name for m in pkgutil.walk_packages(tunegate_checks.__path__, "tunegate_checks.")]
    made = {
        value
        for module in map(importlib.import_module, names)
        for value in vars(module).values()
        if inspect.isgeneratorfunction(getattr(value, "__wrapped__", None))
    }
    assert len(made) > 20
    assert made == frozen


def test_accepted_findings_stay_accepted(tmp_path: Path, run_pytest: RunPytest) -> None:
    root = Path(shutil.copytree(GOLDEN / "accepted", tmp_path / "tickets"))
    for split in ("train", "validation", "test"):
        shutil.copy(GOLDEN / "data" / f"{split}.jsonl", root)
    shutil.copytree(ROOT / "suites" / "data", root / "suites" / "data")
    entries = read_accepted(root)
    assert {e.check for e in entries.values()} >= {"pii", "duplicates.near", "leakage", "size"}
    code, out = run_pytest(root, "suites/data")
    assert code == 0, out
    assert f"{len(entries)} findings were accepted in accepted.toml" in out
    path = root / "accepted.toml"
    path.write_text(path.read_text("utf-8").partition("[[accepted]]")[0], "utf-8")
    code, out = run_pytest(root, "suites/data/test_personal_data.py")
    assert code == 1, out  # it was the file that made them pass


# Digests.


def test_two_spellings_of_json_stay_apart() -> None:
    for case in written("digests.json")["values"]:
        assert sha256_json(case["value"]) == case["compact"]
        assert sha256_spaced_json(case["value"]) == case["spaced"]
        assert case["compact"] != case["spaced"]


def test_data_has_the_digests_it_had(tmp_path: Path) -> None:
    for name, known in written("digests.json")["data"].items():
        dataset = rows(name)
        assert dataset.digest == known["bytes"]
        assert StateDir(tmp_path).store_snapshot(
            (GOLDEN / "data" / f"{name}.jsonl").read_bytes()
        ).name == (f"{known['bytes']}.jsonl")
        assert row_fingerprint(dataset[0]) == known["first row"]
        assert row_id(dataset[0]) == known["first id"]
        assert rows_fingerprint(dataset) == known["rows"]
        assert draw_order(dataset, range(len(dataset)), 7) == known["drawn with seed 7"]


def test_a_mapping_of_columns_is_part_of_what_data_is() -> None:
    known = written("digests.json")["columns"]
    dataset = Dataset.parse(known["csv"].encode(), columns=known["columns"])
    assert (dataset.digest, dataset.identity) == (known["bytes"], known["identity"])
    assert [dict(e.fields) for e in dataset] == known["rows"]


@pytest.mark.parametrize("spec", written("models.json"))
def test_a_model_has_the_digest_it_had(spec: str, models: Path) -> None:
    model = open_model(spec, models, load_files([]).openers)
    assert {"name": model.name, "digest": model.digest} == written("models.json")[spec]


def test_judges_are_asked_as_before() -> None:
    known = written("judge.json")
    assert prompt.prompt_version() == known["prompt"]
    assert rubric.load_rubric(GOLDEN / "rubric.toml").digest == known["rubric"]


# Runs, their receipts and their scorecards.


@pytest.mark.parametrize("name", [OLDER, NEWER])
def test_an_old_run_verifies(name: str, project: Path) -> None:
    run = find_finished(StateDir(project), name[:6])
    run.verify()
    known = written("runs.json")[name]
    assert (run.id, run.finished) == (name, True)
    assert run.model_of() == (known["model"], known["digest"])
    assert run.record["receipt"] == sha256_json(run.receipt) == known["receipt"]
    assert {"seal": known["seal"], **run.receipt} == json.loads(
        (run.folder / "receipt.json").read_text("utf-8")
    )
    assert dict(run.plan.config) == json.loads((run.folder / "config.json").read_text("utf-8"))


@pytest.mark.parametrize("file", ["receipt.json", "run.json"])
def test_an_old_seal_still_tells_a_change(file: str, project: Path) -> None:
    run = Run(StateDir(project), OLDER)
    path = run.folder / file
    body = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**body, "run": NEWER}))
    with pytest.raises(SealBroken, match="was changed since"):
        run.verify()


def test_latest_is_the_run_that_was_made_last(project: Path) -> None:
    state = StateDir(project)
    assert find_finished(state, "latest").id == NEWER
    assert resolve_candidate("latest", state).run.id == NEWER  # type: ignore[union-attr]
    for name in (OLDER, NEWER):
        by_id, by_spec = (
            resolve_candidate(f"run:{name}", state),
            find_finished(state, name).model_of()[0],
        )
        assert (by_id.spec, by_id.digest) == find_finished(state, name).model_of()
        made = resolve_candidate(by_spec, state)
        assert (made.run.id, made.digest) == (name, by_id.digest)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [OLDER, NEWER])
def test_an_old_run_may_be_promoted(name: str, project: Path) -> None:
    state, test = StateDir(project), Dataset.read(project / "test.jsonl", "test")
    model = hashlib.sha256((state.runs / name / "toy.txt").read_bytes()).hexdigest()
    assert check_promotable(resolve_candidate(f"run:{name}", state), model, test, state).id == name
    assert (
        baselines.recall_baseline(state, "toy:base", test.identity) == written("runs.json")["base"]
    )


def test_scorecards_have_the_digests_they_had(project: Path) -> None:
    cards = {path.stem: path for path in StateDir(project).runs.glob("*/scorecards/*.json")}
    promoted = [e["scorecard"] for e in Registry(project).entries() if "scorecard" in e]
    assert len(promoted) == len(cards) == 3
    for whole in promoted:
        card = json.loads(cards[whole[:12]].read_text("utf-8"))
        assert card_digest(card) == whole
        assert card_digest({**card, "made": "some other day"}) == whole


def test_a_promotion_of_an_old_run_goes_through(project: Path, run_pytest: RunPytest) -> None:
    shutil.copy(GOLDEN / "answerless.py", project / "conftest.py")
    suite = project / "suites" / "model"
    suite.mkdir(parents=True)
    shutil.copy(GOLDEN / "quality.py", suite / "test_quality.py")
    before = (project / "registry.jsonl").read_bytes()
    options = ("--model", "latest", "--promote", "canary", "--why", "as good as ever")
    code, out = run_pytest(project, "suites/model", *options)
    assert code == 0, out
    assert f"canary is now run:{NEWER}" in out
    assert (project / "registry.jsonl").read_bytes().startswith(before)
    assert Registry(project).current("canary")["run"] == NEWER  # type: ignore[index]


# The registry.


def test_the_registry_reads_as_before_and_goes_on(project: Path) -> None:
    registry = Registry(project)
    assert registry.entries() == written("registry.json")
    assert [e["run"] for e in promotions_in_force(registry.entries(), "production")] == [OLDER]
    production, staging = registry.current("production"), registry.current("staging")
    assert (production or {})["run"] == OLDER
    assert (staging or {})["run"] == NEWER
    last = (project / "registry.jsonl").read_bytes().splitlines()[-1]
    added = registry.append("promote", "production", {"run": NEWER}, "one line more")
    assert added["previous"] == hashlib.sha256(last).hexdigest()
    assert registry.entries() == [*written("registry.json"), added]
    assert registry.rollback("production", "and back")["run"] == OLDER


# The cache of answers.


def test_the_cache_gives_the_answers_it_was_given(tmp_path: Path) -> None:
    path = Path(shutil.copy(GOLDEN / "answers.sqlite", tmp_path))
    cache = AnswerCache(path)
    try:
        for case in written("answers.json"):
            request = Request(5, case["messages"], case["repetition"])
            (answer,) = cache.get(case["model"], [request]).values()
            told = {key: getattr(answer, key) for key in case["answer"]}
            assert (answer.row, told) == (5, case["answer"])
            assert cache.get("another model", [request]) == {}
    finally:
        cache.close()


# The configuration.


def held(known: Any, now: Any) -> bool:
    """Say whether all that was known is there unchanged; a key that came later may stand by."""
    if isinstance(known, dict) and isinstance(now, dict):
        return all(key in now and held(value, now[key]) for key, value in known.items())
    return bool(known == now)


@pytest.mark.parametrize("name", ["every_key", "accepted"])
def test_a_configuration_means_what_it_meant(name: str) -> None:
    config = configuration.load(GOLDEN / name).model_dump(mode="json")
    assert held(written("config.json")[name], config)
