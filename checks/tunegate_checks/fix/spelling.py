"""One spelling of each label, one of the system prompt: the commonest, or the training set's.

Only what differs in writing is changed. A label that could be meant for two others, one that is a
label of its own in training, and one inside a sentence ("not billing") are for a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tunegate.dataset import Dataset, Example

from ..data import consistency
from ..data.jsonreplies import mostly_json
from ..data.spelling import RARE, folded, near_misses, nearest

Fields = dict[str, Any]


def meant(dataset: Dataset, known: Collection[str] = ()) -> dict[str, str]:
    """Return the replies to be spelled otherwise, and how; `known` are the labels of training."""
    counts = Counter(example.reply for example in dataset)
    if not _are_labels(dataset):
        return {}
    misses = near_misses(counts)
    sure = {
        label: other for label, other in misses.items() if _is_sure(label, counts, misses, known)
    }
    theirs: dict[str, set[str]] = {}
    for label in known:
        theirs.setdefault(folded(label), set()).add(label)
    spelled = {label: _end(label, sure) for label in counts}
    return {label: new for label, s in spelled.items() if (new := _as_known(s, theirs)) != label}


def _are_labels(dataset: Dataset) -> bool:
    """Whether the check would look for slips: it does so neither in JSON nor in free text."""
    found = consistency.output_format(dataset, task="classification")
    return not mostly_json(dataset) and all(f.kind == "near miss" for f in found)


def _is_sure(
    label: str, counts: Mapping[str, int], misses: Mapping[str, str], known: Collection[str]
) -> bool:
    other = misses[label]
    if folded(label) == folded(other):
        return True
    common = {c: n for c, n in counts.items() if c not in misses and counts[label] <= RARE * n}
    spelled = nearest(label, common)
    if not spelled or label in known:
        return False
    rest = {c: n for c, n in common.items() if c != spelled}
    second = nearest(label, rest)
    return not second or _off(label, second) > _off(label, spelled)


def _off(one: str, other: str) -> int:
    from rapidfuzz.distance import OSA

    return OSA.distance(folded(one), folded(other))


def _end(label: str, sure: Mapping[str, str]) -> str:
    while label in sure:  # a slip of a slip; each is commoner than the one before it
        label = sure[label]
    return label


def _as_known(label: str, known: Mapping[str, set[str]]) -> str:
    alike = known.get(folded(label), set())
    return next(iter(alike)) if len(alike) == 1 else label


def with_reply(fields: Fields, reply: str) -> Fields | None:
    """Return the row with another reply, or None where the reply is not one text."""
    *before, last = fields["messages"]
    content = last.get("content")
    if isinstance(content, str):
        new: Any = reply
    elif (
        isinstance(content, list) and len(content) == 1 and isinstance(content[0].get("text"), str)
    ):
        new = [{**content[0], "text": reply}]
    else:
        return None
    return {**fields, "messages": [*before, {**last, "content": new}]}


def prompts(
    examples: Sequence[Example], train: Sequence[Example] = (), used: str | None = None
) -> dict[str, str]:
    """Return the system prompts to be written otherwise, and how: they differ in white space.

    `used` is the prompt at inference. White space around it may be its file's alone: then it is
    no example to follow.
    """
    wanted = {_spaced(used): used} if used and used == used.strip() else {}
    for side in (train, examples):  # what training has goes before what is commonest here
        for prompt, _ in Counter(e.system for e in side).most_common():
            wanted.setdefault(_spaced(prompt), prompt)
    own = dict.fromkeys(e.system for e in examples)
    return {prompt: new for prompt in own if (new := wanted[_spaced(prompt)]) != prompt}


def _spaced(prompt: str) -> str:
    return " ".join(prompt.split())


def with_system(fields: Fields, prompt: str) -> Fields | None:
    """Return the row with another system prompt, or None where it has not exactly one text."""
    messages = fields["messages"]
    speaks = [i for i, m in enumerate(messages) if m["role"] in ("system", "developer")]
    if len(speaks) != 1 or not isinstance(messages[speaks[0]].get("content"), str):
        return None
    i = speaks[0]
    changed = {**messages[i], "content": prompt}
    return {**fields, "messages": [*messages[:i], changed, *messages[i + 1 :]]}
