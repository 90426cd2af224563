"""Decides whether a training may start and whether a model may be promoted, and does both."""
