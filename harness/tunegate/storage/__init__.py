"""Reads and writes .tunegate/ and registry.jsonl: everything that outlives a process."""
