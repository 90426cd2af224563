"""Processes, quiet libraries, error messages and console lines of a training."""
