"""Find personal data in messages and fields: e-mail, phones, documents, cards, IP addresses."""

from collections.abc import Collection, Iterator

from tunegate import ConfigError, Dataset, Finding, check
from tunegate.utils.text import did_you_mean

from ..detect.engine import KINDS, mask_value, personal_spans
from ..text.text_fields import squeeze, surrogates_of, text_fields


@check(name="pii", per_row=True)
def find(
    dataset: Dataset, *, ignore: Collection[str] = (), allow: Collection[str] = (), names: str = "",
    surrogates: bool = False,
) -> Iterator[Finding]:  # fmt: skip
    """Yield every piece of personal data, masked, with the message or field that contains it.

    A value counts by its format alone where no other value has that format; else by its check
    digits and by the words around it ("CPF", "phone", but also "order"). docs/personal-data.md
    lists what is found and what is not. With `surrogates` what a row lists as invented is a hint.

    `ignore` has kinds that may stand in the data, such as a company's own `cnpj`; `allow` public
    values, or e-mail domains as "@example.com". `names` is a language model that finds names
    without a label: `spacy:en_core_web_sm`, `transformers:FOLDER`. It needs `tunegate[names]`.
    Raises ConfigError where `ignore` names a kind that does not exist, or `names` no model.
    """
    for kind in ignore:
        if kind not in KINDS:
            hint, valid = did_you_mean(kind, list(KINDS)), ", ".join(KINDS)
            raise ConfigError(f"pii: no kind {kind!r} to ignore{hint}; there are: {valid}")
    for example, field in text_fields(dataset):
        for span in personal_spans(field.text, field.context, ignore, allow, names=names):
            value = field.text[span.start : span.end]
            evidence = f"{field.path} {mask_value(span.kind, value)}"
            if surrogates and squeeze(value) in surrogates_of(example.fields):
                yield example.hint(span.kind, f"{evidence}, invented as the row says")
            else:
                yield example.finding(span.kind, evidence, fingerprint=field.shared_text)
