"""Near-duplicate search and shared word sequences, on plain strings."""
