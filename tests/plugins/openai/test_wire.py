"""Our schemas are the protocol's: nothing made up, nothing that it requires left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import wire

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "openai_protocol.openapi.json"
OURS = {
    "Model": wire.MODEL,
    "OpenAIFile": wire.FILE,
    "CreateFineTuningJobRequest": wire.ASKED,
    "FineTuningJob": wire.JOB,
    "FineTuningJobEvent": wire.EVENT,
    "FineTuningJobCheckpoint": wire.CHECKPOINT,
    "CreateChatCompletionResponse": wire.COMPLETION,
    "Error": wire.ERROR["properties"]["error"],
}


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    if not PUBLISHED.exists():
        pytest.skip("no copy of the published description here")
    schemas: dict[str, Any] = json.loads(PUBLISHED.read_text())["components"]["schemas"]
    return schemas


def merged(schema: dict[str, Any], among: dict[str, Any]) -> dict[str, Any]:
    """Return properties and required names, those of `allOf` and `$ref` with them."""
    found: dict[str, Any] = {"properties": {}, "required": []}
    if "$ref" in schema:
        schema = among[schema["$ref"].rpartition("/")[2]]
    for part in (schema, *(merged(s, among) for s in schema.get("allOf", []))):
        found["properties"] |= part.get("properties", {})
        found["required"] += part.get("required", [])
    return found


@pytest.mark.parametrize("name", OURS)
def test_as_published(name: str, published: dict[str, Any]) -> None:
    theirs, ours = merged(published[name], published), OURS[name]
    assert set(ours["properties"]) <= set(theirs["properties"])
    assert set(theirs["required"]) <= set(ours["required"])
