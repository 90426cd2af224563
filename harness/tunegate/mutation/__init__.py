"""Plants faults into clean rows, and sees which of them the tests of a suite find."""
