"""Says in in-toto statements, signed, what is known of a run: others verify them by the key alone.

The predicate of the training is https://slsa.dev/provenance/v1, else a record of docs/schemas.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..interfaces.installed import load_files
from ..models.spec import open_unchanged
from ..storage.registry import Registry
from ..storage.state_dir import Run, read_unverified
from ..utils.files import sha256_bytes, sha256_file
from ..utils.optional_deps import require
from ..utils.text import os_error_text
from .promotion import line_faults

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SCHEMA = "urn:tunegate:schema:{}:v1"
Statement = Mapping[str, Any]


def statements(run: Run, registry: Registry, builder: str) -> Iterator[Statement]:
    """Yield in-toto v1 statements of a run's seals; SealBroken, ConfigError for another model."""
    run.verify()
    receipt, (spec, digest) = run.receipt, run.model_of()
    open_unchanged(spec, digest, str(run), run.state.root, load_files(run.plugins).openers)
    data = [_subject(split, found["digest"]) for split, found in sorted(receipt["data"].items())]
    model = [*_files(run.state.root / spec.partition(":")[2])] or [_subject(spec, digest)]
    yield _statement(data, SCHEMA.format("receipt"), read_unverified(run.folder / "receipt.json"))
    base = {"name": run.plan.base, "digest": {"sha256": run.plan.base_digest}}
    yield _statement(model, "https://slsa.dev/provenance/v1", {
        "buildDefinition": {
            "buildType": f"urn:tunegate:training:{run.plan.trainer}:v1",
            "externalParameters": {"config": receipt["config"], "seed": run.plan.seed},
            "resolvedDependencies": [base, *data],
        },
        "runDetails": {
            "builder": {"id": builder},
            "metadata": {"invocationId": run.id, "startedOn": receipt["made"]},
        },
    })  # fmt: skip
    history = registry.history()
    for number, entry in enumerate(history.entries):
        if entry.get("run") == run.id and entry.get("model_digest") == digest:
            for fault in line_faults(history, number, run.state):
                raise ConfigError(f"{registry.path}: line {number + 1}: {fault}")
            if "scorecard" in entry:  # its digest; no seal holds the others
                card = read_unverified(run.scorecard_path(entry["scorecard"][:12]))
                yield _statement(model, SCHEMA.format("scorecard"), card)
            yield _statement(model, SCHEMA.format("registry-line"), dict(entry))


def _statement(subject: Sequence[Statement], predicate_type: str, predicate: Any) -> Statement:
    kind = {"_type": "https://in-toto.io/Statement/v1", "subject": subject}
    return {**kind, "predicateType": predicate_type, "predicate": predicate}


def _subject(name: str, digest: str) -> Statement:
    return {"name": name, "digest": {"sha256": digest}}


def _files(path: Path) -> Iterator[Statement]:
    """Yield the files of a model, by their names in its folder; none for one at a provider."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            yield _subject(file.relative_to(path.parent).as_posix(), sha256_file(file))


def signer(path: Path) -> Callable[[Statement], dict[str, Any]]:
    """Return what encloses a statement in a signed envelope (DSSE v1); raises ConfigError."""
    require("cryptography", "attest")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:  # TypeError: it has a password
        raise ConfigError(f"--key {path}: no private key in PEM: {os_error_text(error)}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        made = "openssl ecparam -name prime256v1 -genkey -noout"
        raise ConfigError(f"--key {path}: an ECDSA key on P-256 is needed: {made}")
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    key_id = sha256_bytes(key.public_key().public_bytes(*form))

    def enclose(statement: Statement) -> dict[str, Any]:
        payload = json.dumps(statement, ensure_ascii=False, sort_keys=True).encode()
        # The pre-authentication encoding of https://github.com/secure-systems-lab/dsse.
        head = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode()
        signature = key.sign(head + payload, ec.ECDSA(hashes.SHA256()))
        signed = {"sig": base64.b64encode(signature).decode(), "keyid": key_id}
        body = base64.b64encode(payload).decode()
        return {"payload": body, "payloadType": PAYLOAD_TYPE, "signatures": [signed]}

    return enclose
