"""Personal data in messages and fields: e-mail, phones, documents, cards, addresses of machines."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tunegate import Dataset, Finding, check
from tunegate.project import nearest

from .personal import spans
from .personal.masking import masked
from .personal.places import Place, texts


@check(name="pii", rows=True)
def find(
    dataset: Dataset, *, ignore: Collection[str] = (), allow: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield every piece of personal data, masked, with the message or field it stands in.

    A shape alone is enough where it is unmistakable; else check digits decide, and words around a
    number ("CPF", "phone", but also "order"). `ignore` names kinds that are not asked for (a
    company's own data may well hold its `cnpj`); `allow` lists values, or e-mail domains as
    "@example.com", that are public. docs/personal-data.md lists what is found, and what is not.
    Raises ValueError for a kind that does not exist.
    """
    _known(ignore)
    public = tuple(a.lower() for a in allow)
    for example, place in texts(dataset):
        for kind, value in _values(place):
            if kind not in ignore and not _is_public(value.lower(), public):
                evidence = f"{place.path} {masked(kind, value)}"
                yield Finding(example.row, example.line, kind, evidence, about=place.about)


def _values(place: Place) -> Iterator[tuple[str, str]]:
    for span in spans(place.text, place.before):
        yield span.kind, place.text[span.start : span.end]


def _is_public(value: str, public: tuple[str, ...]) -> bool:
    return any(value.endswith(p) if p.startswith("@") else value == p for p in public)


def _known(ignore: Collection[str]) -> None:
    from .personal.rules import KINDS

    for kind in ignore:
        if kind not in KINDS:
            hint = nearest(kind, list(KINDS))
            valid = ", ".join(KINDS)
            raise ValueError(f"pii: no kind {kind!r} to ignore{hint}; there are: {valid}")
