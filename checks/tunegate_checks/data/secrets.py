"""Find API keys and tokens: a model can reproduce the keys that it was trained on."""

from collections.abc import Collection, Iterator

from tunegate import Dataset, Finding, check

from ..detect.api_keys import key_spans, mask_key, possible_key_spans
from ..text.text_fields import text_fields


@check(name="secrets", per_row=True)
def find(dataset: Dataset, *, allow: Collection[str] = ()) -> Iterator[Finding]:
    """Yield every key that has a known vendor's format; random-looking values are hints.

    The formats and their sources are in `tunegate_checks/detect/key_formats.toml`. A value such as
    `token = <20 random characters>` is only a hint, since it may be an invented example. `allow`
    has keys that are public, such as the one of a sandbox, exactly as they stand.
    """
    for example, field in text_fields(dataset):
        keys = key_spans(field.text, allow)
        for key in keys:
            evidence = f"{field.path} {mask_key(field.text[key.start : key.end])}"
            yield example.finding(key.kind, evidence, fingerprint=field.shared_text)
        for span in possible_key_spans(field.text, allow):
            if all(span.end <= key.start or key.end <= span.start for key in keys):
                yield example.hint(span.kind, f"{field.path} ***")
