"""Near-duplicate search on plain strings; `ngrams` finds word sequences that texts share."""

from .search import connected_groups as connected_groups
from .search import cross_pairs as cross_pairs
from .search import deduplicate as deduplicate
from .search import nearest as nearest
from .search import pairs as pairs
from .search import ratio as ratio
