"""Helpers for the texts of rows: fields, labels, refusals, JSON replies, display."""
