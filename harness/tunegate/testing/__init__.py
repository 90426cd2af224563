"""What tests of one's own checks draw from: clean rows, and rows with a planted fault."""

from ..mutation.faults import faults as faults
