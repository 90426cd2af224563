"""Reads a data file into a Dataset, and splits a Dataset into three files."""

SPLITS = ("train", "validation", "test")
