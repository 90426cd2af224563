"""Plan rows so that their variety is designed, ask a model for them, and keep those that hold.

The first n slots of a plan are the same whatever n is: a longer call has them in the cache.
"""

import json
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import chain, count, groupby, product, zip_longest
from typing import Any

from tunegate import Dataset
from tunegate.data.canonical import request_digest
from tunegate.data.comparison import group_indices, is_label
from tunegate.interfaces.model import Answer, Budget, Model, Request, SamplingModel, hold_to_budget
from tunegate.models.predict import cached_answers
from tunegate.storage.state_dir import StateDir
from tunegate.utils import progress
from tunegate.utils.masking import mask
from tunegate.utils.strict_json import Unreadable, find_objects, to_json_line
from tunegate.utils.text import shorten, split_reasoning

from ..data import leakage
from ..fix.steps import FixRules, findings_of_others, findings_of_steps
from ..review.sheet import row_id

WORDS = tomllib.loads(files(__package__).joinpath("words.toml").read_text("utf-8"))
NEW, REWORDED, OUT_OF_SCOPE = "new", "reworded", "out of scope"
OUT_OF_SCOPE_AFTER = 9  # slots within it comes one out of it, where its reply is given
ROUNDS = 4  # how often a slot is asked for, each time beside other seeds
MAX_BATCH = 5  # rows of one request
BATCH_LETTERS = 3_000  # of the rows of one answer, about: a longer one may be cut off
TEMPERATURE = 0.8
Fields = dict[str, Any]
AskRows = Callable[[Sequence[Request]], Mapping[int, Answer]]


@dataclass(frozen=True, slots=True)
class Slot:
    """One row to ask for, made after the seed with the index `parent`; "" is left to the seed."""

    parent: int
    label: str = ""
    language: str = ""
    difficulty: str = REWORDED
    length: str = ""
    other: str = ""  # the label that a near miss reads like


def slots(by_seed: Sequence[str], languages: Sequence[str], away: str | None) -> Iterator[Slot]:
    """Yield slots without end, the labels in turn; `by_seed` has that of each seed.

    For each label the combinations of the rest come in a random order, none again before all have
    come. `away` is the label of questions that are out of scope; None for none.
    """
    rng, seeds = random.Random(0), group_indices(by_seed, str)
    names, kinds = sorted(seeds), ("plain", "hard", "near miss")
    cells = [*product(languages or [""], kinds[: 2 + (len(names) > 1)], WORDS["length"])]
    decks = {name: rng.sample(cells, len(cells)) for name in names}
    for n in count():
        turn, name = n // len(names), names[n % len(names)]
        parent = seeds[name][turn % len(seeds[name])]
        language, kind, length = decks[name][turn % len(cells)]
        others = [other for other in names if other != name] or [""]
        yield Slot(parent, name, language, kind, length, others[turn % len(others)])
        if away is not None and n % OUT_OF_SCOPE_AFTER == 0:
            yield Slot(parent, away, language, OUT_OF_SCOPE, length)


def writer(model: Model, kind: str, state: StateDir, budget: Budget) -> AskRows:
    """Return what asks a model for rows, held to their JSON schema if its server takes one."""
    forms = [model]
    if isinstance(model, SamplingModel):
        forms = [model.sampled(TEMPERATURE, WORDS[kind]["schema"]), model.sampled(TEMPERATURE, {})]
    forms = [hold_to_budget(budget, form) for form in forms]

    def ask(requests: Sequence[Request]) -> Mapping[int, Answer]:
        with progress.progress_bar(f"asking {mask(model.name)}", lambda: budget.spent) as bar:
            answers = cached_answers(forms[0], requests, state, bar)
            if len(forms) > 1 and all(a.error for a in answers.values()) and not budget.exceeded:
                del forms[0]  # a server that takes no schema refuses every request
                answers = cached_answers(forms[0], requests, state, bar)
        return answers

    return ask


