"""Near-duplicate search and shared word sequences, on plain strings.

`from tunegate.similarity import pairs, nearest, ...`: the names are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .search import connected_groups as connected_groups
    from .search import cross_pairs as cross_pairs
    from .search import deduplicate as deduplicate
    from .search import nearest as nearest
    from .search import pairs as pairs
    from .search import ratio as ratio

__all__ = ["connected_groups", "cross_pairs", "deduplicate", "nearest", "pairs", "ratio"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tunegate.similarity' has no attribute {name!r}")
    return getattr(import_module(".search", __name__), name)
