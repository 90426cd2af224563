"""Compare replies that are JSON: their keys, and the types of their values."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tunegate.data.dataset import Dataset, Example
from tunegate.data.formats import json_type
from tunegate.utils.strict_json import Unreadable, parse_strict

Form = dict[str, str]  # path of a key, such as "a.b" -> JSON type of its value


def is_mostly_json(dataset: Dataset) -> bool:
    """Tell whether at least half of the replies are JSON objects."""
    return len(dataset) > 0 and sum(_form_of(e) is not None for e in dataset) * 2 >= len(dataset)


def form_faults(dataset: Dataset) -> Iterator[tuple[Example, str, str]]:
    """Yield example, kind and evidence for each difference from the form of most replies."""
    forms = [(example, _form_of(example)) for example in dataset]
    common_form = _common_form([form for _, form in forms if form is not None])
    for example, form in forms:
        if form is None:
            description = "stands in a ``` fence" if "```" in example.reply else "is no JSON object"
            evidence = f"the reply {description}; most replies are bare JSON objects"
            yield example, "not JSON", evidence
            continue
        for path in sorted(common_form.keys() - form.keys()):
            if _parent_is_object(path, form):
                yield example, "missing key", f"the reply has no {path}; most have one"
        for path, actual in form.items():
            expected = common_form.get(path)
            if expected is None and _parent_is_object(path, common_form):
                yield example, "unknown key", f"the reply has {path}; most have no such key"
            elif expected not in (None, actual) and actual != "null":
                yield example, "type", f"{path} is {actual}; in most replies it is {expected}"


def _parent_is_object(path: str, form: Form) -> bool:
    """Tell whether the parent of `path` is an object in a form; else only the parent is a fault."""
    parent = path.rpartition(".")[0]
    return not parent or form.get(parent) == "an object"


def _common_form(forms: list[Form]) -> Form:
    """Return the paths that more than half of the replies have, each with its commonest type."""
    types_by_path: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for form in forms:
        for path, value_type in form.items():
            types_by_path[path][value_type] += 1
    return {
        path: max(type_counts, key=lambda name: (name != "null", type_counts[name]))
        for path, type_counts in sorted(types_by_path.items())
        if type_counts.total() * 2 > len(forms)
    }


def _form_of(example: Example) -> Form | None:
    try:
        value = parse_strict(example.target.text)
    except Unreadable:
        return None
    return dict(_typed_paths("", value)) if isinstance(value, dict) else None


def _typed_paths(parent: str, value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = key if key.isidentifier() and len(key) <= 60 else ascii(key[:60]).replace(".", "·")
        path = f"{parent}.{name}" if parent else name
        yield path, json_type(item)
        if isinstance(item, dict):
            yield from _typed_paths(path, item)
