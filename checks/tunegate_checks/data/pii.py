"""Personal data in messages and fields: e-mail, phones, documents, cards, addresses of machines."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tunegate import Dataset, Finding, check
from tunegate.utils.text import did_you_mean

from ..detect.engine import personal_spans
from ..detect.masking import mask_value
from ..text.text_fields import TextField, text_fields


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
    _check_kinds(ignore)
    public = tuple(a.lower() for a in allow)
    for example, text_field in text_fields(dataset):
        for kind, value in _personal_values(text_field):
            if kind not in ignore and not _is_public(value.lower(), public):
                evidence = f"{text_field.path} {mask_value(kind, value)}"
                yield Finding(
                    example.row, example.line, kind, evidence, about=text_field.shared_text
                )


def _personal_values(text_field: TextField) -> Iterator[tuple[str, str]]:
    for span in personal_spans(text_field.text, text_field.context):
        yield span.kind, text_field.text[span.start : span.end]


def _is_public(value: str, public: tuple[str, ...]) -> bool:
    return any(value.endswith(p) if p.startswith("@") else value == p for p in public)


def _check_kinds(ignore: Collection[str]) -> None:
    from ..detect.engine import KINDS

    for kind in ignore:
        if kind not in KINDS:
            hint = did_you_mean(kind, list(KINDS))
            valid = ", ".join(KINDS)
            raise ValueError(f"pii: no kind {kind!r} to ignore{hint}; there are: {valid}")
