"""The repairs of rows with exactly one remedy: of messages, and of labels.

Repairs of messages lose nothing. Labels are spelled one way: as training does, or as most rows do.
Which label is a misspelling of which, `text.label_typos` says. Three kinds are left for a person:
one that could be meant for two others, one that is a label of its own in training, and one inside a
sentence ("the team is not billing").
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from typing import Any

from tunegate.data.dataset import Dataset
from tunegate.data.formats.chat import SHAREGPT_ROLES
from tunegate.data.formats.pairs import rejected_in
from tunegate.data.formats.row_format import REJECTED, Fields, Message, openai_call
from tunegate.results.labels import LabelRule, exact

from ..data.consistency import no_classes, spelled_labels
from ..data.format import CONTENT_ALTERNATIVES, MESSAGE_KEYS, ROLES
from ..text.label_typos import MAX_TYPO_SHARE, find_typos, fold, is_rare_variant, label_distance
from ..text.replies import is_mostly_json

# The field of a row that takes the keys that a message cannot have, by the message's number.
EXTRA_KEYS = "message_fields"


def repair_messages(fields: Fields) -> tuple[Fields, list[str]]:
    """Return the repaired row, and each repair as "path action"; with none, the row itself.

    The rejected reply of a preference row is repaired like a message. Keys that a message cannot
    have move to the row's field EXTRA_KEYS, unless the row has such a field already.
    """
    messages = [dict(message) for message in fields["messages"]]
    rejected_message = rejected_in(fields)
    replies = {REJECTED: [dict(rejected_message)]} if rejected_message else {}
    messages_by_number = {str(i): (f"messages[{i}]", message) for i, message in enumerate(messages)}
    messages_by_number |= {name: (f"{name}[0]", reply) for name, (reply,) in replies.items()}
    extra_keys: dict[str, Message] = {}
    actions: list[str] = []
    for number, (path, message) in messages_by_number.items():
        repairs = [*_repair_keys(message), *_repair_content(message)]
        actions += (f"{path}{action}" for action in repairs)
        for key in [k for k in message if k not in MESSAGE_KEYS and EXTRA_KEYS not in fields]:
            # A key that is no name could itself be personal data.
            name = key if key.isidentifier() and len(key) <= 30 else "(key)"
            extra_keys.setdefault(number, {})[key] = message.pop(key)
            actions.append(f"{path} has its key {name} moved to the row's {EXTRA_KEYS}")
    if not actions:
        return fields, []
    moved_keys = {EXTRA_KEYS: extra_keys} if extra_keys else {}
    return {**fields, "messages": messages, **replies, **moved_keys}, actions


def _repair_keys(message: Message) -> Iterator[str]:
    """Repair the role, and remove a name or a weight that has no effect."""
    role = message["role"]
    repaired_role = role.strip().lower()
    repaired_role = SHAREGPT_ROLES.get(repaired_role, repaired_role)
    if role not in ROLES and repaired_role in ROLES:
        message["role"] = repaired_role
        yield f".role became {repaired_role}"
    if isinstance(name := message.get("name"), str) and not name.strip():
        del message["name"]
        yield ".name, which was empty, left out"
    if "weight" not in message:
        return
    weight = message["weight"]
    if message["role"] != "assistant":
        del message["weight"]
        yield ".weight, which says nothing there, left out"
    elif type(weight) is not int and isinstance(weight, bool | float) and weight in (0, 1):
        message["weight"] = int(weight)
        yield f".weight became {int(weight)}"


def _repair_content(message: Message) -> Iterator[str]:
    """Remove NUL characters and blank content beside a call; give calls OpenAI's form."""
    content = _without_nul(message.get("content"))
    if content != message.get("content"):
        message["content"] = content
        yield ".content lost its NUL characters"
    may_be_empty = message["role"] == "assistant" and any(map(message.get, CONTENT_ALTERNATIVES))
    if may_be_empty and isinstance(content, str) and not content.strip():
        message["content"] = None
        yield ".content, which was blank beside a call, became null"
    calls, numbers = message.get("tool_calls"), count(1)
    repaired = [openai_call(call, numbers) for call in calls] if isinstance(calls, list) else calls
    if repaired != calls:
        message["tool_calls"] = repaired
        yield ".tool_calls, of another API, took OpenAI's form"


def _without_nul(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nul(item) for key, item in value.items()}
    return value.replace("\0", "") if isinstance(value, str) else value


def label_corrections(dataset: Dataset, train_labels: Collection[str] = ()) -> dict[str, str]:
    """Return new spellings by the label to change; `train_labels` are the labels of training."""
    if (dataset.reading.label == exact and is_mostly_json(dataset)) or no_classes(dataset):
        return {}
    counts = Counter(label for example in dataset for label in spelled_labels(example))
    typos = find_typos(counts)
    certain = {c: m for c, m in typos.items() if _is_certain(c, counts, typos, train_labels)}
    known_by_fold: dict[str, set[str]] = {}
    for label in train_labels:
        known_by_fold.setdefault(fold(label), set()).add(label)
    corrections: dict[str, str] = {}
    for label in counts:
        new = label
        while new in certain:  # a typo of a typo; each is more frequent than the one before it
            new = certain[new]
        known = known_by_fold.get(fold(new), set())
        # A spelling that both files have is a class of its own beside this one.
        if len(known) == 1 and (known - counts.keys() or known & certain.keys()):
            new = next(iter(known))
        if new != label:
            corrections[label] = new
    return corrections


def _is_certain(
    label: str, counts: Mapping[str, int], typos: Mapping[str, str], train_labels: Collection[str]
) -> bool:
    """Tell whether a typo has one label alone that it can be meant for."""
    if label.strip() == typos[label].strip():
        return True
    if label in train_labels:
        return False
    n, known = counts[label], [(c, m) for c, m in counts.items() if c not in typos]
    meant = [c for c, m in known if n <= MAX_TYPO_SHARE * m or is_rare_variant(label, c, counts)]
    distances = [d for other in meant if (d := label_distance(label, other)) is not None]
    return distances.count(min(distances, default=0)) == 1


def respelled(reply: str, label: str, new: str, rule: LabelRule) -> str | None:
    """Return a reply with another label in the one place where its rule reads one; else None."""
    if rule == exact:
        return new
    wanted = {*rule.parts(rule.read(reply) or "")} - {label} | {new}
    for match in re.finditer(re.escape(label), reply):
        changed = f"{reply[: match.start()]}{new}{reply[match.end() :]}"
        if (read := rule.read(changed)) is not None and {*rule.parts(read)} == wanted:
            return changed
    return None


def with_text(fields: Fields, index: int, text: str) -> Fields | None:
    """Return the row with another text of a message; None where it is not exactly one text."""
    messages = [*fields["messages"]]
    content = messages[index].get("content")
    if isinstance(content, list) and len(content) == 1 and "text" in content[0]:
        messages[index] = {**messages[index], "content": [{**content[0], "text": text}]}
    elif isinstance(content, str):
        messages[index] = {**messages[index], "content": text}
    else:
        return None
    return {**fields, "messages": messages}
