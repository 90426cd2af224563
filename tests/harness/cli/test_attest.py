"""`tunegate run attest`: what a run's seals hold, in envelopes that tools of others verify."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jsonschema import Draft202012Validator
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
Out = pytest.CaptureFixture[str]
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Path:
    path.write_bytes(key.private_bytes(PEM, PKCS8, serialization.NoEncryption()))
    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1()))


def envelopes(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def statement_of(envelope: dict[str, Any]) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return statement


def test_securesystemslib_verifies_each_envelope(
    promoted: Project, key: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    assert main(["run", "attest", "latest", "--key", str(key), "-o", str(out)]) == 0
    public = serialization.load_pem_public_key(key.with_suffix(".pub").read_bytes())
    found = envelopes(out)
    assert len(found) == 4
    for envelope in found:
        keyid = envelope["signatures"][0]["keyid"]
        trusted = SSlibKey.from_crypto(public, keyid=keyid, scheme="ecdsa-sha2-nistp256")
        assert Envelope.from_dict(deepcopy(envelope)).verify([trusted], 1).keys() == {keyid}
        changed = statement_of(envelope) | {"predicate": {}}
        envelope["payload"] = base64.b64encode(json.dumps(changed).encode()).decode()
        with pytest.raises(VerificationError):
            Envelope.from_dict(envelope).verify([trusted], 1)


def test_openssl_verifies_with_the_public_key_alone(
    promoted: Project, key: Path, tmp_path: Path
) -> None:
    if not (openssl := shutil.which("openssl")):
        pytest.skip("openssl is not installed")
    assert main(["run", "attest", "latest", "--key", str(key)]) == 0
    (path,) = promoted.root.glob("*.intoto.jsonl")
    for envelope in envelopes(path):
        body, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
        signed = f"DSSEv1 {len(kind)} {kind} {len(body)} ".encode() + body
        signature, pub = tmp_path / "sig", key.with_suffix(".pub")
        signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
        command = [openssl, "dgst", "-sha256", "-verify", str(pub), "-signature", str(signature)]
        subprocess.run(command, input=signed, check=True, capture_output=True)


def test_statements_are_about_the_files(promoted: Project, key: Path, capsys: Out) -> None:
    assert main(["run", "attest", "latest", "--key", str(key), "-o", "a.jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a.jsonl: 4 attestations of run ")
    made = [statement_of(envelope) for envelope in envelopes(promoted.root / "a.jsonl")]
    receipt, training, scorecard, promotion = made
    assert {s["_type"] for s in made} == {"https://in-toto.io/Statement/v1"}
    assert [s["predicateType"].split(":")[-2] for s in (receipt, scorecard, promotion)] == [
        "receipt", "scorecard", "registry-line",
    ]  # fmt: skip
    digests = {s["name"]: s["digest"]["sha256"] for s in receipt["subject"]}
    for split in ("train", "validation", "test"):
        data = (promoted.root / f"{split}.jsonl").read_bytes()
        assert digests[split] == sha256(data).hexdigest()
    assert receipt["predicate"]["run"] == promoted.run.name
    (model,) = training["subject"]
    assert model["name"] == "toy.txt"
    content = (promoted.run / "toy.txt").read_bytes()
    assert model["digest"]["sha256"] == sha256(content).hexdigest()
    assert scorecard["subject"] == promotion["subject"] == training["subject"]
    built = training["predicate"]["buildDefinition"]
    assert built["externalParameters"]["config"] == receipt["predicate"]["config"]
    assert [d["name"] for d in built["resolvedDependencies"]] == [
        "toy:base", "test", "train", "validation",
    ]  # fmt: skip
    assert training["predicate"]["runDetails"]["builder"] == {"id": "urn:tunegate:builder:local"}
    assert promotion["predicate"]["why"] == "better"
    for statement in (receipt, scorecard, promotion):  # the types are published
        name, version = statement["predicateType"].split(":")[-2:]
        schema = json.loads((SCHEMAS / f"{name}.{version}.json").read_text("utf-8"))
        assert schema["$id"] == statement["predicateType"]
        Draft202012Validator(schema).validate(statement["predicate"])


def test_a_signer_with_an_identity_takes_the_statements(promoted: Project) -> None:
    builder = "https://example.org/jobs/1"
    assert main(["run", "attest", "latest", "--unsigned", "--builder", builder, "-o", "s"]) == 0
    made = envelopes(promoted.root / "s")
    assert made[1]["predicateType"] == "https://slsa.dev/provenance/v1"
    assert made[1]["predicate"]["runDetails"]["builder"]["id"] == builder


@pytest.mark.parametrize("options", [[], ["--unsigned", "--key", "k"]])
def test_signed_or_unsigned_is_said(promoted: Project, options: list[str], capsys: Out) -> None:
    assert main(["run", "attest", "latest", *options]) == 2
    assert "either --key PEM or --unsigned" in capsys.readouterr().err


def test_another_kind_of_key_is_refused(promoted: Project, tmp_path: Path, capsys: Out) -> None:
    rsa_key = write_key(tmp_path / "rsa.pem", rsa.generate_private_key(65537, 2048))
    (tmp_path / "text.pem").write_text("no key")
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        PEM, PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    (tmp_path / "locked.pem").write_bytes(locked)
    other = write_key(tmp_path / "p384.pem", ec.generate_private_key(ec.SECP384R1()))
    names = {rsa_key: "ECDSA", other: "P-256", tmp_path / "text.pem": "no private key in PEM"}
    names |= {tmp_path / "locked.pem": "password", tmp_path / "none.pem": "No such file"}
    for path, said in names.items():
        assert main(["run", "attest", "latest", "--key", str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said.lower() in line.lower()
        assert str(path) in line
    assert not [*promoted.root.glob("*.intoto.jsonl")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("toy.txt", "its model was changed since it was trained"),
        ("receipt.json", "receipt.json"),
        ("scorecards", "registry.jsonl: line 1: scorecard: not as in "),
    ],
)
def test_what_was_changed_is_not_attested(
    promoted: Project, key: Path, name: str, said: str, capsys: Out
) -> None:
    path = promoted.run / name
    path = next(path.glob("*.json")) if path.is_dir() else path
    text = path.read_text("utf-8")
    path.write_text(text.replace('"n": ', '"n": 1') if path.suffix == ".json" else text + "\n")
    if name == "receipt.json":
        path.write_text(text.replace('"removed": []', '"removed": ["x"]'))
    assert main(["run", "attest", "latest", "--key", str(key)]) == 2
    assert said in capsys.readouterr().err
    assert not [*promoted.root.glob("*.intoto.jsonl")]


def test_a_promotion_that_was_edited_is_not_attested(
    promoted: Project, key: Path, capsys: Out
) -> None:
    path = promoted.root / "registry.jsonl"
    path.write_text(path.read_text().replace('"better"', '"best of all"'))
    assert main(["run", "attest", "latest", "--key", str(key)]) == 2
    assert "edited" in capsys.readouterr().err
