"""Makes the receipt of a data gate."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..config.suite_files import project_version
from ..utils.hashing import sha256_json
from ..utils.masking import mask
from .decision import Gate, GateDecision
from .suite import installed_versions


def make_receipt(
    gate: Gate, run: str, decision: GateDecision, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the receipt: which bytes passed which tests, under which limits, and who took part.

    `verdict`, a digest, is the same wherever the same suite passed on the same data.
    """
    session, suites = gate.session, project_version(gate.session.root)
    version = {"tunegate": suites.tunegate, "digest": suites.digest} if suites else {}
    tests = decision.collected.tests
    receipt = {
        "run": run,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            split: {
                "path": str(session.splits.paths[split]),
                "digest": digest,
                "n": len(session.splits.get(split)),
            }
            for split, digest in decision.digests.items()
        },
        "suite": {"path": str(gate.suite), "files": gate.suite_files, "version": version},
        "tests": {n: session.results.passed[n] for n in tests},
        "unjudged": session.results.unjudged(),
        "removed": decision.collected.removed,
        "accepted": session.seen.to_receipt(session.accepted),
        "limits": session.config.limits.model_dump(),
        "config": dict(settings),
        "versions": installed_versions("torch", "transformers", "peft", "bitsandbytes"),
        "environment": environment_record(gate),
    }
    return {**receipt, "verdict": verdict_digest(receipt)}


def verdict_digest(receipt: Mapping[str, Any]) -> str:
    """Return the digest of data, suite, configuration, tests and judgements of a receipt."""
    judged = {key: receipt[key] for key in ("tests", "removed", "accepted", "limits", "config")}
    data = {split: values["digest"] for split, values in receipt["data"].items()}
    return sha256_json({**judged, "data": data, "suite": receipt["suite"]["files"]})


def environment_record(gate: Gate) -> dict[str, Any]:
    """Return who took part in a session; private values in it are masked."""
    record = gate.session.environment.to_dict(gate.session.root)
    record["command"] = [mask(argument) for argument in record["command"]]
    record["variables"] = {key: mask(value) for key, value in record["variables"].items()}
    return record
