"""Tell refusals and facts in replies; compare replies that are JSON: keys, and types of values."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tunegate.data.dataset import Dataset, Example
from tunegate.data.formats.row_format import json_type
from tunegate.data.row_schema import json_object
from tunegate.utils.text import words_of

from .label_typos import label_distance

# At the start of a reply; English and Portuguese.
REFUSAL_START = re.compile(
    r"^\W*(?:(?:i'?m|i am|we are|we're)\s+(?:very\s+|really\s+)?(?:sorry|afraid|unable)"
    r"|i\s+(?:can'?t|cannot|won'?t|do\s*n[o']t\s+(?:know|have))|sorry\b|unfortunately,?\s+i"
    r"|as an? (?:ai|language model)"
    r"|(?:sinto muito|lamento|desculpe|infelizmente|perdão)\b"
    r"|(?:eu\s+)?não\s+(?:posso|consigo|sei|tenho\s+(?:como|informaç))"
    r"|como (?:um |uma )?(?:ia|modelo de linguagem|inteligência artificial)\b)",
    re.IGNORECASE,
)

_FACT = re.compile(r"(?<=[^\W\d_] )[^\W\d_]*[A-ZÀ-Þ][^\W\d_]+|\w*\d\w*")  # a name, a number
Form = dict[str, str]  # path of a key, such as "a.b" -> JSON type of its value

RECURRING = 3  # replies: a key that so many have, or lack, can be optional
MAX_LACKING = 0.1  # of the replies: a key that more of them lack is optional


def facts_of(reply: str, given: str) -> set[str]:
    """Return the numbers, and the names inside of sentences, of a reply that nothing given has."""
    return {*map(str.casefold, _FACT.findall(reply))} - {*words_of(given.casefold())}


def is_mostly_json(dataset: Dataset) -> bool:
    """Tell whether at least half of the replies are JSON objects."""
    return len(dataset) > 0 and sum(_form_of(e) is not None for e in dataset) * 2 >= len(dataset)


def form_faults(dataset: Dataset) -> Iterator[tuple[Example | None, str, str]]:
    """Yield example, kind and evidence for each reply that differs from the form of most."""
    forms = [(example, _form_of(example)) for example in dataset]
    read = [form for _, form in forms if form is not None]
    counts = Counter(path for form in read for path in form)
    usual, optional = _usual_keys(read, counts)
    for example, form in forms:
        if form is None:
            description = "stands in a ``` fence" if "```" in example.reply else "is no JSON object"
            evidence = f"the reply {description}; most replies are bare JSON objects"
            yield example, "not JSON", evidence
        elif faults := [*_key_faults(form, usual, optional)]:
            (kind, evidence), *more = faults
            yield example, kind, evidence + f" (and {len(more)} more)" * bool(more)
    if names := sorted(path for path in optional if counts[path] >= RECURRING):
        others = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        advice = "where your program needs a key, write null for a value that is not there"
        evidence = f"not all replies have {', '.join(names[:3])}{others}: {advice}"
        yield None, "optional keys", evidence


def _usual_keys(forms: list[Form], counts: Mapping[str, int]) -> tuple[Form, set[str]]:
    """Return the keys that most replies have, with their type, and the optional ones."""
    types: defaultdict[str, Counter[str]] = defaultdict(Counter)
    objects, odd = Counter[str](), Counter[str]()
    for form in forms:
        objects.update({"", *(p for p, name in form.items() if name == "an object")})
        odd.update({_parent(p) for p in form if counts[p] < RECURRING})
        for path, value_type in form.items():
            types[path][value_type] += 1
    usual, optional = Form(), set[str]()
    # A key is optional if a tenth of its objects, and three or more, lack it; or if three have it;
    # or if most of the objects have a key of their own: then their keys are data.
    for path, n in sorted(counts.items()):
        if n * 2 > (whole := objects[_parent(path)]):
            usual[path] = max(types[path], key=lambda name: (name != "null", types[path][name]))
            is_optional = whole - n >= max(RECURRING, MAX_LACKING * whole)
        else:
            is_optional = n >= RECURRING or odd[_parent(path)] * 2 > whole
        optional |= {path} if is_optional else set()
    return usual, optional


def _key_faults(form: Form, usual: Form, optional: set[str]) -> Iterator[tuple[str, str]]:
    objects = {"", *(path for path, name in form.items() if name == "an object")}
    missing = [path for path in usual.keys() - form.keys() if _parent(path) in objects]
    for path in sorted({*missing} - optional):
        yield "missing key", f"the reply has no {path}; most have one"
    for path, actual in form.items():
        if (expected := usual.get(path)) not in (None, actual) and actual != "null":
            yield "type", f"{path} is {actual}; in most replies it is {expected}"
        elif expected is None:
            meant = sorted(p for p in missing if label_distance(path, p) is not None)
            if meant or path not in optional:
                advice = f": is it {meant[0]}?" if meant else ""
                yield "unknown key", f"the reply has {path}; most have no such key{advice}"


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _form_of(example: Example) -> Form | None:
    value = json_object(example.target.text)
    return None if value is None else dict(_typed_paths("", value))


def _typed_paths(parent: str, value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = key if key.isidentifier() and len(key) <= 60 else ascii(key[:60]).replace(".", "·")
        path = f"{parent}.{name}" if parent else name
        yield path, json_type(item)
        if isinstance(item, dict):
            yield from _typed_paths(path, item)
