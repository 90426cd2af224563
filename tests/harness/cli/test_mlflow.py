"""`tunegate run export mlflow`: what MLflow's own client reads back, from a store in a folder."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from published import check

from tunegate.cli.main import main
from tunegate.storage.registry import Registry
from tunegate.storage.state_dir import Run, StateDir, find_finished
from tunegate.utils.files import sha256_json

if TYPE_CHECKING:
    from conftest import Project

Out = pytest.CaptureFixture[str]
# No figures for its makers, no line of its own in what --json prints, and soon done with a server
# that is not there.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not here"),
    pytest.mark.usefixtures("own_modules"),
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty store, in a folder: mlflow-skinny has no database."""
    uri = (tmp_path / "store").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    for name in SETTINGS:
        monkeypatch.setenv(name, "")  # so that they are unset again
        monkeypatch.delenv(name)
    return uri


def client(uri: str) -> Any:
    return importlib.import_module("mlflow").MlflowClient(uri)


def runs(uri: str, name: str = "project") -> list[Any]:
    reader = client(uri)
    return [*reader.search_runs([reader.get_experiment_by_name(name).experiment_id])]


def export(*words: str) -> None:
    assert main(["run", "export", "mlflow", *words]) == 0


def test_mlflow_reads_back_settings_scores_data_and_records(promoted: Project, store: str) -> None:
    run = Run(StateDir(promoted.root), promoted.run.name)
    curves = [{"step": 1, "train_loss": 2.0}, {"step": 2, "train_loss": 1.0, "epoch": 1.0}]
    (run.folder / "curves.jsonl").write_text("".join(json.dumps(c) + "\n" for c in curves))
    export("latest")
    (sent,) = runs(store)
    assert sent.info.run_name == run.id
    assert sent.info.status == "FINISHED"
    assert sent.data.params == {"base": "toy:base", "seed": "0", "trainer": "toy"}
    (card_path,) = run.folder.glob("scorecards/*.json")
    card = json.loads(card_path.read_bytes())
    (score,) = (s for s in card["scores"] if s["name"] == "accuracy")
    wanted = {"accuracy": 1.0, "accuracy.low": score["low"], "accuracy.high": 1.0, "accuracy.n": 6}
    assert wanted.items() <= sent.data.metrics.items()
    history = client(store).get_metric_history(sent.info.run_id, "train_loss")
    assert [(m.step, m.value) for m in history] == [(1, 2.0), (2, 1.0)]
    tags = sent.data.tags
    assert tags["tunegate.receipt"] == sha256_json(run.receipt)
    assert tags[f"tunegate.scorecard.{card_path.stem}"] == promoted.registry[0]["scorecard"]
    assert tags["tunegate.train"] == run.receipt["data"]["train"]["digest"]
    inputs = {i.tags[0].value: i.dataset for i in sent.inputs.dataset_inputs}
    assert inputs.keys() == {"train", "validation", "test"}
    path = run.receipt["data"]["test"]["path"]
    assert (inputs["test"].name, json.loads(inputs["test"].source)) == ("test.jsonl", {"uri": path})
    assert run.receipt["data"]["test"]["digest"].startswith(inputs["test"].digest)
    folder = Path(client(store).download_artifacts(sent.info.run_id, ""))
    assert json.loads((folder / "receipt.json").read_bytes())["run"] == run.id
    assert json.loads((folder / "scorecards" / card_path.name).read_bytes())["run"] == run.id


def test_the_alias_in_force_is_that_of_mlflow_also_after_a_rollback(
    promoted: Project, store: str, capsys: Out
) -> None:
    first, reader = promoted.run, client(store)
    export(first.name)
    version = reader.get_model_version_by_alias("project", "production")
    assert version.tags["tunegate.model"] == promoted.registry[0]["model_digest"]
    (sent,) = runs(store)
    assert (version.run_id, version.source.partition(":")[0]) == (sent.info.run_id, "runs")
    place = version.source.removeprefix(f"runs:/{sent.info.run_id}/")
    copied = Path(reader.download_artifacts(sent.info.run_id, place)) / "toy.txt"
    assert copied.read_bytes() == (first / "toy.txt").read_bytes()

    promoted.add("train.jsonl", (promoted.root / "train.jsonl").read_text().replace("n 1", "n 91"))
    assert promoted.gate().code == 0
    assert promoted.judge("--promote", "production", "--why", "more").code == 0
    capsys.readouterr()
    export(first.name)
    second = promoted.registry[-1]["run"]
    assert f"production is none of these versions: send run {second}" in capsys.readouterr().out
    assert reader.get_registered_model("project").aliases == {}
    export("latest")
    assert "production is version 2" in capsys.readouterr().out
    assert len(runs(store)) == 2

    assert main(["registry", "rollback", "production", "--why", "worse"]) == 0
    export("latest")
    assert int(reader.get_model_version_by_alias("project", "production").version) == 1


