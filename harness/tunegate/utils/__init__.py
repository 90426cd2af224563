"""Helpers that know nothing of tunegate: files, hashes, JSON, texts, processes, progress bars."""
