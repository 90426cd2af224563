"""Strategies, `[models.NAME]` with `of`: what the model behind the prompt is asked."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import endpoint_parts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.interfaces.model import Answer, Budget, Model, ModelUnknown, PricedModel, Request
from tunegate.models.predict import cached_answers
from tunegate.models.spec import open_model
from tunegate.models.strategies import PASSAGE_WORDS, Strategy, passages_of, ranker
from tunegate.storage.answer_cache import AnswerCache
from tunegate.storage.state_dir import StateDir
from tunegate.utils.text import count_words

if TYPE_CHECKING:
    from conftest import Project

CONFIG = """\
[data]
train = "train.jsonl"
validation = "validation.jsonl"
test = "test.jsonl"
group_by = "user"
[models.few]
of = "echo:one"
"""


class Echo:
    """A model that keeps what it was asked; its answer is the number of messages."""

    temperature = 0.5

    def __init__(self, rest: str) -> None:
        self.name, self.digest = f"echo:{rest}", rest
        self.asked: list[Request] = []
        self.budget: Budget | None = None

    def with_budget(self, budget: Budget) -> Model:
        self.budget = budget
        return self

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        self.asked += requests
        for request in requests:
            yield Answer(request.row, str(len(request.messages)), tokens=3, served_by="v1")


OPENERS = {"echo": lambda rest, root: Echo(rest)}


def written(root: Path, name: str, rows: Sequence[tuple[str, str, str]]) -> None:
    lines = []
    for asked, reply, user in rows:
        turns = [("system", "Route."), ("user", asked), ("assistant", reply)]
        messages = [{"role": role, "content": text} for role, text in turns]
        lines.append(json.dumps({"messages": messages, "user": user}))
    (root / name).write_text("\n".join(lines) + "\n", "utf-8")


TRAIN = [
    ("my card was charged twice this month", "billing", "u1"),
    ("where is my parcel, it should be here", "delivery", "u2"),
    ("não recebi a nota fiscal da compra", "billing", "u3"),
    ("我的包裹在哪里", "delivery", "u4"),
    ("the invoice has another address than mine", "billing", "u5"),
    ("the courier left the parcel at the wrong door", "delivery", "u6"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    written(tmp_path, "train.jsonl", TRAIN)
    written(tmp_path, "validation.jsonl", [("can i pay in parts", "billing", "v1")])
    written(tmp_path, "test.jsonl", [("the parcel came broken", "delivery", "t1")])
    return tmp_path


def opened(root: Path, settings: str, config: str = CONFIG) -> Strategy:
    (root / "tunegate.toml").write_text(config + settings, "utf-8")
    strategy = open_model("few", root, OPENERS)
    assert isinstance(strategy, Strategy)
    return strategy


def request(asked: str, group: str = "", row: int = 0) -> Request:
    messages = [{"role": "system", "content": "Route."}, {"role": "user", "content": asked}]
    return Request(row, messages, group=group)


def shown(strategy: Strategy, asked: str, group: str = "") -> list[str]:
    """Return the questions of the examples that stand in the prompt."""
    messages = strategy.prompted(request(asked, group)).messages
    return [str(m["content"]) for m in messages if m["role"] == "user"][:-1]


def test_the_prompt_has_system_text_examples_and_the_question(root: Path) -> None:
    (root / "system.txt").write_text("You route tickets.\n", "utf-8")
    strategy = opened(root, 'system = "system.txt"\nshots = 2\n')
    (answer,) = strategy.answers([request("can i pay later")])
    assert isinstance(strategy.inner, Echo)
    (asked,) = strategy.inner.asked
    assert asked.messages[0] == {"role": "system", "content": "You route tickets.\n\nRoute."}
    assert [m["role"] for m in asked.messages[1:]] == ["user", "assistant"] * 2 + ["user"]
    assert asked.messages[-1]["content"] == "can i pay later"
    assert {m["content"] for m in asked.messages if m["role"] == "assistant"} == {
        "billing", "delivery",
    }  # fmt: skip
    assert (answer.text, answer.tokens, answer.served_by) == ("6", 3, "v1")
    assert strategy.temperature == 0.5


def test_a_system_text_that_rows_have_already_stands_once(root: Path) -> None:
    (root / "system.txt").write_text("Route.\n", "utf-8")
    messages = opened(root, 'system = "system.txt"\n').prompted(request("hello")).messages
    assert [m["content"] for m in messages] == ["Route.", "hello"]


def test_a_file_of_examples_is_shown_in_its_order(root: Path) -> None:
    written(root, "shots.jsonl", [("first thing", "billing", ""), ("second one", "delivery", "")])
    strategy = opened(root, 'shots = "shots.jsonl"\n')
    assert shown(strategy, "anything else") == ["first thing", "second one"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_example_may_stand_in_a_set_that_judges(root: Path, split: str) -> None:
    rows = [("fine", "billing", ""), ("The Parcel came  broken", "delivery", ""),
            ("Can I pay in parts", "billing", "")]  # fmt: skip
    written(root, "shots.jsonl", rows if split == "test" else rows[::2])
    with pytest.raises(ModelUnknown, match=rf"shots.jsonl, line \d stands in {split}|validation"):
        opened(root, 'shots = "shots.jsonl"\n')


PICKS = ["random", "balanced", "nearest"]


@pytest.mark.parametrize("pick", PICKS)
def test_no_example_asks_the_same_nearly_or_is_of_the_group(root: Path, pick: str) -> None:
    strategy = opened(root, f'shots = 5\npick = "{pick}"\n')
    assert len(shown(strategy, "nothing of the kind")) == 5
    for asked, group in [
        ("My card was charged twice this month", ""),
        ("my card was charged twice this month!!", ""),
        ("my cards was charged twice this month", ""),
        ("nothing of the kind at all", "u1"),
    ]:
        examples = shown(strategy, asked, group)
        assert len(examples) == 5
        assert TRAIN[0][0] not in examples


def test_an_earlier_turn_of_a_conversation_is_no_example_for_itself(root: Path) -> None:
    turns = [("user", "hi there"), ("assistant", "billing"), ("user", "and now"),
             ("assistant", "delivery")]  # fmt: skip
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    (root / "train.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    assert shown(opened(root, "shots = 1\n"), "hi there") == []


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("Cadê a NOTA FISCAL que nao recebi?", TRAIN[2][0]),
        ("包裹", TRAIN[3][0]),
        ("another address on an invoice", TRAIN[4][0]),
    ],
)
def test_the_nearest_examples_share_words_the_nearest_last(
    root: Path, asked: str, nearest: str
) -> None:
    assert shown(opened(root, 'shots = 3\npick = "nearest"\n'), asked)[-1] == nearest


def test_a_bad_reply_is_no_example(root: Path) -> None:
    bad = {"prompt": "bad one", "completion": "x", "label": False}
    (root / "train.jsonl").write_text(json.dumps(bad) + "\n", "utf-8")
    assert shown(opened(root, "shots = 1\n"), "anything") == []


def test_balanced_examples_have_as_many_of_each_label(root: Path) -> None:
    written(root, "train.jsonl", [(f"question {w}", "a", "") for w in "bcdefghijk"] + TRAIN[:1])
    strategy = opened(root, 'shots = 2\npick = "balanced"\n')
    assert TRAIN[0][0] in shown(strategy, "something")


def test_documents_stand_behind_the_system_text_the_best_first(root: Path) -> None:
    (root / "kb").mkdir()
    (root / "kb" / "refunds.md").write_text("# Refunds\n\nRefunds take five days.\n", "utf-8")
    (root / "kb" / "prazos.md").write_text("O prazo de devolução é de 30 dias.\n", "utf-8")
    strategy = opened(root, 'documents = "kb/*.md"\ntop = 1\n')
    first = strategy.prompted(request("How many days do refunds take?")).messages[0]
    assert first["content"] == "Route.\n\n[1] kb/refunds.md\n# Refunds\n\nRefunds take five days."
    assert "kb/prazos.md" in str(strategy.prompted(request("devolucao")).messages[0])
    assert strategy.prompted(request("xyz")).messages == [
        {"role": "system", "content": "Route."}, {"role": "user", "content": "xyz"},
    ]  # fmt: skip


def test_what_makes_the_prompt_makes_the_digest(root: Path) -> None:
    (root / "kb.md").write_text("one", "utf-8")
    (root / "s.txt").write_text("one", "utf-8")
    settings = ["", "shots = 2\n", "shots = 3\n", "shots = 3\nseed = 1\n",
                'shots = 3\npick = "random"\n', 'documents = "kb.md"\n',
                'documents = "kb.md"\ntop = 1\n', 'system = "s.txt"\n']  # fmt: skip
    digests = [opened(root, setting).digest for setting in settings]
    assert len({*digests}) == len(settings)
    assert digests == [opened(root, setting).digest for setting in settings]
    (root / "kb.md").write_text("two", "utf-8")
    (root / "s.txt").write_text("two", "utf-8")
    written(root, "train.jsonl", TRAIN[:5])
    changed = [opened(root, setting).digest for setting in settings]
    assert changed[0] == digests[0]
    assert not {*changed[1:]} & {*digests}
    assert opened(root, "", CONFIG.replace("one", "other")).digest not in digests


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("shot = 2\n", r"^\[models.few\] unknown key 'shot', did you mean 'shots'"),
        ("shots = 0\n", r"^\[models.few\] shots = 0: "),
        ('pick = "best"\n', r"^\[models.few\] pick = 'best': "),
        ('shots = "no.jsonl"\n', r"^\[models.few\] .*no.jsonl: No such file"),
        ('system = "no.txt"\n', r"^\[models.few\] system: .*no.txt cannot be read"),
        ('documents = "kb/*.md"\n', r"^\[models.few\] documents names 'kb/\*.md', and there is no"),
        ('documents = "*.jsonl"\n', r"^\[models.few\] documents names (test|val).*has the answers"),
        ('shots = "empty.jsonl"\n', r"^\[models.few\] shots = 'empty.jsonl': no row there"),
        ('documents = "empty.*"\n', r"^\[models.few\] documents = .*no word in them"),
        ('[models.two]\nof = "run:abc"\n', r"^\[models.two\] run:abc: only --model takes a run"),
        ('[models.two]\nof = "few"\n[models.few2]\nof = "x"\n', r"is a strategy: name a model"),
        ('[models.two]\nof = "file:a.jsonl"\n', r"a file of answers reads no prompt"),
        ('[models.two]\nof = "nothing:x"\n', r"^\[models.two\] no model 'nothing:x'; valid: .*few"),
    ],
)
def test_a_mistake_is_told_in_one_line(root: Path, settings: str, message: str) -> None:
    (root / "tunegate.toml").write_text(CONFIG + settings, "utf-8")
    (root / "empty.jsonl").write_text("\n", "utf-8")
    (root / "a.jsonl").write_text('{"text": "x"}\n', "utf-8")
    from tunegate.interfaces.builtin_models import FileModel

    with pytest.raises(ModelUnknown, match=message) as raised:
        open_model("two" if "two" in settings else "few", root, OPENERS | {"file": FileModel})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "settings", ['shots = 2\npick = "nearest"\n', 'documents = "train.jsonl"\n']
)
def test_what_needs_the_extra_says_so_and_nothing_else_does(
    root: Path, settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bm25s", None)
    monkeypatch.setattr("tunegate.models.strategies.version", lambda name: 1 / 0)
    message = r"^\[models.few\] bm25s is not installed: pip install 'tunegate\[retrieval\]'$"
    with pytest.raises(ModelUnknown, match=message):
        opened(root, settings)
    written(root, "shots.jsonl", [("first thing", "billing", "")])
    for without in ("shots = 2\n", 'shots = "shots.jsonl"\npick = "nearest"\n'):
        assert shown(opened(root, without), "something")


def test_the_budget_is_that_of_the_model_behind_it(root: Path) -> None:
    strategy, budget = opened(root, "shots = 1\n"), Budget(requests=1)
    assert isinstance(strategy, PricedModel)
    held = strategy.with_budget(budget)
    assert isinstance(held, Strategy)
    assert isinstance(held.inner, Echo)
    assert held.inner.budget is budget
    assert held.digest == strategy.digest


words = st.text(st.sampled_from("abcdeçã 本日\n"), max_size=30)


@settings(max_examples=30)
@given(st.lists(words, max_size=8), words)
def test_every_text_is_ranked_once_the_best_first(texts: list[str], question: str) -> None:
    ranked = ranker([*enumerate(texts)], lambda item: item[1])(question)
    assert sorted(i for (i, _), _ in ranked) == [*range(len(texts))]
    scores = [score for _, score in ranked]
    assert scores == sorted(scores, reverse=True)


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_passages_hold_every_word_and_are_bounded(seed: int) -> None:
    drawn = random.Random(seed)
    lines = [" ".join(["word"] * drawn.randint(0, 60)) for _ in range(drawn.randint(0, 40))]
    text = "".join(line + drawn.choice(["\n", "\n\n"]) for line in lines)
    passages = [*passages_of(text)]
    assert " ".join(passages).split() == text.split()
    assert all(0 < count_words(passage) <= PASSAGE_WORDS for passage in passages)


STRATEGY = """
[models.few]
of = "toy:base"
shots = 2
[compare.few]
model = "few"
[limits]
accuracy = 0.0
"""


def test_a_session_scores_and_compares_a_strategy_and_never_promotes_it(project: Project) -> None:
    project.add("tunegate.toml", STRATEGY)
    project.write("suites/model/test_m.py", COMPARED)
    told = project.judge("--promote", "production", model="few")
    assert told.code == 77
    assert told.line("promotion") == (
        "refused: few belongs to no run with a receipt: it may be scored, never promoted"
    )
    assert project.registry == []


COMPARED = """\
from tunegate.results.score import proportion

