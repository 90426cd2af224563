"""From a run to a merged model: proven, whole or not there, and part of the run's chain."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import pytest
from elsewhere import finished
from tiny_llama import ticket

from tunegate.errors import ConfigError
from tunegate.gates import promotion
from tunegate.interfaces.installed import Installed
from tunegate.interfaces.model import ModelUnknown, Request
from tunegate.interfaces.trainer import TrainingFailed
from tunegate.models import spec
from tunegate.models.evaluation import measure_baseline
from tunegate.results.labels import exact
from tunegate.storage.state_dir import Run, StateDir, find_finished
from tunegate_qlora.commands import merge
from tunegate_qlora.model import weights
from tunegate_qlora.model.local_model import open_folder
from tunegate_qlora.trainer import QLoRATrainer
from tunegate_qlora.training import loss


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, finished_project: Path) -> Run:
    """A finished run, which the tests of this file share."""
    root = tmp_path_factory.mktemp("project") / "copy"
    shutil.copytree(finished_project, root, symlinks=True)
    return find_finished(StateDir(root), "latest")


@pytest.fixture
def run(trained: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """That run, standing in its project."""
    monkeypatch.chdir(trained.state.root)
    return Run(trained.state, trained.id)


def command(module: Any, *argv: str) -> Any:
    parser = argparse.ArgumentParser()
    module.arguments(parser)
    return module.run(parser.parse_args(argv))


@pytest.mark.slow
def test_a_merged_model_answers_as_its_adapter_and_belongs_to_its_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run.age[0]
    assert command(merge, run.id) == 0
    out = capsys.readouterr().out
    assert "good: within" in out
    assert out.endswith(f"next      pytest suites/model --model run:{run.id}@merged\n")
    assert Run(run.state, run.id).age[0] == before  # `latest` is what it was
    found = spec.resolve_candidate(f"run:{run.id}@merged", run.state)
    merged = spec.open_model(found.spec, run.state.root, {"folder": open_folder})
    assert merged.digest == found.digest
    assert f"| this model | {found.digest} |" in (run.folder / "merged/README.md").read_text()
    own = (run.folder / "adapter/README.md").read_text()
    assert f"| this model | {run.record['digest']} |" in own
    asked = [Request(i, ticket(i)["messages"][:-1]) for i in range(6)]
    texts = {answer.row: answer.text for answer in merged.answers(asked)}
    assert texts == {i: ticket(i)["messages"][-1]["content"] for i in range(6)}
    Run(run.state, run.id).verify()  # the adapter's own chain is whole
    for name in ("adapter", "merged"):
        (run.folder / name / "README.md").unlink()
    QLoRATrainer().scorecard_written(run.plan, run.folder)  # both cards are written anew
    assert (run.folder / "adapter/README.md").read_text() == own
    assert f"| this model | {found.digest} |" in (run.folder / "merged/README.md").read_text()
    assert spec.resolve_candidate(f"run:{run.id}", run.state).digest == run.record["digest"]


@pytest.mark.slow
def test_what_is_merged_is_not_merged_over(run: Run) -> None:
    (run.state.root / "there").mkdir(exist_ok=True)
    with pytest.raises(ConfigError, match="there is there already"):
        command(merge, run.id, "-o", "there")


def test_a_merged_model_may_be_promoted_by_its_own_digest(run: Run) -> None:
    if not (run.folder / "merged").exists():
        command(merge, run.id)
    found = spec.resolve_candidate(f"run:{run.id}@merged", run.state)
    test = run.data("test")
    assert promotion.check_promotable(found, found.digest, test, run.state).id == run.id
    with pytest.raises(promotion.PromotionRefused, match="it was changed"):
        promotion.check_promotable(found, run.record["digest"], test, run.state)


def test_the_model_may_answer_otherwise_and_be_promoted(run: Run) -> None:
    plugins = Installed({"qlora": QLoRATrainer}, {"folder": open_folder})
    recorded = run.record["digest"]
    before = (run.folder / "run.json").read_bytes()
    found = spec.resolve_candidate(f"run:{run.id}?max_new_tokens=3", run.state, lambda: plugins)
    assert found.run is not None
    assert (run.folder / "run.json").read_bytes() == before  # options alone record nothing
    run.add_checkpoint(found.checkpoint, found.spec, found.digest)
    assert (found.spec, found.digest != recorded) == (
        f"{run.record['model']}?max_new_tokens=3",
        True,
    )
    assert open_folder(found.spec.removeprefix("folder:"), run.state.root).digest == found.digest
    again = spec.resolve_candidate(f"run:{run.id}?max_new_tokens=3", run.state)
    by_spec = spec.resolve_candidate(found.spec, run.state)
    for one in (again, by_spec):
        assert (one.spec, one.digest, one.base) == (found.spec, found.digest, found.base)
    assert found.base == spec.with_query(run.plan.base, "max_new_tokens=3") != run.plan.base
    by_vllm = spec.resolve_candidate(f"vllm:{run.id}?max_new_tokens=3", run.state, lambda: plugins)
    assert (by_vllm.run and by_vllm.run.id, by_vllm.checkpoint, by_vllm.digest in recorded) == (
        *(run.id, "?engine=vllm&max_new_tokens=3", False),
    )
    assert by_vllm.base == spec.with_query(run.plan.base, "engine=vllm&max_new_tokens=3")
    test = run.data("test")
    with pytest.raises(promotion.PromotionRefused, match=r"\?.*max_new_tokens=3.* never measured"):
        promotion.check_promotable(again, found.digest, test, run.state)
    base = spec.open_model(found.base, run.state.root, {"folder": open_folder})
    measure_baseline(base, found.base, test, exact, run.state, lambda *_: None)
    assert promotion.check_promotable(again, found.digest, test, run.state).id == run.id
    for query in ("quantisation=none", "chat_template=own.jinja", "max_new_token=3"):
        with pytest.raises(ModelUnknown, match="is no decoding; valid: max_new_tokens"):
            spec.resolve_candidate(f"run:{run.id}?{query}", run.state, lambda: plugins)


@pytest.mark.parametrize("harm", ["no adapter", "rounded to 4 bits"])
def test_a_merge_that_loses_what_was_learned_is_not_written(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    merge_adapter, load = weights.merge_adapter, weights.load_adapter

    def spoilt(model: Any, tuned: Path) -> Any:
        adapted = load(model, tuned)
        for name, weight in adapted.named_parameters():
            if harm == "no adapter":
                weight.data *= "lora_B" not in name
            else:
                weight.data *= 0.5
        return adapted

    def merge_spoilt(*parts: Any) -> None:
        monkeypatch.setattr(weights, "load_adapter", spoilt)
        merge_adapter(*parts)
        monkeypatch.setattr(weights, "load_adapter", load)

    monkeypatch.setattr(weights, "merge_adapter", merge_spoilt)
    assert command(merge, run.id, "-o", "spoilt") == 70
    assert "not good, nothing was written: the merged model's loss is" in capsys.readouterr().err
    assert not list(run.state.root.glob("spoilt*"))


def test_an_adapter_that_was_changed_is_not_merged(run: Run) -> None:
    path = run.folder / "adapter/adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    try:
        with pytest.raises(ConfigError, match="it was changed since"):
            command(merge, run.id, "-o", "changed")
    finally:
        path.write_bytes(whole)


def test_the_tolerance_is_stated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "differs", lambda *_: True)
    with pytest.raises(TrainingFailed, match=r"further apart than 0\.0"):
        merge.merge_run(run, run.folder / "elsewhere")


def test_what_has_no_adapter_is_not_merged(project: Path) -> None:
    run = finished(project, method="full", epochs=1)
    with pytest.raises(ConfigError, match=r"was trained in full: .*model is whole"):
        command(merge, run.id)
    with pytest.raises(ConfigError, match="no finished run 'zz'"):
        command(merge, "zz")
