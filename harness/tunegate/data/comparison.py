"""Defines when two texts, and two rows, are the same, and what rows are compared by.

Sameness has three levels, here alone:

1. *identical*: the same code points but for line ends (`canonical.identical`, `Example.context`).
   Only on identical contexts do two labels contradict each other.
2. *equal text* (`equal_text`): what a reader calls the same text, in another Unicode form, with
   other white space, invisible characters, full or half width, HTML entities.
3. *near*: equal without case and the punctuation around words (`folded_text`), or of a similarity
   that reaches a limit (`tunegate.similarity`), measured on `comparison_texts`.

Accents, signs, digits and emoji carry meaning at each level. For similarity they are a difference
of one letter, so that near texts are not yet near rows: rows whose questions *and* answers differ
in signs (`meaning_signs`) ask another question and have another answer, however alike their words
are (`near_scopes`: leakage, split). Copies, of which `fix` keeps one, never differ in the signs of
what they answer, in accents, or in what both ask and answer about (`subjects_differ`); what they
ask may differ in digits, as two orders do in a number.
"""

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import TypeVar

from ..results.labels import exact
from ..similarity import ratio
from ..similarity.ngrams import indices_by_key, shared_beginnings
from ..utils.text import count_words, without_accents, without_edge_punctuation, words_of
from .canonical import CACHED_TEXTS, canonical_turns, given_fields, part_tools, to_json
from .dataset import Example

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

BOILERPLATE_SHARE = 0.05  # of the rows: a beginning or end that so many share is boilerplate
BOILERPLATE_ROWS = 3  # at least
DOCUMENT_PART = 0.5  # of a text, at least: shorter ones are set phrases
DOCUMENT_ROWS = 3  # rows that share a beginning or end have a document in common
MIN_ROWS = 20  # rows: fewer show little of what is usual
MAX_LABEL_LETTERS = 50
MAX_LABEL_WORDS = 5
ROWS_PER_INSTRUCTION = 10  # on average: system messages of fewer rows each hold documents

