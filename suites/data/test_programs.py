"""Programs of your own, in any language: `[checks.NAME]` in the configuration."""

from tunegate import Dataset
from tunegate.interfaces.programs import Program
from tunegate_checks.data import programs


def test_program(dataset: Dataset, program_check: Program) -> None:
    """Each program reads the rows of each split, and writes what it finds."""
    assert not programs.find(dataset, program=program_check)