def test_accuracy(predictions, compared_models, limits):
    assert [p.got for p in predictions] == [p.got for p in compared_models["few"]]
    assert proportion("accuracy", 0, len(predictions)) >= limits.accuracy
"""


def test_an_endpoint_is_asked_with_the_prompt(root: Path) -> None:
    from tunegate_endpoints.model import open_openai

    with endpoint_parts.serving() as told:
        model = f'[models.local]\nbase_url = "{told.url}"\n'
        (root / "tunegate.toml").write_text(
            CONFIG.replace("echo:one", "openai:local") + "shots = 2\n" + model, "utf-8"
        )
        strategy = open_model("few", root, {"openai": open_openai})
        (answer,) = strategy.answers([request("please answer yes")])
        bodies: list[Mapping[str, Any]] = told()["bodies"]
    assert answer.text == "yes"
    roles = [message["role"] for message in bodies[0]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


def test_the_same_question_of_another_group_has_an_answer_of_its_own(root: Path) -> None:
    strategy, state = opened(root, "shots = 6\n"), StateDir(root)
    assert isinstance(strategy.inner, Echo)
    asked = [request("anything else", group, row) for row, group in enumerate(["u1", "", "u1"])]
    answers = cached_answers(strategy, asked, state)
    assert [answers[row].text for row in range(3)] == ["12", "14", "12"]
    assert len(strategy.inner.asked) == 2
    assert cached_answers(strategy, asked[::-1], state) == answers  # each out of the cache
    assert len(strategy.inner.asked) == 2
    with closing(AnswerCache(state.path("answers.sqlite"))) as cache:
        assert cache.delete([request("anything else", "no longer grouped")]) == 2