# Soft hyphen, zero-width space, word joiner, byte order mark, marks of direction, and the selectors
# of a picture or a text form. Joiners stay: they make other letters and other emoji.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe0e\ufe0f\ufeff]"
)
_WIDTH_FORMS = re.compile("[\uff00-\uffef]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD_JOINERS = re.compile(r"(?<=[^\W\d_]{2})[-'’_](?=[^\W\d_])")
_MARK = re.compile("[\ue000-\uf8ff]")  # of private use, of a template that was removed
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


_character = lru_cache(maxsize=4096)(html.unescape)  # of an entity


def equal_text(text: str) -> str:
    """Return a form of a text that is equal for texts which a reader calls the same.

    It is in NFC, without HTML entities, invisible characters, widths of letters, runs of space.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda entity: _character(entity[0]), text)
    if not text.isascii():
        text = _WIDTH_FORMS.sub(lambda w: unicodedata.normalize("NFKC", w[0]), text)
        text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return " ".join(text.split())


def folded_text(text: str) -> str:
    """Return the equal text without case and the punctuation around its words."""
    return bare_text(_without_case(text))


bare_text = lru_cache(maxsize=CACHED_TEXTS)(without_edge_punctuation)


@lru_cache(maxsize=CACHED_TEXTS)
def meaning_signs(text: str) -> str:
    """Return the digits, signs and emoji of a text: what carries meaning in it beside its words.

    `50 mg` and `500 mg`, `a + b` and `a - b`, `x != y` and `x = y` differ in it. Punctuation around
    words is no part of it, nor are the signs inside of one: `card_arrival` and `card` have none.
    """
    signs = _LETTERS.sub(" ", _WORD_JOINERS.sub("", folded_text(text)))
    if not signs.isascii():  # vowel signs are letters
        signs = "".join(" " if unicodedata.category(c)[0] == "M" else c for c in signs)
    return " ".join(signs.split())


def accents_differ(text: str, other: str) -> bool:
    """Tell whether a word of one text is a word of the other with other accents: `avó`, `avô`."""
    words, others = ({*folded_text(t).split()} for t in (text, other))
    plain = {without_accents(word) for word in words - others}
    return any(without_accents(word) in plain for word in others - words)


def subjects_differ(asked: tuple[str, str], answered: tuple[str, str]) -> bool:
    """Tell whether each of two rows asks and answers about a word of its own: a drug, a city."""
    (question, other_question), (answer, other_answer) = (
        [{*words_of(folded_text(text))} for text in pair] for pair in (asked, answered)
    )
    own = (question - other_question) & (answer - other_answer)
    others = (other_question - question) & (other_answer - answer)
    return bool(own and others)


def near_scopes(rows: Sequence[Example]) -> list[list[int]]:
    """Return lists of rows that can be near: of one setting, equal signs in question or answer."""
    answered = [(e.setting, meaning_signs(f"{e.target.text} {e.target.calls}")) for e in rows]
    scopes = [*group_indices(answered, lambda key: key).values()]
    if len(scopes) > 1:
        with_system = system_is_asked(rows)
        asked = ((e.setting, meaning_signs(question_text(e, with_system))) for e in rows)
        same_asked = group_indices(asked, lambda key: key).values()
        scopes += (s for s in same_asked if len({answered[i] for i in s}) > 1)
    return scopes


@lru_cache(maxsize=CACHED_TEXTS)
def _without_case(text: str) -> str:
    return equal_text(text).casefold()


def comparison_texts(*datasets: Sequence[Example]) -> list[list[str]]:
    """Return, for each dataset, the texts that near-duplicates are searched in, one per example.

    A text is the prompt as equal text without case, or the reply if nothing is asked. The system
    message is part of it where it holds a document (see `system_is_asked`). The few instructions
    and templates that most rows begin or end with are removed, because they would make any two of
    them look alike; all but the commonest leave a mark, since another one asks something else.
    """
    with_system = system_is_asked(*datasets)
    texts = [_without_case(question_text(e, with_system)) for rows in datasets for e in rows]
    fewest = max(BOILERPLATE_ROWS, round(BOILERPLATE_SHARE * len(texts)))
    for _ in ("beginnings", "ends"):
        pairs = [*zip(texts, shared_beginnings(texts, fewest), strict=True)]
        counts = Counter(text[:size] for text, size in pairs if size)
        marks = {begun: chr(ord("\ue000") + k) for k, (begun, _) in enumerate(counts.most_common())}
        marks |= {"": ""} | {commonest: "" for commonest, _ in counts.most_common(1)}
        texts = [(marks[text[:size]] + text[size:])[::-1] for text, size in pairs]
    own = iter(texts)
    return [[*islice(own, len(rows))] for rows in datasets]


def rows_by_document(texts: Sequence[str]) -> list[list[int]]:
    """Return the indices of texts that begin, or end, with a document: the larger part of each."""
    by_document: list[dict[str, list[int]]] = []
    for side, sizes in _documents(texts):
        begun = (text[:size] for text, size in zip(side, sizes, strict=True))
        by_document.append(group_indices(begun, lambda beginning: beginning))
    return [rows for groups in by_document for document, rows in groups.items() if document]


def _documents(texts: Sequence[str]) -> list[tuple[Sequence[str], list[int]]]:
    """Return the texts, forwards and backwards, with the sizes of the documents they begin with."""
    sides = texts, [text[::-1] for text in texts]
    return [(side, shared_beginnings(side, DOCUMENT_ROWS, DOCUMENT_PART)) for side in sides]


def question_comparer(texts: Sequence[str], similarity: float) -> Callable[[int, int], bool]:
    """Return a function that tells whether two near `comparison_texts` also ask what is near.

    Those of two templates do not; of one document (see `rows_by_document`), all else is compared.
    """
    sides = _documents(texts)

    def ask_alike(i: int, j: int) -> bool:
        if _MARK.findall(texts[i]) != _MARK.findall(texts[j]):
            return False
        head, tail = (
            sizes[i] if side[i][: sizes[i]] == side[j][: sizes[j]] else 0 for side, sizes in sides
        )
        one, other = (texts[k][head : len(texts[k]) - tail] for k in (i, j))
        return not head + tail or ratio(one, other) >= similarity

    return ask_alike


def question_text(example: Example, with_system: bool = False) -> str:
    """Return the text that a row asks: its prompt, or its reply if it asks nothing at all."""
    asked = f"{part_tools(example.system)[0]}\n{example.prompt}" if with_system else example.prompt
    return asked if asked.strip() or example.setting else example.reply


def system_is_asked(*datasets: Sequence[Example]) -> bool:
    """Tell whether system messages hold what rows ask about, such as documents.

    They do if none is in half of the rows, and each in under ten on average; else they instruct.
    """
    systems = [e.system for rows in datasets for e in rows if e.system.strip()]
    counts = Counter(part_tools(system)[0] for system in systems)
    is_usual = len(counts) < 2 or 2 * counts.most_common(1)[0][1] > len(systems)
    return not is_usual and ROWS_PER_INSTRUCTION * len(counts) > len(systems)


def is_label(reply: str) -> bool:
    """Tell whether a reply is a label: one line of at most 5 words and 50 letters."""
    text = reply.strip()
    short = len(text) <= MAX_LABEL_LETTERS and count_words(text) <= MAX_LABEL_WORDS
    return bool(text) and short and "\n" not in text


def label_counts(examples: Sequence[Example]) -> Counter[str]:
    """Return how often each label occurs if the task is classification, else an empty Counter.

    The task is classification if every row has a label, and a label three examples or more on
    average. Rows without a label by a rule that the project sets are left out.
    """
    labels = Counter(e.label for e in examples if e.label or e.reading.label == exact)
    few = len(labels) * 3 <= labels.total()
    return labels if few and all(map(is_label, labels)) else Counter()


def history_keys(
    example: Example, with_system: bool = False, form: Callable[[str], str] = _without_case
) -> Iterator[bytes]:
    """Yield a key for each (history -> reply) of a row, the last for what the row itself asks.

    A history is every message before a turn of the assistant. Two histories have the same key if
    their texts are equal in a `form`, by default but for case, and so are their tool calls, names,
    pictures and tools; the reply counts where it asks nothing, the system message `with_system`.
    """
    given = given_fields(example.fields)
    asks_nothing = not given
    digest = blake2b(to_json(given).encode("utf-8", "surrogatepass"), digest_size=16)
    for turn in canonical_turns(example.given, form):
        if turn["role"] == "system" and not with_system:
            continue
        data = to_json(turn).encode("utf-8", "surrogatepass")
        if turn["role"] == "assistant":
            asked = digest.copy()
            asked.update(data if asks_nothing else b"")
            yield asked.digest()
        digest.update(data)
        asks_nothing = asks_nothing and not turn["content"] and "calls" not in turn
    if asks_nothing:
        for turn in canonical_turns(example.messages[len(example.given) :], form):
            digest.update(to_json(turn).encode("utf-8", "surrogatepass"))
    yield digest.digest()


def question_key(
    example: Example, with_system: bool = False, form: Callable[[str], str] = _without_case
) -> bytes:
    """Return a key that is equal for two rows if they ask the same: the last of `history_keys`."""
    return list(history_keys(example, with_system, form))[-1]


def rows_in_training(test: Sequence[Example], train: Sequence[Example]) -> dict[int, list[int]]:
    """Return the index of each test row that stands in `train`, with its indices there.

    It does if a training row asks the same, or begins with all that the test row asks: its next
    turn then answers it. The leakage check, split and promotion all use this definition.
    """
    with_system = system_is_asked(test, train)
    asked = [question_key(example, with_system) for example in test]
    begun = (dict.fromkeys(history_keys(e, with_system)) for e in train)
    rows = indices_by_key(begun, only={*asked})
    return {i: rows[key] for i, key in enumerate(asked) if key in rows}


def rows_together(examples: Sequence[Example]) -> list[list[int]]:
    """Return lists of rows of one group, or that ask, or begin with, the same; they may overlap."""
    with_system = system_is_asked(examples)
    keys = [[*history_keys(example, with_system)] for example in examples]
    groups = group_indices(examples, lambda e: e.group)
    by_question = indices_by_key(map(dict.fromkeys, keys), only={of_row[-1] for of_row in keys})
    return [*by_question.values(), *(rows for name, rows in groups.items() if name)]


def group_indices(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[int]]:
    """Return the indices of the items, such as examples, that have each key."""
    return indices_by_key([key(item)] for item in items)


def connected(n: int, linked: Iterable[Sequence[int]]) -> list[list[int]]:
    """Return the indices 0 to n - 1 in groups: those in one of `linked` are in one group."""
    group_of = [[i] for i in range(n)]
    for first, *others in linked:
        for other in others:
            small, large = sorted((group_of[first], group_of[other]), key=len)
            if small is not large:
                large += small
                for i in small:
                    group_of[i] = large
    return [*group_indices(range(n), lambda i: id(group_of[i])).values()]
