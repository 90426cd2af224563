"""Compare each entry with its run, receipt and scorecard.

Runs that are not on this machine are counted; nothing can be said of them.

$ tunegate registry verify
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..config.project import current_project

if TYPE_CHECKING:
    from ..storage.registry import RegistryEntry
    from ..storage.registry_chain import History
    from ..storage.run import Run


def arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(args: argparse.Namespace) -> int:
    """Print what is wrong, by line; exit status 1 where something is."""
    from ..storage.registry import Registry, RegistryBroken
    from ..storage.run import Run
    from ..storage.seal import SealBroken, verify_signed
    from ..storage.state_dir import StateDir

    root = current_project()
    registry, state = Registry(root), StateDir(root)
    try:
        history = registry.history()
    except RegistryBroken as error:
        print(error)
        return 1
    finished = {path.parent.name for path in state.runs.glob("*/run.json")}
    wrong = compared = 0
    for number, entry in enumerate(history.entries):
        faults = [*history_faults(history, number)]
        try:
            verify_signed(entry, state)
        except SealBroken as error:
            faults.append(str(error))
        if entry.get("run") in finished:
            compared += 1
            faults += run_faults(Run(state, entry["run"]), entry)
        wrong += bool(faults)
        for fault in faults:
            print(f"{registry.path}, line {number + 1}: {fault}")
    n = len(history.entries)
    print(f"{n} entries, {wrong} wrong; {compared} compared with a run that is here")
    return 1 if wrong else 0


def history_faults(history: History, number: int) -> Iterator[str]:
    """Yield where a rollback or a decision differs from the promotion that it goes back to."""
    from ..storage.registry import CHAIN_KEYS, MODEL_KEYS

    entry = history.entries[number]
    if entry["action"] not in ("rollback", "keep"):
        return
    promotion = history.standings[number][entry["alias"]].promotion
    if promotion is None:
        yield "it goes back to no promotion"
        return
    keys = MODEL_KEYS if entry["action"] == "rollback" else CHAIN_KEYS
    if differing := [key for key in keys if entry.get(key) != promotion.entry.get(key)]:
        yield f"{', '.join(differing)}: not as in the promotion that it goes back to"


def run_faults(run_: Run, entry: RegistryEntry) -> Iterator[str]:
    """Yield what an entry says otherwise than the sealed files of its run and the scorecard."""
    from ..results.scorecard import scorecard_digest
    from ..storage.seal import SealBroken
    from ..utils.hashing import sha256_json

    try:
        record = run_.record
        if (run_.folder / "receipt.json").is_file() and "receipt" in entry:
            if entry["receipt"] != sha256_json(run_.receipt):
                yield "it names another receipt than the run has"
        elif entry.get("receipt", record["receipt"]) != record["receipt"]:
            yield "it names another receipt than the run was trained on"
    except SealBroken as error:
        yield str(error)
        return
    models = [record, *record.get("checkpoints", {}).values()]
    names = [(model["model"], model["digest"]) for model in models]
    if (entry.get("model"), entry.get("model_digest")) not in names:
        yield f"it names a model that is not of run {run_.id}"
    if entry.get("trained", "") != run_.attestation:
        yield "what it says of who trained the model is not what the run says"
    digest = str(entry.get("scorecard", ""))
    path = run_.folder / "scorecards" / f"{digest[:12]}.json"
    if entry["action"] == "rollback" or not (run_.folder / "scorecards").is_dir():
        return  # a rollback names none
    if not digest.isalnum() or not path.is_file():
        yield "the scorecard that it names is not among those of the run"
        return
    try:
        card = json.loads(path.read_bytes())
        stated = (scorecard_digest(card), card["model_digest"], card["test"]["digest"])
        gate = card["gate"]
    except (ValueError, KeyError, TypeError, AttributeError):
        yield f"{path} is no scorecard"
        return
    said = (digest, entry.get("model_digest"), entry.get("test"))
    fields = ("scorecard", "model_digest", "test")
    if differing := [f for f, a, b in zip(fields, said, stated, strict=True) if a != b]:
        yield f"{', '.join(differing)}: not as in {path}"
    if gate != "open":
        yield f"the gate of {path} was closed: {gate}"
