"""docs/from-seeds.md: each command runs as it stands, against a server; people are played."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import forking
import pytest
from chat_server import ChatHandler, chat_server
from readmes import ROOT, blocks

from tunegate.cli.main import main
from tunegate.config.schema import Config
from tunegate_checks.review.serve import ReviewServer

pytest.importorskip("aiohttp")

PAGES = ("docs/from-seeds.md", "docs/from-seeds.pt-BR.md")
NOUNS = {
    "billing": ["invoice", "refund", "charge", "voucher", "receipt", "payment", "fee", "card"],
    "delivery": ["parcel", "courier", "tracking", "box", "driver", "carton", "shipment", "van"],
}
WORDS = [f"{a}{b}" for a in ("mar", "lo", "ten", "su", "ri", "bel", "qua") for b in (
    "dan", "ket", "mil", "por", "sen", "tav", "ulo", "vix", "zem", "gar",
)]  # fmt: skip


def ticket(rng: random.Random, label: str) -> str:
    """Return an invented ticket that says its label by one word."""
    words = [rng.choice(NOUNS[label]), *rng.sample(WORDS, rng.randrange(8, 14))]
    rng.shuffle(words)
    return " ".join(words).capitalize() + "."


class Provider(ChatHandler):
    """Writes rows where it is asked for some, and else sorts tickets, three of ten wrong."""

    def do_POST(self) -> None:
        body = self.asked()
        asked = body["messages"][-1]["content"]
        rng = random.Random(json.dumps(body["messages"]))
        if labels := re.findall(r'^\d+\. .*?label "(.*?)"', asked, re.M):
            text = json.dumps({"rows": [{"prompt": ticket(rng, b), "reply": b} for b in labels]})
        else:
            named = {
                b for b, nouns in NOUNS.items() if {*nouns} & {*re.findall(r"\w+", asked.lower())}
            }
            text = min(named, default="billing")
            text = (
                {"billing": "delivery", "delivery": "billing"}[text] if rng.random() < 0.3 else text
            )
        self.answer(text)


@pytest.fixture
def address() -> Iterator[str]:
    with chat_server(Provider) as address:
        yield address


def walk(page: str) -> list[list[str]]:
    """Return the words of each command of a page."""
    lines = "\n".join(blocks(page, "console")).splitlines()
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


def samples(page: str) -> list[str]:
    """Return the blocks of a page that are of no language: what is printed."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)
    return [text for language, text in fenced if not language]


def read(sheet: str) -> None:
    """Review a sheet as somebody does who finds all of it right."""
    with ReviewServer(Path(sheet)) as server:
        for n in range(1, len(server.sheet_of("Ana").entries) + 1):
            said = {"who": "Ana", "row": str(n), "note": "", "correction": "", "verdict": "ok"}
            server.save(said)


def run_pytest(args: list[str]) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "CI", "BUILD_N"))}
    env |= {"COLUMNS": "80", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return forking.run_python(["-m", "pytest", "-p", "tunegate", "-q", *args], Path.cwd(), env)


def test_each_command_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    told, status = "", 0
    for words in walk(PAGES[0]):
        if words[:2] == ["tunegate", "init"]:
            assert main(words[1:]) == 0
            (toml,) = blocks(PAGES[0], "toml")
            where = f'[models.gpt-4o-mini]\nbase_url = "{address}"'
            Path("tunegate.toml").write_text(toml.replace("[models.gpt-4o-mini]", where), "utf-8")
            (seeds,) = blocks(PAGES[0], "python")
            Path("seeds.py").write_text(seeds, "utf-8")
        elif words[0] == "python":
            status, out = forking.run_python(words[1:], tmp_path, dict(os.environ))
            assert status == 0, out
        elif words[0] == "cat":
            *sources, _, target = words[1:]
            Path(target).write_bytes(b"".join(Path(name).read_bytes() for name in sources))
        elif words[0] == "pytest":
            status, out = run_pytest(words[1:])
            assert status == 0, out
            told += out
        elif words[1:3] == ["review", "serve"]:
            read(words[3])
        else:
            assert main(words[1:]) == 0, words
    told += capfd.readouterr().out
    for sample in samples(PAGES[0])[1:]:  # the first is the installation
        assert [line for line in sample.splitlines() if line not in told] == [], told
    assert told.count("reviewed by Ana: 0 % wrong") == 4  # by the command, and in a hint
    rows = Path("data/train.jsonl").read_text().splitlines()
    assert len(rows) > 250


def test_without_the_review_the_gate_is_closed() -> None:
    """The steps of the page are needed: the one before the last is the review of the test set."""
    steps = walk(PAGES[0])
    assert steps[-1] == ["pytest", "suites/data"]
    sheets = {words[3] for words in steps if words[1:3] == ["review", "serve"]}
    assert sheets == {words[-1] for words in steps if words[1:3] == ["review", "sample"]}
    assert len(sheets) == 3


def test_both_languages_hold_the_same() -> None:
    assert walk(PAGES[0]) == walk(PAGES[1])
    for language in ("toml", "python"):
        texts = [blocks(page, language) for page in PAGES]
        bare = [[re.sub(r"\s*#.*", "", text) for text in of_page] for of_page in texts]
        assert bare[0] == bare[1]
    (toml,) = blocks(PAGES[0], "toml")
    Config.model_validate(tomllib.loads(toml))
    assert samples(PAGES[0]) == samples(PAGES[1])
