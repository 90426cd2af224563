"""The rule that reads a label from a reply, and predictions with their labels read by it."""

import ast
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..utils.strict_json import Unreadable, parse_strict
from ..utils.text import fenced_block, shorten, split_reasoning, without_edge_punctuation
from .finding import Findings

if TYPE_CHECKING:
    from .prediction import Prediction, Predictions

VALID_RULES = 'valid: "exact", "json:FIELD" (json:category, json:result.label), "regex:PATTERN"'
VALID_KINDS = ("exact", "json", "regex", "set")
VALID_FOLDS = ("case", "punctuation", "fence", "explanation")
JOINT = " | "  # between the fields, or the elements of a set, that make one label
EMPTY_SET = "(none)"

Read = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class LabelRule:
    """The one way a project reads labels; it can be pickled, for the processes of checks."""

    name: str  # part of the signature of every score
    reader: Read = field(repr=False, compare=False)
    is_set: bool = field(default=False, repr=False, compare=False)  # a label is a set of labels

    def read(self, text: str) -> str | None:
        """Return the label of a text, in the Unicode form NFC; None for a text that has none."""
        label = self.reader(text)
        return label if label is None else unicodedata.normalize("NFC", label)

    def parts(self, label: str) -> list[str]:
        """Return the labels that a label consists of: of a set, its elements."""
        if not self.is_set:
            return [label]
        return [] if label == EMPTY_SET else label.split(JOINT)

    def right(self, p: "Prediction") -> bool:
        """Return whether an answer has a label, and an expected one."""
        expected, got = self.labels_of(p)
        return got is not None and got == expected

    def labels_of(self, p: "Prediction") -> tuple[str | None, str | None]:
        """Return the expected label and that of the answer; None for none.

        Calls of tools are a label. Of several expected ones it is the one given, else the first.
        """
        got = None if p.error else p.calls or self.read(p.got)
        expected = p.expected_calls or self.read(p.expected)
        is_reference = got is not None and any(got == self.read(text) for text in p.references)
        return got if is_reference else expected, got


def _read_exact(text: str) -> str:
    return split_reasoning(text)[1].strip()


def _read_json(paths: tuple[str, ...], is_set: bool, text: str) -> str | None:
    """Read the fields of a reply that is JSON, each a path; of a set, the elements sorted."""
    try:
        answer = parse_strict(split_reasoning(text)[1])
    except Unreadable:
        return None
    labels = []
    for path in paths:
        value = answer
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        is_list = is_set and isinstance(value, list)
        labels.append(_joined_set(value) if is_list else _json_label(value))
    return None if None in labels else JOINT.join(map(str, labels))


def _joined_set(values: Iterable[Any]) -> str | None:
    """Return a label of the labels of these values; None where one has none."""
    elements = [_json_label(value) for value in values]
    return None if None in elements else JOINT.join(sorted({e for e in elements if e})) or EMPTY_SET


