"""Write the prompts of judges: instructions and rubric as the system message, quoted texts as data.

Texts that are judged are untrusted. `quote_untrusted` writes them on three lines, so that nothing
in a text can end the quotation:

    BEGIN DATA 5f0c...      the first 32 digits of the SHA-256 of the line below
    {"question": "...", "answer": "..."}
    END DATA 5f0c...

The middle line is JSON in which every character that ends a string, a line or a tag is escaped. So
no special token of a local model's chat template (`<|im_end|>`, `</s>`, `[INST]`) stays whole.
"""

import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tunegate.data.canonical import content_text, to_json
from tunegate.results.prediction import Prediction
from tunegate.utils.files import sha256_bytes, sha256_json

from .rubric import Criterion, Rubric

Messages = Sequence[Mapping[str, Any]]

# What judges are told beside the rubric and the schema of their answer.
TEXTS = tomllib.loads(files(__package__).joinpath("prompt.toml").read_text("utf-8"))
MAX_SHOWN_LETTERS = 2_000  # characters of an unusable answer that are shown again
SHOWN_FIELDS = ("context", "contexts", "criteria", "documents", "tools")  # of a row
_ROLES = ("user", "assistant", "tool", "function")  # the words of a prompt are ours
# Characters that quote, nest, or open a special token; U+2581 is the space of SentencePiece.
_UNSAFE_CHARACTERS = frozenset('"\\<>[]{}|`\u2581')
_QUOTED = re.compile(r"^BEGIN DATA ([0-9a-f]{32})\n(.*)\nEND DATA \1$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Item:
    """One answer to judge, its question, the number of its row, and what else stood before it."""

    row: int
    question: str
    answer: str
    reference: str = ""
    setting: tuple[tuple[str, str], ...] = ()


def item_of(p: Prediction) -> Item:
    """Return a prediction as a judge sees it: texts with the tool calls that stand in them."""
    answer, reference = _with_calls(p.got, p.calls), _with_calls(p.expected, p.expected_calls)
    return item_with_setting(Item(p.row, p.prompt, answer, reference), p.given, p.fields)


def item_with_setting(item: Item, given: Messages, fields: Mapping[str, Any]) -> Item:
    """Return an item, its question the user's last turn, with what was given and SHOWN_FIELDS."""
    systems = [m for m in given if m["role"] in ("system", "developer")]
    turns = [m for m in given if m["role"] not in ("system", "developer")]
    setting = {"system": "\n".join(map(_turn_text, systems)).strip()}
    if len(turns) > 1:
        asked = max((i for i, m in enumerate(turns) if m["role"] == "user"), default=len(turns) - 1)
        item = replace(item, question=_turn_text(turns[asked]))
        for i, turn in enumerate(turns):
            role = turn["role"] if turn["role"] in _ROLES else "other"
            setting[f"turn {i + 1}, {role}"] = "" if i == asked else _turn_text(turn)
    for name in SHOWN_FIELDS:
        value = fields.get(name) or ""
        setting[name] = value if isinstance(value, str) else to_json(value)
    return replace(item, setting=tuple((name, text) for name, text in setting.items() if text))


def _turn_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message, and its calls of tools."""
    calls = message.get("tool_calls")
    return _with_calls(content_text(message), to_json(calls) if calls else "")


def _with_calls(text: str, calls: str) -> str:
    return "\n".join(filter(None, (text, calls)))


def grading_prompt(item: Item, rubric: Rubric) -> Messages:
    """Return the messages that ask for marks by the rubric."""
    answers, schema = {"answer": item.answer}, grading_schema(rubric)
    return _prompt_messages(TEXTS["grading_task"], item, answers, rubric, schema)


def comparison_prompt(item: Item, other: str, rubric: Rubric, *, swapped: bool = False) -> Messages:
    """Return the messages that ask which answer is better; the item's is "a" unless `swapped`."""
    a, b = (other, item.answer) if swapped else (item.answer, other)
    schema = _answer_schema(better={"enum": ["a", "b", "tie"]})
    return _prompt_messages(TEXTS["comparison_task"], item, {"a": a, "b": b}, rubric, schema)


def repair_prompt(messages: Messages, answer: str, problem: str) -> Messages:
    """Return the messages that ask again, with the unusable answer and its problem quoted."""
    *before, user = messages
    shown = quote_untrusted({"problem": problem, "earlier answer": answer[:MAX_SHOWN_LETTERS]})
    request = f"{user['content']}\n\n{TEXTS['repair_request']}\n{shown}"
    return [*before, {**user, "content": request}]


def _prompt_messages(
    task: str, item: Item, answers: Mapping[str, str], rubric: Rubric, schema: Mapping[str, Any]
) -> Messages:
    reference = {"reference": item.reference} if rubric.reference else {}
    parts = [
        task, TEXTS["setting_note"] if item.setting else "",
        TEXTS["reference_note"] if reference else "", TEXTS["data_rule"],
        _rubric_text(rubric), TEXTS["answer_form"] + json.dumps(schema),
    ]  # fmt: skip
    system = "\n\n".join(part for part in parts if part)
    asked = {**dict(item.setting), "question": item.question}
    data = quote_untrusted({**asked, **reference, **answers})
    return [{"role": "system", "content": system}, {"role": "user", "content": data}]


def _rubric_text(rubric: Rubric) -> str:
    lines = [f"Rubric: {rubric.name}", rubric.instructions]
    if rubric.scale:
        low, high = rubric.scale
        lines.append(f"Score from {low} to {high}, whole numbers only:")
        lines += [f"{score}: {rubric.anchors[score]}" for score in sorted(rubric.anchors, key=int)]
    else:
        lines += [f"{c.id}: {c.question} (true for yes, false for no)" for c in rubric.criteria]
    return "\n".join(lines)


def grading_schema(rubric: Rubric) -> dict[str, Any]:
    """Return the JSON schema of marks by this rubric."""
    if rubric.scale:
        low, high = rubric.scale
        return _answer_schema(score={"type": "integer", "minimum": low, "maximum": high})
    criteria = {c.id: {"type": "boolean"} for c in rubric.criteria}
    return _answer_schema(verdicts=_strict_schema(criteria))


def _answer_schema(**verdict: Any) -> dict[str, Any]:
    # The reason comes first, so that the verdict follows from it and not the reverse.
    return _strict_schema({"reason": {"type": "string"}, **verdict})


def _strict_schema(properties: dict[str, Any]) -> dict[str, Any]:
    schema_fields = {"type": "object", "properties": properties, "required": list(properties)}
    return {**schema_fields, "additionalProperties": False}


def prompt_version() -> str:
    """Return the digest of all prompt texts, which changes with any of them; rubrics aside."""
    criteria = Rubric(name="n", instructions="i", criteria=(Criterion(id="c", question="q"),))
    levels = {"scale": (1, 2), "anchors": {"1": "low", "2": "high"}, "pass_from": 2}
    scale = Rubric.model_validate({"name": "n", "instructions": "i", "reference": True, **levels})
    item, examples = Item(0, "<question>", "answer", "reference"), []
    for rubric in (criteria, scale):
        examples += [grading_prompt(item, rubric), comparison_prompt(item, "other", rubric)]
    examples.append(repair_prompt(examples[0], "answer", "problem"))
    return sha256_json([*map(list, examples)])


def quote_untrusted(fields: Mapping[str, str]) -> str:
    """Return the three lines that quote these texts; the keys must be trusted."""
    line = "{" + ", ".join(f'"{key}": "{escape_text(text)}"' for key, text in fields.items()) + "}"
    digest = _line_digest(line)
    return f"BEGIN DATA {digest}\n{line}\nEND DATA {digest}"


def read_quoted(message: str) -> list[dict[str, str]]:
    """Return the fields of each quotation in a message: for judges that are Python functions."""
    found = _QUOTED.findall(message)
    return [json.loads(line) for digest, line in found if digest == _line_digest(line)]


def escape_text(text: str) -> str:
    """Return a text as the inside of a JSON string, on one line, without a special token."""
    return "".join(map(_escape_character, text))


def _line_digest(line: str) -> str:
    return sha256_bytes(line.encode())[:32]


@lru_cache(maxsize=4096)
def _escape_character(character: str) -> str:
    # Tokenizers that normalise (NFKC) turn a full-width character into the plain one.
    plain = unicodedata.normalize("NFKC", character)
    # Not printable: controls, line separators, invisible and bidirectional marks, surrogates.
    if character.isprintable() and not _UNSAFE_CHARACTERS.intersection(character + plain):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