def test_sent_again_it_is_one_run_and_one_version(
    promoted: Project, store: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "shared/tickets")
    export("latest", "--json")
    told = json.loads(capsys.readouterr().out)
    promoted.add("tunegate.toml", "[limits]\naccuracy = 0.5\n")
    assert promoted.judge().code == 0  # one scorecard more
    export("latest", "--json")
    again = json.loads(capsys.readouterr().out)
    (sent,) = runs(store, "shared/tickets")
    check("run-export-mlflow", told)
    assert SETTINGS.items() <= os.environ.items()
    assert told["mlflow_run"] == again["mlflow_run"] == sent.info.run_id
    assert again["models"] == ["production is version 1"]
    assert len([tag for tag in sent.data.tags if "scorecard." in tag]) == 2
    assert len(client(store).search_model_versions("name = 'project'")) == 1


def test_a_model_that_was_changed_is_not_sent(promoted: Project, store: str, capsys: Out) -> None:
    (promoted.run / "toy.txt").write_text("other")
    assert main(["run", "export", "mlflow", "latest"]) == 2
    assert "its model was changed since it was trained" in capsys.readouterr().err
    assert client(store).search_model_versions("name = 'project'") == []


def test_a_model_at_a_provider_is_its_name(
    promoted: Project, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = find_finished(StateDir(promoted.root), "latest")
    monkeypatch.setattr(Run, "model_of", lambda self: ("openai:ft:small", "5e" * 32))
    monkeypatch.setattr("tunegate_mlflow.command.open_unchanged", lambda *args: None)
    export(run.id)
    found = client(store).search_model_versions("name = 'project'")
    version = next(v for v in found if v.tags["tunegate.model"] == "5e" * 32)
    path = client(store).download_artifacts(version.run_id, f"models/{'5e' * 6}/model.txt")
    assert Path(path).read_text() == "openai:ft:small"


def test_private_values_stay_here(
    project: Project, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In settings, receipt, and the names of scores, which are names of metrics too."""
    project.add("tunegate.toml", '[train.toy]\nnote = "said to ana.souza@clinica.com.br"\n')
    assert project.gate().code == 0
    assert project.judge("--promote", "production", "--why", "better").code == 0
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("OWN_API_KEY", "sk-own-0123456789abcdefghij")
    (path,) = (project.run / "scorecards").glob("*.json")
    card = json.loads(path.read_bytes())
    card["scores"][0]["name"] = "said sk-own-0123456789abcdefghij to ana.souza@clinica.com.br"
    path.write_text(json.dumps(card))
    export("latest")
    (sent,) = runs(store, project.root.name)
    assert sent.data.params["note"].startswith("said to ")
    files = [path for path in Path(store.removeprefix("file://")).rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() + bytes(path) for path in files)
    assert everything.count(b"said ") > 4
    assert b"clinica" not in everything
    assert b"sk-own-0123456789" not in everything


def test_mistakes_are_one_line_that_says_what_to_do(
    promoted: Project, capsys: Out, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = promoted.run.name
    assert main(["run", "export", "mlflow", run, "--uri", "http://127.0.0.1:9"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tunegate run export mlflow: http://127.0.0.1:9: ")
    assert line.endswith(f"then again: tunegate run export mlflow {run}")
    assert main(["run", "export", "mlflow", run, "--uri", "unknown://host"]) == 2
    assert "got unsupported URI 'unknown://host'" in capsys.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert main(["run", "export", "mlflow", run]) == 2
    assert "Set MLFLOW_TRACKING_URI, or say --uri" in capsys.readouterr().err
    assert main(["run", "export", "mlflow", "none"]) == 2
    assert "no finished run 'none'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert main(["run", "export", "mlflow", run, "--uri", store]) == 2
    assert "mlflow is not installed: pip install 'tunegate[mlflow]'" in capsys.readouterr().err
    assert Registry(promoted.root).current("production") is not None


def test_other_commands_import_no_mlflow() -> None:
    said = "import sys; from tunegate.cli.main import main; main(['run', 'export', 'mlflow', 'x'])"
    code = f"{said}; sys.exit('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
