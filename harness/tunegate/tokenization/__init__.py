"""Renders rows with a chat template, and counts and labels their tokens."""
