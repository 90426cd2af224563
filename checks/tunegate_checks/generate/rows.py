"""Ask a model for rows until each slot of a plan has one that holds; count what is refused.

A row holds where it has the label that was asked for, no check of `tunegate fix` finds a fault in
it, and its prompt is not nearly that of a seed, of another new row, or of a row of the splits.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunegate.data.canonical import request_digest
from tunegate.data.comparison import group_indices
from tunegate.data.dataset import Dataset, Example, rejected_reply
from tunegate.interfaces.model import Answer, Request
from tunegate.results.prediction import Predictions
from tunegate.utils.strict_json import Unreadable, find_objects, to_json_line
from tunegate.utils.text import shorten, split_reasoning

from ..data import consistency, labels, leakage
from ..fix.recheck import FixRules, findings_of_steps
from ..review.sample import row_id
from .plan import OUT_OF_SCOPE, REWORDED, Slot, labels_of, request_messages

ROUNDS = 4  # how often a slot is asked for, each time beside other seeds
MAX_BATCH = 5  # rows of one request
BATCH_LETTERS = 3_000  # of the rows of one answer, about: a longer one may be cut off
Fields = dict[str, Any]


@dataclass
class Generation:
    """The seeds, what new rows are held to, and what came of it.

    `splits` are datasets whose rows are not to be repeated; `second` are the answers of a second
    model, whose labels must be those of the rows.
    """

    seeds: Dataset
    ask: Callable[[Sequence[Request]], Mapping[int, Answer]]
    model: str
    rules: FixRules
    splits: Sequence[Dataset] = ()
    second: Callable[[Dataset], Predictions] | None = None
    shots: int = 15  # seeds in a prompt
    away: str = ""  # the reply to what is out of scope
    kept: dict[int, Fields] = field(default_factory=dict)  # rows by the number of the slot
    refused: Counter[str] = field(default_factory=Counter)  # by reason

    def __post_init__(self) -> None:
        self.labels = labels_of(self.seeds)

    def write(self, slots: Sequence[Slot]) -> None:
        """Ask for a row for each slot, and again for those whose row was refused."""
        todo = dict(enumerate(slots))
        for turn in range(ROUNDS):
            if not todo:
                return
            requests, drafts = dict[int, Request](), dict[int, Fields]()
            batches = [*self._batches(todo)]
            for k, own in enumerate(batches):
                batch = [todo[i] for i in own]
                about = request_messages(self.seeds, self.labels, batch, self.shots, turn + k)
                requests[k] = Request(k, about, turn)
            answers = self.ask([*requests.values()])
            for k, own in enumerate(batches):
                asked = request_digest(requests[k].messages)[:12]
                for i, row in zip(own, self._read(answers[k], len(own)), strict=False):
                    drafts |= self._draft(i, todo[i], row, asked)
            self._keep_sound(drafts, todo)
            todo = {i: slot for i, slot in todo.items() if i not in self.kept}

    def _batches(self, todo: Mapping[int, Slot]) -> Iterator[list[int]]:
        """Yield the numbers of the slots of each request; rewordings are of one seed."""
        letters = sum(len(e.text) for e in self.seeds) // len(self.seeds)
        size = max(1, min(MAX_BATCH, BATCH_LETTERS // (letters + 1)))
        together = group_indices(
            todo.values(), lambda s: s.parent if s.difficulty == REWORDED else -1
        )
        for places in together.values():
            own = [[*todo][i] for i in places]
            yield from (own[i : i + size] for i in range(0, len(own), size))

    def _read(self, answer: Answer, n: int) -> Sequence[object]:
        """Return the rows of an answer to n slots, and count those that lack."""
        rows, why = list[object](), "no JSON with rows in the answer"
        try:
            text = split_reasoning(answer.text)[1]
            for found in find_objects(text, lambda v: isinstance(v.get("rows"), list))[:1]:
                rows, why = found["rows"][:n], "not in the answer"
        except Unreadable as error:
            why = str(error)
        why = "the answer was cut off" if answer.finish == "length" else why
        why = f"no answer: {answer.error}" if answer.error else why
        self.refused[shorten(why, 100)] += n - len(rows)
        return rows

    def _draft(self, number: int, slot: Slot, written: object, request: str) -> dict[int, Fields]:
        """Return the row for a slot by its number, with where it comes from; {} for none."""
        row = written if isinstance(written, dict) else {}
        parent, prompt = self.seeds[slot.parent], row.get("prompt")
        kept_reply = {REWORDED: parent.reply, OUT_OF_SCOPE: self.away}
        reply = kept_reply.get(slot.difficulty, row.get("reply"))
        plan = {name: getattr(slot, name) for name in ("language", "difficulty", "length")}
        told = [m for m in parent.given if m["role"] in ("system", "developer")]
        fields = {
            "messages": [
                *told, {"role": "user", "content": prompt}, {"role": "assistant", "content": reply},
            ],
            "generated": True, "parent": str(parent.fields.get("id") or row_id(parent)),
            "model": self.model, "request": request,
            "plan": {name: value for name, value in plan.items() if value},
        }  # fmt: skip
        try:
            if isinstance(prompt, str) and isinstance(reply, str) and to_json_line(fields):
                return {number: fields}
        except Unreadable:
            pass
        self.refused["no texts as prompt and reply"] += 1
        return {}

    def _keep_sound(self, drafts: Mapping[int, Fields], todo: Mapping[int, Slot]) -> None:
        """Keep the drafts, and of all rows those without a fault."""
        rows = {**self.kept, **drafts}
        numbers, new = [*rows], Dataset.of([*rows.values()], reading=self.seeds.reading)
        faults = dict(self._faults(new))
        for example, number in zip(new, numbers, strict=True):
            if number in todo and todo[number].label not in ("", example.label):
                faults[example.row] = "another label than was asked for"
        sound = Dataset([e for e in new if e.row not in faults], reading=new.reading)
        for p in self.second(sound) if self.second else ():
            expected, got = new.reading.label.labels_of(p)
            if p.error or got != expected:
                faults[p.row] = "the second model gives " + ("none" if p.error else "another label")
        self.refused.update(faults.values())
        self.kept = {n: rows[n] for i, n in enumerate(numbers) if i not in faults}

    def _faults(self, new: Dataset) -> Iterator[tuple[int, str]]:
        """Yield row and reason of each finding in new rows, by themselves and beside the seeds."""
        first, rules = len(self.seeds), self.rules
        rows = Dataset.of([e.fields for e in (*self.seeds, *new)], reading=new.reading)
        found = findings_of_steps(rows, self.splits, rules)
        found["labels.contradictions"] = [*labels.contradictions(rows)]
        if rules.task:
            form = consistency.output_format(rows, task=rules.task)
            found["consistency.output_format"] = [*form]
        for name, findings in found.items():
            for f in findings:
                if f.row is not None and f.row >= first:
                    yield f.row - first, f"{name}: {f.kind}"
        for f in leakage.find(self.seeds, new, similarity=rules.limits.similarity):
            if f.row is not None and f.kind != "group":
                yield f.row, f"{f.kind} a seed"


def is_plain(example: Example) -> bool:
    """Tell whether rows can be made after a row: it has one prompt and one reply, both texts."""
    turns = [m["role"] for m in example.messages if m["role"] not in ("system", "developer")]
    texts = example.prompt.strip() and example.reply.strip()
    others = example.setting or example.target.calls or rejected_reply(example)
    return turns == ["user", "assistant"] and bool(texts) and not others
