"""Near-duplicate search and shared word sequences, on plain strings."""

from .search import connected_groups, cross_pairs, deduplicate, nearest, pairs, ratio

__all__ = ["connected_groups", "cross_pairs", "deduplicate", "nearest", "pairs", "ratio"]
