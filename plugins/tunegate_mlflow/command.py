"""Send a run to MLflow, with data, scores, model and aliases.

Sent again, it stays one run. Its experiment is MLFLOW_EXPERIMENT_NAME, else named as the project.

$ tunegate run export mlflow latest
"""

import argparse
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunegate.config.project import current_project
from tunegate.errors import ConfigError
from tunegate.interfaces.installed import load_files
from tunegate.models.evaluation import read_scorecards
from tunegate.models.spec import open_unchanged
from tunegate.results.session_results import scorecard_digest
from tunegate.storage.registry import Registry
from tunegate.storage.state_dir import Run, StateDir, find_finished
from tunegate.utils.files import sha256_json
from tunegate.utils.masking import add_json_option, hide_values, print_result
from tunegate.utils.optional_deps import require


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the id of a finished run, or latest")
    uri, text = os.environ.get("MLFLOW_TRACKING_URI"), "default: MLFLOW_TRACKING_URI"
    parser.add_argument("--uri", default=uri, help=text)
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Send the run, and print what is new there; a server's error is a ConfigError."""
    sent_run = find_finished(StateDir(current_project()), args.run)
    if not args.uri:
        raise ConfigError("which server? Set MLFLOW_TRACKING_URI, or say --uri http://HOST:PORT")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # which would tell its makers
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seconds, not minutes
    mlflow, project = require("mlflow", "mlflow"), sent_run.state.root.resolve().name
    try:
        client = mlflow.MlflowClient(args.uri)
        id_ = send_run(client, sent_run, os.environ.get("MLFLOW_EXPERIMENT_NAME", project))
        models = [*send_models(client, sent_run, id_, re.sub(r"[^\w.-]", "-", project))]
    except mlflow.exceptions.MlflowException as error:
        again = f"then again: tunegate run export mlflow {sent_run.id}"
        raise ConfigError(f"{args.uri}: {str(error).splitlines()[0]}; {again}") from None
    told = {"run": sent_run.id, "uri": args.uri, "mlflow_run": id_, "models": models}
    print_result(args.json, told, [f"{sent_run} is run {id_} at {args.uri}", *models])


def send_run(client: Any, run: Run, experiment: str) -> str:
    """Send what is known of a run, but for its models; return the id of its MLflow run."""
    entities, plan, receipt = require("mlflow.entities", "mlflow"), run.plan, run.receipt
    there = client.get_experiment_by_name(experiment)
    where = there.experiment_id if there else client.create_experiment(experiment)
    found = client.search_runs([where], f"tags.`tunegate.run` = '{run.id}'")
    made, tags = int(run.age[0].timestamp() * 1000), {"tunegate.run": run.id}
    sent = found[0] if found else client.create_run(where, made, tags, run.id)
    id_ = sent.info.run_id
    client.log_dict(id_, hide_values(receipt), "receipt.json")
    tags["tunegate.receipt"] = sha256_json(receipt)
    points = [(k, v, reading["step"]) for reading in run.curves() for k, v in reading.items()]
    for step, (path, card) in enumerate(read_scorecards(run).items()):
        tags[f"tunegate.scorecard.{path.stem}"], shown = scorecard_digest(card), hide_values(card)
        client.log_dict(id_, shown, f"scorecards/{path.name}")
        for score in [*shown["scores"], *shown["missed"]]:
            name = re.sub(r"[^\w.\- /:]", "-", score["name"])
            points += [(f"{name}.{key}", score.get(key), step) for key in ("low", "high", "n")]
            points.append((name, score.get("value"), step))
    for split, data in hide_values(receipt["data"]).items():
        name, source = Path(data["path"]).name, json.dumps({"uri": data["path"]})
        rows = entities.Dataset(name, data["digest"][:16], "local", source)
        context = entities.InputTag("mlflow.data.context", split)
        client.log_inputs(id_, [entities.DatasetInput(rows, [context])])
        tags[f"tunegate.{split}"] = data["digest"]
    metrics = [entities.Metric(k, v, made, int(step)) for k, v, step in points if v is not None]
    about = {"trainer": plan.trainer, "base": plan.base, "seed": plan.seed}
    settings = {k: v for k, v in {**plan.config, **about}.items() if k not in sent.data.params}
    params = [entities.Param(k, str(v)) for k, v in hide_values(settings).items()]
    client.log_batch(id_, metrics, params, [entities.RunTag(*tag) for tag in tags.items()])
    client.set_terminated(id_, end_time=made)
    return str(id_)


def send_models(client: Any, run: Run, id_: str, name: str) -> Iterator[str]:
    """Send the models of a run as versions, and set the aliases; yield both in words."""
    history, openers = Registry(run.state.root).history(), load_files(run.plugins).openers
    promoted = [(e["model"], e["model_digest"]) for e in history.entries if e.get("run") == run.id]
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    known = client.search_model_versions(f"name = '{name}'")
    versions = {version.tags.get("tunegate.model"): version.version for version in known}
    for spec, digest in dict.fromkeys([run.model_of(), *promoted]):
        if digest in versions:
            continue
        open_unchanged(spec, digest, str(run), run.state.root, openers)
        path, place = run.state.root / spec.partition(":")[2], f"models/{digest[:12]}"
        if run.folder in path.parents and path.exists():
            client.log_artifact(id_, path, place)
        else:  # at a provider
            client.log_text(id_, spec, f"{place}/model.txt")
        tags = {"tunegate.run": run.id, "tunegate.model": digest}
        made = client.create_model_version(name, f"runs:/{id_}/{place}", id_, tags)
        versions[digest] = made.version
        yield f"version {made.version} of {name} is {spec}"
    for alias, standing in history.last.items():
        entry: dict[str, Any] = standing.entry or {}
        if version := versions.get(entry.get("model_digest")):
            client.set_registered_model_alias(name, alias, version)
            yield f"{alias} is version {version}"
        elif alias in client.get_registered_model(name).aliases:
            client.delete_registered_model_alias(name, alias)
            yield f"{alias} is none of these versions: send run {entry.get('run')}"
