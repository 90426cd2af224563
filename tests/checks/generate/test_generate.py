"""`tunegate data generate`: what is asked, kept, refused and counted; servers of both protocols."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from chat_server import ChatHandler, chat_server
from readmes import blocks

from tunegate import Dataset
from tunegate.cli.main import main
from tunegate.config.schema import load
from tunegate.data.splitting import split_file
from tunegate_checks.data import leakage, review
from tunegate_checks.review.serve import ReviewServer

Out = pytest.CaptureFixture[str]
WORDS = [
    *("invoice", "parcel", "refund", "login", "battery", "screen", "delay", "charge", "courier"),
    *("password", "colour", "size", "week", "morning", "shop", "phone", "cable", "order", "door"),
    *("manager", "letter", "street", "garden", "lamp", "kettle", "shirt", "shoe", "lens", "chair"),
]
LABELS = ("billing", "delivery")
SEEDS = 12
TOML = """\
[data]
train = "data/train.jsonl"
test = "data/test.jsonl"
group_by = ["parent", "id"]
"""


def row(prompt: str, reply: str, **fields: object) -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return {"messages": turns, **fields}


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in rows)


def prose(rng: random.Random) -> str:
    return " ".join(rng.sample(WORDS, 9)).capitalize() + "?"


def written(text: str) -> list[dict[str, Any]]:
    """Return a row for each numbered line of a prompt, the same ones for the same prompt."""
    rng = random.Random(text)
    asked = [re.search(r'label "(.*?)"', ln) for ln in re.findall(r"^\d+\. .*$", text, re.M)]
    rows = [{"prompt": prose(rng), "reply": label[1] if label else "no"} for label in asked]
    rewordings = re.search(r"Write (\d+) rewordings", text)
    return rows or [{"prompt": prose(rng)} for _ in range(int(rewordings[1] if rewordings else 0))]


class Provider(ChatHandler):
    """Speaks both protocols; `bodies` has what was asked."""

    bodies: ClassVar[list[dict[str, Any]]] = []
    takes_schema = True

    def do_POST(self) -> None:
        body = self.asked()
        self.bodies.append(body)
        text = json.dumps({"rows": written(body["messages"][-1]["content"])})
        status, reply = 200, dict[str, Any]()
        if not self.takes_schema and "response_format" in body:
            status, reply = 400, {"error": {"message": "response_format is unknown"}}
        elif self.path.endswith("/messages"):
            reply = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
            reply["usage"] = {"input_tokens": 100, "output_tokens": 50}
        else:
            self.answer(text)
            return
        self.send(reply, status)


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a provider that has been asked nothing."""
    Provider.bodies, Provider.takes_schema = [], True
    with chat_server(Provider) as address:
        yield address


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    seeds = [row(prose(random.Random(i)), LABELS[i % 2]) for i in range(SEEDS)]
    (tmp_path / "seeds.jsonl").write_text(lines(*seeds))
    (tmp_path / "tunegate.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generate(*options: str, model: str, out: str = "all.jsonl") -> int:
    return main(
        ["data", "generate", "--like", "seeds.jsonl", "--model", model, "-o", out, *options]
    )


def made(path: str = "all.jsonl") -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    return [one for one in rows if one.get("generated")]


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_rows_come_from_a_server_of_either_protocol(
    project: Path, address: str, protocol: str, capsys: Out
) -> None:
    spec = f"{protocol}:m?base_url={address}&price_in=1&price_out=2"
    assert generate("-n", "23", model=spec) == 0
    body = Provider.bodies[0]
    assert body["temperature"] == 0.8
    form = body["output_config"]["format"] if protocol == "anthropic" else body["response_format"]
    assert form["type"] == "json_schema"
    told = capsys.readouterr().out
    assert "23 of 23 rows after 12 seeds" in told
    assert "5 requests, $0.0010" in told
    rows = made()
    assert {one["messages"][-1]["content"] for one in rows} == {*LABELS}
    assert [{"model", "request", "parent", "plan"} <= one.keys() for one in rows] == [True] * 23
    ids = {json.loads(line).get("id") for line in Path("all.jsonl").read_text().splitlines()}
    assert {one["parent"] for one in rows} <= ids


def test_a_spent_budget_goes_on_where_it_was(project: Path, address: str, capsys: Out) -> None:
    spec = f"openai:m?base_url={address}"
    assert generate("-n", "40", "--max-requests", "3", model=spec) == 1
    told = capsys.readouterr().out
    assert "15 of 40 rows" in told
    assert "not asked: the budget of 3 requests" in told
    assert generate("-n", "40", model=spec) == 2
    assert generate("-n", "40", "--force", model=spec) == 0
    assert (len(Provider.bodies), len(made())) == (8, 40)
    assert generate("-n", "40", "--force", model=spec) == 0
    assert len(Provider.bodies) == 8


def test_a_server_without_schemas_is_asked_without(project: Path, address: str) -> None:
    Provider.takes_schema = False
    assert generate("-n", "5", model=f"openai:m?base_url={address}&temperature=0.3") == 0
    assert [("response_format" in b, b["temperature"]) for b in Provider.bodies] == [
        (True, 0.3),
        (False, 0.3),
    ]


Writer = Callable[[str], list[Any]]


@pytest.fixture
def writer(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Writer], str]:
    """Make a spec of a function that writes the rows of a prompt."""
    import sys
    from types import ModuleType

    def spec(write: Writer) -> str:
        module = ModuleType("writer_of_rows")
        module.__file__ = __file__
        module.write = lambda messages: json.dumps(  # type: ignore[attr-defined]
            {"rows": write(messages[-1]["content"])}
        )
        monkeypatch.setitem(sys.modules, "writer_of_rows", module)
        return "python:writer_of_rows:write"

    return spec


