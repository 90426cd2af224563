"""One spelling of each label, one of the system prompt: the commonest, or the training set's.

Only what differs in writing is changed. A label that could be meant for two others, one that is a
label of its own in training, and one inside a sentence ("not billing") are for a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tunegate.data.dataset import Dataset, Example

from ..data import consistency
from ..text.json_replies import is_mostly_json
from ..text.label_typos import MAX_TYPO_SHARE, find_typos, fold, nearest_label

Fields = dict[str, Any]


def label_corrections(dataset: Dataset, train_labels: Collection[str] = ()) -> dict[str, str]:
    """Return the replies to be spelled otherwise, and how; `train_labels` are the labels of training."""
    counts = Counter(example.reply for example in dataset)
    if not _are_labels(dataset):
        return {}
    typos = find_typos(counts)
    certain = {
        label: other
        for label, other in typos.items()
        if _is_certain(label, counts, typos, train_labels)
    }
    known_by_fold: dict[str, set[str]] = {}
    for label in train_labels:
        known_by_fold.setdefault(fold(label), set()).add(label)
    corrected = {label: _final_spelling(label, certain) for label in counts}
    return {
        label: new
        for label, s in corrected.items()
        if (new := _known_spelling(s, known_by_fold)) != label
    }


def _are_labels(dataset: Dataset) -> bool:
    """Whether the check would look for slips: it does so neither in JSON nor in free text."""
    findings = consistency.output_format(dataset, task="classification")
    return not is_mostly_json(dataset) and all(f.kind == "near miss" for f in findings)


def _is_certain(
    label: str, counts: Mapping[str, int], typos: Mapping[str, str], train_labels: Collection[str]
) -> bool:
    other = typos[label]
    if fold(label) == fold(other):
        return True
    common = {
        c: n for c, n in counts.items() if c not in typos and counts[label] <= MAX_TYPO_SHARE * n
    }
    spelled = nearest_label(label, common)
    if not spelled or label in train_labels:
        return False
    rest = {c: n for c, n in common.items() if c != spelled}
    second = nearest_label(label, rest)
    return not second or _fold_distance(label, second) > _fold_distance(label, spelled)


def _fold_distance(first: str, second: str) -> int:
    from rapidfuzz.distance import OSA

    return OSA.distance(fold(first), fold(second))


def _final_spelling(label: str, certain: Mapping[str, str]) -> str:
    while label in certain:  # a slip of a slip; each is commoner than the one before it
        label = certain[label]
    return label


def _known_spelling(label: str, known_by_fold: Mapping[str, set[str]]) -> str:
    same_fold = known_by_fold.get(fold(label), set())
    return next(iter(same_fold)) if len(same_fold) == 1 else label


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


def prompt_corrections(
    examples: Sequence[Example], train: Sequence[Example] = (), inference_prompt: str | None = None
) -> dict[str, str]:
    """Return the system prompts to be written otherwise, and how: they differ in white space.

    `inference_prompt` is the prompt at inference. White space around it may be its file's alone: then it is
    no example to follow.
    """
    prompt_by_key = (
        {_collapse_spaces(inference_prompt): inference_prompt}
        if inference_prompt and inference_prompt == inference_prompt.strip()
        else {}
    )
    for side in (train, examples):  # what training has goes before what is commonest here
        for prompt, _ in Counter(e.system for e in side).most_common():
            prompt_by_key.setdefault(_collapse_spaces(prompt), prompt)
    own_prompts = dict.fromkeys(e.system for e in examples)
    return {
        prompt: new
        for prompt in own_prompts
        if (new := prompt_by_key[_collapse_spaces(prompt)]) != prompt
    }


def _collapse_spaces(prompt: str) -> str:
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
