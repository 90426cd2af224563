"""Where rows expect tool calls or offer tools, the model calls what it should, and nothing else."""

from tunegate import Limits, Predictions
from tunegate_checks.model import toolcalls


def test_tool_calls(clean: Predictions, limits: Limits) -> None:
    assert toolcalls.accuracy(clean) >= limits.tool_calls