def planted(fault: dict[str, Any] | None) -> Writer:
    """Return a writer whose first row of each answer is replaced."""
    return lambda text: [fault, *written(text)[1:]]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"prompt": "Something else entirely, please?", "reply": "returns"}, "another label"),
        ({"prompt": prose(random.Random(0)).upper(), "reply": "billing"}, "exact a seed"),
        ({"prompt": "Mail quirino.alves@clinica-boavista.com.br of my lamp?"}, "no texts"),
        ({"prompt": "Is the kettle of the third street in the test set?"}, "leakage: exact"),
        ({"prompt": "My card 4539 1442 9332 8793 was charged again"}, "pii"),
        ({"prompt": "Is the kettle of {{ street }} here?"}, "format: placeholder"),
        ({"prompt": 5, "reply": "billing"}, "no texts as prompt and reply"),
        (None, "no texts as prompt and reply"),
    ],
    ids=str,
)
def test_what_does_not_hold_is_refused_and_counted(
    project: Path, writer: Callable[[Writer], str], capsys: Out, fault: Any, reason: str
) -> None:
    if fault and reason in ("leakage: exact", "pii", "format: placeholder"):
        fault["reply"] = "billing"  # the label of the first slot
    (project / "data").mkdir()
    test_row = row("Is the kettle of the third street in the test set?", "billing")
    (project / "data" / "test.jsonl").write_text(lines(test_row))
    assert generate("-n", "5", model=writer(planted(fault))) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "4 of 5 rows" in told
    assert re.search(rf"refused 4: {reason}.* 4 ", told), told
    assert "clinica" not in told
    assert "data.train is not there: no row was compared with it" in told
    assert "each row was asked for four times: a larger N asks for others" in told


def test_new_rows_that_repeat_each_other_are_refused(
    project: Path, writer: Callable[[Writer], str], capsys: Out
) -> None:
    same = {"prompt": "The lamp of the garden street is broken again", "reply": "billing"}
    spec = writer(lambda text: [{**row, **same} for row in written(text)])
    assert generate("-n", "8", model=spec) == 1
    told = capsys.readouterr().out
    assert "1 of 8 rows" in told
    assert "duplicates: exact" in told


def test_an_answer_with_half_a_character_is_refused(
    project: Path, writer: Callable[[Writer], str], capsys: Out
) -> None:
    spec = writer(planted({"prompt": "half a \ud83d", "reply": "billing"}))
    assert generate("-n", "5", model=spec) == 1
    told = capsys.readouterr().out
    assert "refused   20: a field is not UTF-8" in told
    assert not (project / "all.jsonl").exists()


def test_short_answers_are_asked_for_again(
    project: Path, writer: Callable[[Writer], str], capsys: Out
) -> None:
    assert generate("-n", "10", model=writer(lambda text: written(text)[:3])) == 0
    told = capsys.readouterr().out
    assert "not in the answer" in told
    assert len(made()) == 10


def test_a_second_model_must_give_the_same_label(
    project: Path, writer: Callable[[Writer], str], capsys: Out
) -> None:
    (project / "knows.py").write_text('def label(messages):\n    return "billing"\n')
    spec = writer(written)
    assert generate("-n", "10", "--check-with", "python:knows:label", model=spec) == 1
    assert "the second model gives another label" in capsys.readouterr().out
    assert {one["messages"][-1]["content"] for one in made()} == {"billing"}


