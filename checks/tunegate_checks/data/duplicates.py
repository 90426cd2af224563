"""Duplicates: no two rows of a dataset may repeat each other.

Both prompt and reply must be alike, since labels repeat; `tunegate.data.comparison` defines what is
the same, and where system messages count. Pictures, tools, tool calls and the rejected reply must
be equal too: one reply preferred to two others is two preferences.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache

from tunegate import Dataset, Example, Finding, check
from tunegate.checking.decorator import rows_fingerprint
from tunegate.data import comparison
from tunegate.data.canonical import content_text, identical, target_of
from tunegate.data.comparison import folded_text, group_indices, is_label, system_is_asked
from tunegate.data.dataset import rejected_reply
from tunegate.similarity import deduplicate, ratio
from tunegate.similarity.long_texts import screening_note
from tunegate.utils.text import count_words

from ..text.display import diff, quote_line

MIN_REPLY_WORDS = 13  # a reply of so many words is neither a label nor a set phrase


@check(name="duplicates")
def find(dataset: Dataset) -> Iterator[Finding]:
    """Yield each row that repeats an earlier one: "exact", or "normalised".

    "exact": prompt and reply are identical but for line ends. "normalised": they are equal texts
    but for case and the punctuation around words (`tunegate.data.comparison.folded_text`).

    Hints, which close no gate: "prompt", the same prompt with another reply in prose; "reply", one
    long reply to several prompts.
    """
    with_system, (same_normalised, same_prompt) = system_is_asked(dataset), _same_rows(dataset)
    same_reply = _first_rows_by(
        dataset, lambda e: folded_text(e.reply) if count_words(e.reply) >= MIN_REPLY_WORDS else None
    )
    members = group_indices(dataset, lambda e: same_normalised[e.row])
    groups = {
        first: rows_fingerprint([dataset[row] for row in rows])
        for first, rows in members.items()
        if len(rows) > 1
    }
    repeated = {row for first in groups for row in members[first]}
    same_text = _first_rows_by(
        dataset, lambda e: _row_key(e, with_system, identical) if e.row in repeated else None
    )
    for example in dataset:
        if (first := same_text[example.row]) != example.row:
            yield _repeat_finding(example, dataset[first], "exact", groups[same_normalised[first]])
        elif (first := same_normalised[example.row]) != example.row:
            yield _repeat_finding(example, dataset[first], "normalised", groups[first])
        elif (first := same_prompt[example.row]) != example.row and not is_label(example.reply):
            yield _repeat_finding(example, dataset[first], "prompt", hint=True)
        elif (first := same_reply[example.row]) != example.row:
            yield _repeat_finding(example, dataset[first], "reply", hint=True)


@lru_cache(maxsize=4)  # the splits of a project: both checks ask
def _same_rows(dataset: Dataset) -> tuple[list[int], list[int]]:
    """Return for each row the first that is equal in normalised form, and that asks the same."""
    with_system = system_is_asked(dataset)
    keys = [_row_key(e, with_system, folded_text) for e in dataset]
    asked = _first_rows_by(dataset, lambda e: keys[e.row][0] if e.prompt.strip() else None)
    return _first_rows_by(dataset, lambda e: keys[e.row]), asked


def _first_rows_by(dataset: Dataset, key: Callable[[Example], Hashable]) -> list[int]:
    """Return for each row the first row with the same key; a key of None equals no other."""
    seen: dict[Hashable, int] = {}
    keys = ((e.row, key(e)) for e in dataset)
    return [row if k is None else seen.setdefault(k, row) for row, k in keys]


def _row_key(
    example: Example, with_system: bool, form: Callable[[str], str]
) -> tuple[Hashable, ...]:
    """Return what equal rows share: what they ask, and what their replies say, texts in a form."""
    return comparison.question_key(example, with_system, form), *_replies_key(example, form)


def _replies_key(example: Example, form: Callable[[str], str]) -> tuple[Hashable, ...]:
    """Return the setting of a row, its names, and what both replies say, texts in a form."""
    rejected = rejected_reply(example)
    rejected_key = target_of(rejected).key(form) if rejected else ()
    names = [m.get("name") for m in example.messages]
    return example.setting, *names, *example.target.key(form), *rejected_key


def _repeat_finding(
    example: Example, first: Example, kind: str, fingerprint: str = "", *, hint: bool = False
) -> Finding:
    verb = {"prompt": "the prompt of", "reply": "the reply of"}.get(kind, "repeats")
    quoted_text = example.reply if kind == "reply" else example.text
    evidence = f"{verb} line {first.line}: {quote_line(quoted_text)}"
    return example.finding(kind, evidence, hint=hint, fingerprint=fingerprint)


def _reply_texts(example: Example) -> tuple[str, ...]:
    """Return reply and rejected reply in lower case; "" for a label, or for no rejected reply."""
    rejected_message = rejected_reply(example)
    texts = example.reply, content_text(rejected_message) if rejected_message else ""
    return tuple("" if is_label(text) else text.lower() for text in texts)


@check(name="duplicates.near")
def near(dataset: Dataset, *, similarity: float = 0.85) -> Iterator[Finding]:
    """Yield each row that nearly repeats another: prompt and replies all reach the similarity.

    Labels (short replies) must be equal, and so must the digits and signs of other replies, and the
    accents of words: `50 mg` and `500 mg`, `a + b` and `a - b`, `avó` and `avô` are no copies. Nor
    are rows of which each asks and answers about a word that the other does not have: another drug,
    another name. Of near-duplicates the longest row is kept, and each finding names a kept row;
    without the rows found no two near-duplicates remain. Rows that `duplicates.find` yields are
    left out. Lee et al. (2022, arXiv:2107.06499) show that models memorise near-duplicates.

    `similarity` is a limit for `tunegate.similarity.ratio` of lower-cased texts, 0..1. The default,
    a working value, allows one word in seven to differ.
    """
    same_normalised, _ = _same_rows(dataset)
    unique = [e for e in dataset if same_normalised[e.row] == e.row]
    # Sorted, so that which of equally long rows is kept does not depend on their order.
    unique.sort(key=lambda e: (e.text, _reply_texts(e)))
    prompts = comparison.comparison_texts(unique)[0]
    sides = [(p, *_reply_texts(e)) for p, e in zip(prompts, unique, strict=True)]
    if note := screening_note(prompts):
        yield Finding.dataset_hint("long texts", note)

    ask_alike = comparison.question_comparer(prompts, similarity)

    def reply_form(text: str) -> str:
        return folded_text(text) if is_label(text) else comparison.meaning_signs(text)

    # Compared are rows with the same label, or the same signs, and the same setting and tool calls.
    for indices in group_indices(unique, lambda e: _replies_key(e, reply_form)).values():
        if len(indices) == 1:
            continue

        def are_near(i: int, j: int, indices: list[int] = indices) -> bool:
            pairs = [*zip(sides[indices[i]], sides[indices[j]], strict=True)]
            are_alike = all(ratio(a, b) >= similarity for a, b in pairs)
            accents = any(comparison.accents_differ(a, b) for a, b in pairs)
            others = accents or comparison.subjects_differ(*pairs[:2])
            return are_alike and not others and ask_alike(indices[i], indices[j])

        # If prompt and replies all reach the similarity, their joined text reaches it too.
        texts = ["\n".join(filter(None, sides[k])) for k in indices]
        for i, j, joined_ratio in deduplicate(texts, similarity, condition=are_near):
            kept, copy = unique[indices[i]], unique[indices[j]]
            part = "reply" if folded_text(copy.prompt) == folded_text(kept.prompt) else "prompt"
            difference = diff(getattr(copy, part), getattr(kept, part))
            evidence = f"line {kept.line}, {joined_ratio:.2f}: {difference}"
            yield copy.finding("near", evidence, fingerprint=rows_fingerprint([copy, kept]))
