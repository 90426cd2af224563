"""`with accepting(entries):` accepts the findings of these entries inside the block."""

from .outcome import collect_outcomes

accepting = collect_outcomes
