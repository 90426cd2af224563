"""Replies that are JSON: do they all have the same keys, and values of the same types?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tunegate.dataset import Dataset, Example
from tunegate.shapes import kind
from tunegate.strictjson import Unreadable, parse

Form = dict[str, str]  # path of a key -> type of its value


def mostly_json(dataset: Dataset) -> bool:
    """Tell whether at least half of the replies are JSON objects."""
    return len(dataset) > 0 and sum(_form(e) is not None for e in dataset) * 2 >= len(dataset)


def faults(dataset: Dataset) -> Iterator[tuple[Example, str, str]]:
    """Yield example, kind and evidence of each reply that is not like most of them."""
    forms = [(example, _form(example)) for example in dataset]
    usual = _usual([form for _, form in forms if form is not None])
    for example, form in forms:
        if form is None:
            fence = "stands in a ``` fence" if "```" in example.reply else "is no JSON object"
            yield example, "not JSON", f"the reply {fence}; most replies are bare JSON objects"
            continue
        for path in sorted(usual.keys() - form.keys()):
            if _can_stand(path, form):
                yield example, "missing key", f"the reply has no {path}; most have one"
        for path, found in form.items():
            wanted = usual.get(path)
            if wanted is None and _can_stand(path, usual):
                yield example, "unknown key", f"the reply has {path}; most have no such key"
            elif wanted not in (None, found) and found != "null":
                yield example, "type", f"{path} is {found}; in most replies it is {wanted}"


def _can_stand(path: str, form: Form) -> bool:
    """Tell whether what holds `path` is an object here: where it is not, that alone is told."""
    above = path.rpartition(".")[0]
    return not above or form.get(above) == "an object"


def _usual(forms: list[Form]) -> Form:
    """Return the keys that more than half of the replies have, with their commonest types."""
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for form in forms:
        for path, found in form.items():
            kinds[path][found] += 1
    return {
        path: max(seen, key=lambda found: (found != "null", seen[found]))
        for path, seen in sorted(kinds.items())
        if seen.total() * 2 > len(forms)
    }


def _form(example: Example) -> Form | None:
    try:
        value = parse(example.reply)
    except Unreadable:
        return None
    return dict(_paths("", value)) if isinstance(value, dict) else None


def _paths(above: str, value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = key if key.isidentifier() and len(key) <= 60 else ascii(key[:60]).replace(".", "·")
        path = f"{above}.{name}" if above else name
        yield path, kind(item)
        if isinstance(item, dict):
            yield from _paths(path, item)