def test_families_stay_on_one_side_and_people_must_read(
    project: Path, writer: Callable[[Writer], str]
) -> None:
    spec = writer(written)
    assert generate("--paraphrase", "4", model=spec, out="few.jsonl") == 0
    assert generate("-n", "40", "--language", "pt", "--language", "en", model=spec) == 0
    assert {one["plan"]["language"] for one in made()} == {"pt", "en"}
    assert {one["plan"]["difficulty"] for one in made("few.jsonl")} == {"reworded"}
    for source in ("few.jsonl", "all.jsonl"):
        reading = load(project).reading
        split_file(source, "data", reading=reading, force=True, validation=0.3, test=0.3)
        parts = [
            Dataset.read(f"data/{name}.jsonl", name, reading=reading)
            for name in ("train", "validation", "test")
        ]
        for part in parts:
            parents = {e.fields["parent"] for e in part if "parent" in e.fields}
            assert parents <= {e.fields["id"] for e in part if "id" in e.fields}
        families = [{e.group for e in part} for part in parts]
        assert all(families)
        assert not families[0] & families[1] | families[0] & families[2] | families[1] & families[2]
        assert not [f for f in leakage.find(parts[0], parts[2]) if f.kind == "group"]
        assert review.find(parts[0], folder="reviews").kinds == {"too few": 1}


def test_out_of_scope_rows_have_the_reply_that_was_given(
    project: Path, writer: Callable[[Writer], str]
) -> None:
    away = "That is not what I am here for."
    assert generate("-n", "20", "--out-of-scope", away, model=writer(written)) == 0
    outside = [one for one in made() if one["plan"]["difficulty"] == "out of scope"]
    assert [one["messages"][-1]["content"] for one in outside] == [away] * 2


def test_a_seed_of_the_test_set_is_left_out(
    project: Path, writer: Callable[[Writer], str], capsys: Out
) -> None:
    (project / "data").mkdir()
    (project / "data" / "test.jsonl").write_text(lines(row(prose(random.Random(1)), "delivery")))
    assert generate("-n", "5", model=writer(written)) == 0
    told = capsys.readouterr().out
    assert "1 of the seeds left out: in validation or test" in told
    assert "after 11 seeds" in told


def test_seeds_that_are_the_training_set_are_not_written_again(
    project: Path, writer: Callable[[Writer], str], capsys: Out
) -> None:
    (project / "data").mkdir()
    for name in ("train", "test"):
        (project / "seeds.jsonl").rename(project / "data" / f"{name}.jsonl")
        (project / "seeds.jsonl").symlink_to(f"data/{name}.jsonl")
        assert generate("-n", "5", model=writer(written)) == (0 if name == "train" else 2)
        if name == "train":
            assert Path("all.jsonl").read_text().count("\n") == len(made()) == 5
            (project / "seeds.jsonl").unlink()
            (project / "data" / "train.jsonl").rename(project / "seeds.jsonl")
            (project / "all.jsonl").unlink()
    assert "against itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-n", "0"], "n is 0: a number from 1 on is valid"),
        (["-n", "1", "--like", "data/none.jsonl"], "data/none.jsonl"),
        (["-n", "1", "-o", "seeds.jsonl"], "is read here, and never written over"),
        (["-n", "1", "--model", "gtp"], "no model 'gtp'"),
        (["-n", "1", "--max-cost", "1"], "needs the prices of openai:m"),
    ],
)
def test_a_mistake_is_one_line(project: Path, capsys: Out, options: list[str], told: str) -> None:
    assert generate(*options, model="openai:m?base_url=http://127.0.0.1:9/v1") == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_the_walk_of_the_docs(project: Path, address: str, capsys: Out) -> None:
    """Each command of the page runs as it stands, on seeds and a server; people are played."""
    walks = [blocks(f"docs/generate{lang}.md", "console")[0] for lang in ("", ".pt-BR")]
    assert walks[0] == walks[1]
    toml, server_line = (
        blocks("docs/generate.md", "toml")[0],
        f'[models.NAME]\nbase_url = "{address}"',
    )
    (project / "tunegate.toml").write_text(toml.replace("[models.NAME]", server_line))
    steps = [line.removeprefix("$ ").split() for line in walks[0].splitlines()]
    assert [step[:3] for step in steps][-1] == ["pytest", "suites/data"]
    for _, *words in steps[:-1]:
        if words[:2] == ["review", "serve"]:
            with ReviewServer(Path(words[2])) as server:
                total = len(server.sheet_of("Ana").entries)
                for n in range(1, total + 1):
                    said = {"who": "Ana", "row": str(n), "note": "", "correction": ""}
                    server.save({**said, "verdict": "ok"})
        else:
            assert main(words) == 0, words
    assert "reviewed by Ana: 0 % wrong" in " ".join(capsys.readouterr().out.split())
    train = Dataset.read("data/train.jsonl", "train")
    assert not review.find(train, folder="reviews")


