"""Finds what would make a training fail before it starts."""