def _json_label(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _read_set(text: str) -> str | None:
    """Read the labels of a list: an array of texts as JSON or Python, or by commas or line ends."""
    if not (answer := split_reasoning(text)[1].strip()):
        return None
    try:
        value = parse_strict(answer)
    except Unreadable:
        try:  # what pandas writes of a list into CSV: ['a', 'b']
            value = ast.literal_eval(answer) if answer[0] in "[(" else None
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = None
        value = [*value] if isinstance(value, list | tuple) else re.split(r"[,;\n]", answer)
    return _joined_set(value if isinstance(value, list) else [value])


def _read_match(pattern: re.Pattern[str], text: str) -> str | None:
    """Read the first match of a pattern in a reply: its first group, or all of it."""
    match = pattern.search(split_reasoning(text)[1])
    label = match and match.group(1 if pattern.groups else 0)
    return label.strip() if label is not None else None


def _read_folded(rule: LabelRule, fold: Sequence[str], text: str) -> str | None:
    """Read a label by another rule, without case, punctuation, a ``` fence or an explanation."""
    if "fence" in fold:
        text = fenced_block(text)
    if "explanation" in fold:  # what is not the JSON object, or the first line
        start, end = text.find("{"), text.rfind("}") + 1
        text = text[start:end] if 0 <= start < end else text.strip().partition("\n")[0]
    if (label := rule.read(text)) is None:
        return None
    parts = label.split(JOINT)
    if "case" in fold:
        parts = [part.casefold() for part in parts]
    if "punctuation" in fold:
        parts = [without_edge_punctuation(part) for part in parts]
    return JOINT.join(sorted({*parts}) if rule.is_set else parts)


def _read_transformed(rule: LabelRule, transform: str, text: str) -> str | None:
    """Read a label of what a function, `FILE.py:FUNCTION`, returns for a reply."""
    changed = _function_at(transform)(text)
    return rule.read(changed) if isinstance(changed, str) else None


@cache
def _function_at(transform: str) -> Callable[[str], object]:
    import runpy

    path, _, name = transform.rpartition(":")
    try:
        function: Callable[[str], object] = runpy.run_path(path)[name]
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        raise ValueError(f"transform {transform}: {type(error).__name__}: {error}") from None
    return function


exact = LabelRule("label: the whole answer, white space around it aside", _read_exact)


def json_field(path: str, *more: str, is_set: bool = False) -> LabelRule:
    """Return the rule that reads one field, or several, of an answer that is JSON and nothing else.

    Dots in a path lead into nested objects. A string is stripped; a number, true or false becomes
    its JSON text. Anything else (no JSON, no such field, null, an object, an array) is no label; of
    a `set`, an array is the set of its elements. Several fields make one label, "BILLING | HIGH".
    Raises ValueError for an empty path.
    """
    for one in (path, *more):
        if not one or not all(one.split(".")):
            raise ValueError(f"no field in json:{one}; {VALID_RULES}")
    fields = f"field {path}" if not more else f"fields {', '.join((path, *more))}"
    name = f"label: {'set of ' if is_set else ''}JSON {fields}"
    return LabelRule(name, partial(_read_json, (path, *more), is_set), is_set)


def regex(pattern: str) -> LabelRule:
    r"""Return the rule that reads the first match of a pattern: its first group, or all of it.

    `regex(r"label:\s*(\w+)")`. An answer without a match has no label. Raises ValueError for a
    pattern that is not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}; {VALID_RULES}") from None
    if not pattern:
        raise ValueError(f"no pattern in regex:; {VALID_RULES}")
    return LabelRule(f"label: regex {pattern}", partial(_read_match, compiled))


def label_rule(spec: str | LabelRule) -> LabelRule:
    """Return the rule that a configuration names; raises ValueError naming the valid forms."""
    if isinstance(spec, LabelRule):
        return spec
    kind, colon, rest = spec.partition(":")
    makers: dict[str, Callable[[str], LabelRule]] = {"json": json_field, "regex": regex}
    if spec != "exact" and not (colon and kind in makers):
        raise ValueError(f"no such rule; {VALID_RULES}")
    return exact if spec == "exact" else makers[kind](rest)


def label_rule_of_table(
    kind: str, fields: Sequence[str] = (), pattern: str = "", fold: Sequence[str] = ()
) -> LabelRule:
    """Return the rule that the table `[label]` names; raises ValueError naming what is valid."""
    if kind not in VALID_KINDS:
        raise ValueError(f"kind is {kind!r}; valid: {', '.join(map(repr, VALID_KINDS))}")
    for name in fold:
        if name not in VALID_FOLDS:
            raise ValueError(f"fold has {name!r}; valid: {', '.join(map(repr, VALID_FOLDS))}")
    if (kind == "json") > bool(fields) or (fields and kind not in ("json", "set")):
        needs = "needs" if kind == "json" else "takes no"
        raise ValueError(f'kind = "{kind}" {needs} fields; e.g. kind = "json", fields = ["team"]')
    if (kind == "regex") != bool(pattern):
        needs = "needs a" if kind == "regex" else "takes no"
        raise ValueError(f'kind = "{kind}" {needs} pattern')
    if fields:
        rule = json_field(*fields, is_set=kind == "set")
    elif kind == "set":
        rule = LabelRule("label: the set of labels in the answer", _read_set, is_set=True)
    else:
        rule = regex(pattern) if kind == "regex" else exact
    return folded(rule, [name for name in VALID_FOLDS if name in fold]) if fold else rule


def transformed(rule: LabelRule, transform: str) -> LabelRule:
    """Return the rule that reads a label of what `FILE.py:FUNCTION` returns; raises ValueError."""
    _function_at(transform)
    name = f"{rule.name}, of what {transform.rpartition(':')[2]} returns"
    return LabelRule(name, partial(_read_transformed, rule, transform), rule.is_set)


def folded(rule: LabelRule, fold: Sequence[str]) -> LabelRule:
    """Return the rule that reads a label by another, without what these folds name."""
    name = f"{rule.name}, without {' and '.join(fold)}"
    return LabelRule(name, partial(_read_folded, rule, tuple(fold)), rule.is_set)


def fold_advice(predictions: "Sequence[Prediction]", rule: LabelRule) -> list[str]:
    """Return, as a hint, how many wrong answers would be right with a `fold`; [] for none."""
    wrong = [p for p in predictions if not p.error and not rule.right(p)]
    folds = [fold for n in range(1, 5) for fold in combinations(VALID_FOLDS, n) if wrong]
    right = {fold: sum(map(folded(rule, fold).right, wrong)) for fold in folds}
    best = max(right, key=right.__getitem__, default=())
    found = f"{right.get(best, 0):,} of {len(wrong):,} wrong answers would match"
    return [f"{found} with fold = {json.dumps(best)} in [label]"] if right.get(best) else []


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """A prediction and its two labels; `got` is None without an answer, or a label in it."""

    prediction: "Prediction"
    expected: str
    got: str | None

    @property
    def right(self) -> bool:
        """Whether the answer's label is the expected one."""
        return self.got == self.expected


def label_predictions(predictions: "Predictions", rule: LabelRule) -> list[LabelledPrediction]:
    """Return all predictions with their labels; raises ValueError for an expected reply without."""
    __tracebackhide__ = True
    rows = []
    for p in predictions:
        expected, got = rule.labels_of(p)
        if expected is None:
            lacking = f"no label in the expected reply {shorten(p.expected, 40)!r} ({rule.name})"
            advice = "correct the row, or `label` in the configuration"
            raise ValueError(f"test line {p.line}: {lacking}; {advice}")
        rows.append(LabelledPrediction(p, expected, got))
    return rows


def wrong_labels(predictions: "Predictions", rule: LabelRule) -> Findings:
    """Return a finding for each wrong answer; its kind is the label, "no answer", "unparseable"."""
    findings = []
    for row in label_predictions(predictions, rule):
        p, prompt = row.prediction, shorten(row.prediction.prompt, 60)
        if p.error:
            findings.append(p.finding("no answer", p.error))
        elif row.got is None:
            evidence = f"got {shorten(p.got, 30)!r}, not {row.expected!r}, for: {prompt}"
            findings.append(p.finding("unparseable", evidence))
        elif not row.right:
            evidence = f"got {shorten(row.got, 30)!r} for: {prompt}"
            findings.append(p.finding(row.expected, evidence))
    return Findings("misses", findings, split="test", n=len(predictions))
