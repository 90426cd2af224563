"""Find the names of people with a language model, which the configuration names.

`spacy:MODEL` is a pipeline of spaCy, installed or a folder; `transformers:FOLDER` a model that
labels tokens, a folder or a name on the hub. Their labels PER and PERSON count.
"""

from collections.abc import Callable
from functools import cache

from tunegate.utils.optional_deps import require

Recogniser = Callable[[str], list[tuple[int, int]]]
_PERSON = frozenset(("PER", "PERSON"))


def _spacy(model: str) -> Recogniser:
    spacy = require("spacy", "names")
    try:
        nlp = spacy.load(model)
    except OSError:
        advice = f"python -m spacy download {model}"
        raise ValueError(f"pii_names: spaCy has no model {model!r}: {advice}") from None
    return lambda text: [(e.start_char, e.end_char) for e in nlp(text).ents if e.label_ in _PERSON]


def _transformers(model: str) -> Recogniser:
    transformers = require("transformers", "qlora")
    try:
        find = transformers.pipeline(
            "token-classification", model, aggregation_strategy="simple", device="cpu", stride=64
        )
        find.tokenizer.model_max_length = min(find.tokenizer.model_max_length, 512)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"pii_names: no model that labels tokens: {model!r}: {reason}") from None
    return lambda text: [
        (int(e["start"]), int(e["end"])) for e in find(text) if e["entity_group"] in _PERSON
    ]


_BACKENDS = {"spacy": _spacy, "transformers": _transformers}


@cache
def recogniser(spec: str) -> Recogniser:
    """Return what finds names in a text, loaded once; raises ValueError, MissingDependency."""
    backend, _, model = spec.partition(":")
    if backend not in _BACKENDS or not model:
        valid = "spacy:en_core_web_sm, transformers:FOLDER"
        raise ValueError(f"pii_names: {spec!r} names no model; valid: {valid}")
    return _BACKENDS[backend](model)