PROSE_JUDGE = """
import json
from pathlib import Path
from tunegate_checks.judge import prompt

def judge(messages):
    data = prompt.read_quoted(messages[-1]["content"])[0]
    assert "reference" not in data
    with Path("judged.txt").open("a") as log: print(data["system"], "|", data["answer"], file=log)
    if "broken" in data["answer"]: return "no idea"
    return json.dumps({"reason": "", "verdicts": {"polite": "kindly" in data["answer"]}})
"""
RUBRIC = """\
name = "support"
instructions = "Judge the reply."
reference = true

[[criteria]]
id = "polite"
question = "Is it polite?"
"""


def letters(project: Path, judge: str = '[judge]\nrubric = "rubric.toml"\n') -> None:
    """Make a project whose replies are texts, with a judge of them."""
    (project / "judge_of_rows.py").write_text(PROSE_JUDGE)
    (project / "rubric.toml").write_text(RUBRIC)
    (project / "tunegate.toml").write_text(f'task = "text"\n{TOML}{judge}')
    system = {"role": "system", "content": "Be polite."}
    seeds = [
        row(prose(random.Random(i)), f"Kindly send it back: {prose(random.Random(-i - 1))}")
        for i in range(SEEDS)
    ]
    for seed in seeds:
        seed["messages"].insert(0, system)
    (project / "seeds.jsonl").write_text(lines(*seeds))


def letter_writer(*beginnings: str) -> Writer:
    """Return a writer of rows whose replies begin with these words, in turn."""

    def write(text: str) -> list[dict[str, str]]:
        rng, asked = random.Random(text), re.findall(r"^\d+\. .*$", text, re.M)
        return [
            {"prompt": prose(rng), "reply": f"{beginnings[i % len(beginnings)]}: {prose(rng)}"}
            for i, _ in enumerate(asked)
        ]

    return write


def test_replies_that_are_no_labels_are_judged_by_the_rubric(
    project: Path, writer: Callable[[Writer], str], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters(project)
    monkeypatch.syspath_prepend(project)
    write = letter_writer("Answer kindly given", "Answer rudely given", "It is broken")
    judge = ("--check-with", "python:judge_of_rows:judge")
    assert generate("-n", "9", *judge, model=writer(write)) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"the judge does not pass it \d", told)
    assert re.search(r"the judge gives no verdict: judge: .*? \d", told)
    replies = [one["messages"][-1]["content"] for one in made()]
    assert replies
    assert all(reply.startswith("Answer kindly given") for reply in replies)
    judged = Path("judged.txt").read_text().splitlines()
    assert all(line.startswith("Be polite. | ") for line in judged)
    assert set(replies) <= {line.partition(" | ")[2] for line in judged}
    # A purge finds what the judge was asked.
    assert list((project / ".tunegate").rglob("asked-*"))


def test_all_that_the_judge_passes_is_kept(
    project: Path, writer: Callable[[Writer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    letters(project)
    monkeypatch.syspath_prepend(project)
    judge = ("--check-with", "python:judge_of_rows:judge")
    spec = writer(letter_writer("Answer kindly given"))
    assert generate("-n", "6", *judge, model=spec) == 0
    assert len(made()) == 6
    judged = Path("judged.txt").read_text().count("\n")
    assert generate("-n", "6", "--force", *judge, model=spec) == 0
    assert Path("judged.txt").read_text().count("\n") == judged  # out of the cache


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        ("", "--check-with judges replies that are no labels: set rubric in [judge]"),
        ('[judge]\nrubric = "none.toml"\n', "none.toml cannot be read"),
    ],
)
def test_a_judge_without_a_rubric_is_one_line_before_anything_is_asked(
    project: Path, address: str, capsys: Out, judge: str, told: str
) -> None:
    letters(project, judge)
    spec = f"openai:m?base_url={address}"
    assert generate("-n", "5", "--check-with", spec, model=spec) == 2
    assert told in capsys.readouterr().err
    assert Provider.bodies == []


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (False, "the judge gives no verdict: judge: RuntimeError: no key 24"),
        (True, "the second model gives none: RuntimeError: no key"),
    ],
)
def test_why_a_second_model_answers_nothing_is_told(
    project: Path,
    writer: Callable[[Writer], str],
    capsys: Out,
    monkeypatch: pytest.MonkeyPatch,
    labels: bool,
    told: str,
) -> None:
    if not labels:
        letters(project)
    monkeypatch.syspath_prepend(project)
    (project / "fails.py").write_text("def fails(messages): raise RuntimeError('no key')\n")
    spec = writer(written if labels else letter_writer("Answer kindly given"))
    assert generate("-n", "6", "--check-with", "python:fails:fails", model=spec) == 1
    assert told in " ".join(capsys.readouterr().out.split())
