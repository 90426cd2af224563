"""What goes over the wire, as JSON Schema: the parts of the OpenAI protocol that we speak.

Written from OpenAI's published description (openai/openai-openapi, 2.3.0), and held to it by
`test_wire.py` where a copy of that is at hand.
"""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
AUTO: dict[str, Any] = {"enum": ["auto"]}


def some(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that takes null too."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Return the schema of an object; what it does not name may be there."""
    properties = {**required, **optional}
    return {"type": "object", "required": list(required), "properties": properties}


def listing(item: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a page of things."""
    return record(
        {"object": {"enum": ["list"]}, "data": {"type": "array", "items": item}},
        has_more={"type": "boolean"},
    )


HYPERPARAMETERS = record(
    {},
    n_epochs={"anyOf": [AUTO, {**WHOLE, "minimum": 1, "maximum": 50}]},
    batch_size={"anyOf": [AUTO, {**WHOLE, "minimum": 1, "maximum": 256}]},
    learning_rate_multiplier={"anyOf": [AUTO, {"type": "number", "exclusiveMinimum": 0}]},
    beta={"anyOf": [AUTO, {"type": "number", "exclusiveMinimum": 0, "maximum": 2}]},
)
TUNED = record({}, hyperparameters=HYPERPARAMETERS)
METADATA = {"type": "object", "maxProperties": 16, "additionalProperties": TEXT}
METADATA["additionalProperties"] = {**TEXT, "maxLength": 512}
METHODS = {"enum": ["supervised", "dpo", "reinforcement"]}
METHOD = record({"type": METHODS}, supervised=TUNED, dpo=TUNED)

MODEL = record(
    {"id": TEXT, "object": {"enum": ["model"]}, "created": WHOLE, "owned_by": TEXT},
    shutdown_date=some(TEXT),
)
FILE = record(
    {
        "id": TEXT, "object": {"enum": ["file"]}, "bytes": WHOLE, "created_at": WHOLE,
        "filename": TEXT, "purpose": TEXT, "status": {"enum": ["uploaded", "processed", "error"]},
    }
)  # fmt: skip
ASKED = record(
    {"model": TEXT, "training_file": TEXT},
    validation_file=some(TEXT),
    method=METHOD,
    suffix=some({**TEXT, "minLength": 1, "maxLength": 64}),
    seed=some({**WHOLE, "minimum": 0, "maximum": 2**31 - 1}),
    integrations=some({"type": "array"}),
    metadata=some(METADATA),
)
WHY = record({"code": TEXT, "message": TEXT, "param": some(TEXT)})
JOB = record(
    {
        "id": TEXT, "object": {"enum": ["fine_tuning.job"]}, "created_at": WHOLE,
        "error": some({"anyOf": [WHY, {"type": "object", "maxProperties": 0}]}),
        "fine_tuned_model": some(TEXT), "finished_at": some(WHOLE),
        "hyperparameters": HYPERPARAMETERS, "model": TEXT, "organization_id": TEXT,
        "result_files": {"type": "array", "items": TEXT}, "seed": WHOLE, "status": TEXT,
        "trained_tokens": some(WHOLE), "training_file": TEXT, "validation_file": some(TEXT),
    },
    metadata=some(METADATA),
    method=METHOD,
)  # fmt: skip
EVENT = record(
    {
        "id": TEXT, "object": {"enum": ["fine_tuning.job.event"]}, "created_at": WHOLE,
        "level": {"enum": ["info", "warn", "error"]}, "message": TEXT,
    },
    type={"enum": ["message", "metrics"]},
    data={"type": "object"},
)  # fmt: skip
CHECKPOINT = record(
    {
        "id": TEXT, "object": {"enum": ["fine_tuning.job.checkpoint"]}, "created_at": WHOLE,
        "fine_tuned_model_checkpoint": TEXT, "step_number": WHOLE, "fine_tuning_job_id": TEXT,
        "metrics": {"type": "object"},
    }
)  # fmt: skip
CHAT = record(
    {"model": TEXT, "messages": {"type": "array", "minItems": 1, "items": record({"role": TEXT})}},
    temperature={"type": "number", "minimum": 0, "maximum": 2},
)
COMPLETION = record(
    {
        "id": TEXT, "object": {"enum": ["chat.completion"]}, "created": WHOLE, "model": TEXT,
        "choices": {"type": "array", "minItems": 1, "items": record({"message": {}})},
    },
    usage=record({"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE}),
)  # fmt: skip
ERROR = record(
    {"error": record({"type": TEXT, "message": TEXT, "param": some(TEXT), "code": some(TEXT)})}
)