@dataclass
class Generation:
    """The seeds, what new rows are held to, and what came of it.

    A row holds where it has the label that was asked for, no check of `tunegate fix` finds a fault
    in it, and it nearly repeats no seed, no other new row, and none of `splits`.
    """

    seeds: Dataset
    ask: AskRows
    model: str
    rules: FixRules
    splits: Sequence[Dataset] = ()
    shots: int = 15  # seeds in a prompt
    away: str = ""  # the reply to what is out of scope
    second: Callable[[Dataset], dict[int, str]] | None = None  # a second model's objections, by row
    kept: dict[int, Fields] = field(default_factory=dict)  # rows by the number of the slot
    refused: Counter[str] = field(default_factory=Counter)  # by reason
    asked: Counter[str] = field(default_factory=Counter)  # by the digest of a request

    def __post_init__(self) -> None:
        found = [e.label for e in self.seeds]
        are_labels = all(map(is_label, filter(None, found))) and len({*found}) < len(found)
        self.labels = found if are_labels else [""] * len(found)  # else they are texts

    def write(self, slots: Sequence[Slot]) -> None:
        """Ask for a row for each slot, and again for those whose row was refused."""
        todo = dict(enumerate(slots))
        for turn in range(ROUNDS):
            if not todo:
                return
            batches, drafts, requests = [*self._batches(todo)], dict[int, Fields](), list[Request]()
            for k, batch in enumerate(batches):
                messages = self.messages([*batch.values()], turn * len(slots) + k)
                asked = request_digest(messages)
                requests.append(Request(k, messages, self.asked[asked]))
                self.asked[asked] += 1  # again, it is to have another answer
            answers = self.ask(requests)
            for batch, request in zip(batches, requests, strict=True):
                asked = request_digest(request.messages)[:12]
                written = self._read(answers[request.row], len(batch))
                for (i, slot), texts in zip(batch.items(), written, strict=False):
                    drafts |= {i: row} if (row := self._row(slot, texts, asked)) else {}
            self._keep_sound(drafts, todo)
            todo = {i: slot for i, slot in todo.items() if i not in self.kept}

    def _batches(self, todo: Mapping[int, Slot]) -> Iterator[dict[int, Slot]]:
        """Yield the slots of each request by their numbers; rewordings are of one seed."""
        letters = sum(len(e.text) for e in self.seeds) // len(self.seeds)
        size = max(1, min(MAX_BATCH, BATCH_LETTERS // (letters + 1)))
        by_seed = groupby(todo.items(), lambda x: x[1].difficulty == REWORDED and x[1].parent)
        for own in ([*together] for _, together in by_seed):
            yield from (dict(own[i : i + size]) for i in range(0, len(own), size))

    def messages(self, batch: Sequence[Slot], turn: int) -> list[dict[str, str]]:
        """Return the messages that show seeds and ask for a row for each slot of a batch."""
        from jinja2 import Template

        kind = REWORDED if batch[0].difficulty == REWORDED else NEW
        own, parents = group_indices(self.labels, str), dict.fromkeys(s.parent for s in batch)
        rng = random.Random(turn)
        mixed = [rng.sample(rows, len(rows)) for rows in own.values()]
        others = [i for round_ in zip_longest(*mixed) for i in round_ if i not in (None, *parents)]
        shown = [*parents, *others][: max(len(parents), self.shots if kind == NEW else 1)]
        rows = [{"prompt": self.seeds[i].prompt, "reply": self.seeds[i].reply} for i in shown]
        asked = Template(WORDS["user"], trim_blocks=True).render(
            systems=dict.fromkeys(self.seeds[i].system for i in shown if self.seeds[i].system),
            examples=[json.dumps(row, ensure_ascii=False) for row in rows],
            task=WORDS[kind]["task"].format(n=len(batch)), slots=batch if kind == NEW else (),
            manner={i: k for k, i in enumerate(shown, start=1)}, words=WORDS,
        )  # fmt: skip
        system = {"role": "system", "content": WORDS["system"] + WORDS[kind]["form"]}
        return [system, {"role": "user", "content": asked}]

    def _read(self, answer: Answer, n: int) -> Sequence[object]:
        """Return the rows of an answer to n slots, and count those that lack."""
        rows, why = list[object](), "no JSON with rows in the answer"
        try:
            text = split_reasoning(answer.text)[1]
            for found in find_objects(text, lambda v: isinstance(v.get("rows"), list))[:1]:
                to_json_line(found)  # half a character is refused here
                rows, why = found["rows"][:n], "not in the answer"
        except Unreadable as error:
            why = str(error)
        why = "the answer was cut off" if answer.finish == "length" else why
        why = f"no answer: {answer.error}" if answer.error else why
        self.refused[shorten(why, 100)] += n - len(rows)
        return rows

    def _row(self, slot: Slot, written: object, request: str) -> Fields:
        """Return what was written for a slot as a row, with where it comes from; {} for no row."""
        parent, texts = self.seeds[slot.parent], written if isinstance(written, dict) else {}
        replies = {REWORDED: parent.reply, OUT_OF_SCOPE: self.away}
        turns = {"user": texts.get("prompt")}
        turns["assistant"] = replies.get(slot.difficulty, texts.get("reply"))
        if not all(isinstance(text, str) for text in turns.values()):
            self.refused["no texts as prompt and reply"] += 1
            return {}
        told = [m for m in parent.given if m["role"] in ("system", "developer")]
        plan = {name: getattr(slot, name) for name in ("language", "difficulty", "length")}
        return {
            "messages": [*told, *({"role": r, "content": c} for r, c in turns.items())],
            "generated": True, "parent": str(parent.fields.get("id") or row_id(parent)),
            "model": self.model, "request": request,
            "plan": {name: value for name, value in plan.items() if value},
        }  # fmt: skip

    def _keep_sound(self, drafts: Mapping[int, Fields], todo: Mapping[int, Slot]) -> None:
        """Keep the drafts, and of all rows those without a fault."""
        rows = {**self.kept, **drafts}
        numbers, new = [*rows], Dataset.of([*rows.values()], reading=self.seeds.reading)
        faults = dict(self._faults(new))
        for example, number in zip(new, numbers, strict=True):
            if number in todo and todo[number].label not in ("", example.label):
                faults[example.row] = "another label than was asked for"
        sound = Dataset([e for e in new if e.row not in faults], reading=new.reading)
        faults |= self.second(sound) if self.second else {}
        self.refused.update(faults.values())
        self.kept = {n: rows[n] for i, n in enumerate(numbers) if i not in faults}

    def _faults(self, new: Dataset) -> Iterator[tuple[int, str]]:
        """Yield row and reason of each finding in new rows, by themselves and beside the seeds."""
        first, rules = len(self.seeds), self.rules
        rows = Dataset.of([e.fields for e in (*self.seeds, *new)], reading=new.reading)
        of_steps = findings_of_steps(rows, self.splits, rules).items()
        for name, findings in chain(of_steps, findings_of_others(rows, (), rules)):
            for f in findings:
                if f.row is not None and f.row >= first:
                    yield f.row - first, f"{name}: {f.kind}"
        for f in leakage.find(self.seeds, new, similarity=rules.limits.similarity):
            if f.row is not None and f.kind != "group":
                yield f.row, f"{f.kind} a seed"
