"""Forty private values in rows, answers, configuration and reasons: none is shown anywhere.

Each command that prints or writes runs once; what it printed, and each file that it left, is
searched. Files of data are data: the rows, what was asked to be written of them, the snapshots and
the cache of answers. Keys are put together here, so that no scanner stumbles over this file.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tunegate.cli.main import main

if TYPE_CHECKING:
    from conftest import Project, Result

ROOT = Path(__file__).parents[2]
MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7uX0cF" * 4
HEX = "90fa1b2c3d4e5f60" * 4
ENV_KEY, ENV_PASSWORD = "own-Zt5Rk8Wd2Yh9Xn4Vb7Mq3Jf6", "Tr0ub4dor-und-3"
ENV_ECHO = base64.b64encode(f"user:{ENV_KEY}".encode()).decode()
PEM = "-----BEGIN RSA " + f"PRIVATE KEY-----\n{MIXED[:64]}\n-----END RSA " + "PRIVATE KEY-----"

# What is planted, and the part of it that must not be seen: vendors' prefixes and the last two
# digits of a long number are shown.
VALUES: dict[str, str] = {
    **{f"mail {name}@clinica-boavista.com.br": name for name in ("quirino.alves", "zilda_77")},
    "xi.montenegro@correio.example.org": "montenegro",
    "CPF 529.982.247-25": "529.982",
    "cpf 16899535009": "168995350",
    "CNPJ 11.222.333/0001-81": "222.333",
    "cnpj 45997418000153": "459974180",
    "IBAN DE89 3704 0044 0532 0130 00": "0044 0532",
    "iban PT50000201231234567890154": "020123123456",
    "card 4539 1442 9332 8793": "1442 9332",
    "cartão 5555555555554444": "55555555",
    "tel (11) 98234-7715": "98234",
    "telefone 11 97654-3210": "97654",
    "call +351 912 345 678": "912 345",
    "whatsapp 21987650000": "219876500",
    "SSN 536-90-4399": "536-90",
    "PIS 120.56874.10-7": "56874",
    "ip 201.17.133.44": "201.17.133",
    "senha: Xk29fkA81mQz": "Xk29fkA8",
    "sk" + "-proj-" + MIXED[:48]: MIXED[10:30],
    "sk" + "-ant-api03-" + MIXED[1:90]: MIXED[11:31],
    "sk" + "-or-v1-" + HEX: HEX[4:24],
    "gsk" + "_" + MIXED[2:54]: MIXED[12:32],
    "AKIA" + "Q3EGRV7XZPLM2NDT": "EGRV7XZP",
    "ghp" + "_" + MIXED[3:39]: MIXED[13:33],
    "glpat" + "-" + MIXED[4:24]: MIXED[9:20],
    "hf" + "_" + MIXED[5:39]: MIXED[15:33],
    "AIza" + "Sy" + MIXED[6:39]: MIXED[16:34],
    "xoxb" + "-123456789012-" + MIXED[7:31]: MIXED[12:28],
    "sk" + "_live_" + MIXED[8:32]: MIXED[12:28],
    "SG" + "." + MIXED[:22] + "." + MIXED[9:52]: MIXED[20:40],
    "npm" + "_" + MIXED[10:46]: MIXED[20:40],
    "eyJ" + MIXED[:20] + ".eyJ" + MIXED[11:51] + "." + MIXED[:43]: MIXED[21:41],
    PEM: "pQ8sT1vW",
    "postgres://app:p4ss-Wort9@db.intern/x": "p4ss-Wort9",
    "https://api.example.com/v1?key=qv7Lr2Zk9T": "qv7Lr2Zk9T",
    ENV_KEY: "Wd2Yh9Xn",
    ENV_PASSWORD: ENV_PASSWORD,
    quote(f"{ENV_KEY}/=", safe=""): "Vb7Mq3Jf",
    ENV_ECHO: ENV_ECHO[12:28],
}  # fmt: skip
ENVIRONMENT = {"OWN_API_KEY": ENV_KEY, "SHOP_DB_PASSWORD": ENV_PASSWORD}

# Of the data suite, whose checks quote rows.
QUOTING_SUITE_FILES = (
    *("balance", "consistency", "duplicates", "format", "labels", "leakage", "personal_data"),
)

# Answers with the values, an exception with one, locals that --showlocals prints, a score's misses.
MODEL_SUITE = """\
import os, warnings
from tunegate_checks.model import classification

def test_accuracy(predictions, limits, label_rule):
    assert classification.accuracy(predictions, rule=label_rule) >= limits.accuracy

def test_locals(predictions):
    answers, key = [p.got for p in predictions], os.environ["OWN_API_KEY"]
    for answer in answers:
        print("captured:", answer)
    warnings.warn(f"warned of {answers[0]}")
    assert answers == [p.expected for p in predictions]

def test_raises(predictions):
    raise ValueError("\\n".join(p.got for p in predictions))
"""
CONFTEST_CHANGE = (
    'yield Answer(r.row, "ab"[r.row % 2] if self.known else "?")',
    "yield Answer(r.row, LEAKS[r.row % len(LEAKS)] + chr(27) + '[2J' if self.known else '?')",
)


def told(value: str) -> list[str]:
    """Return two rows about a value that nearly repeat each other, and one that answers with it."""
    words = "please look into my account, I wrote to you twice and nobody has answered me so far"
    rows = [(f"{value} is mine, {words}", "a"), (f"{value} is mine; {words} today", "a")]
    return [message_row(prompt, reply) for prompt, reply in [*rows, (f"say {words}", value)]]


def message_row(prompt: str, reply: str) -> str:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return json.dumps({"messages": turns}, ensure_ascii=False) + "\n"


@pytest.fixture
def planted(trained: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A trained project, then the values in its rows, its model's answers and the environment."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    rows = [told(value) for value in VALUES]
    broken = [json.dumps({"messages": [{"role": value}]}) + "\n" for value in VALUES]
    trained.write("train.jsonl", "".join(row for three in rows for row in three[:2]))
    trained.write("test.jsonl", "".join(row for three in rows for row in (three[0], three[2])))
    trained.write("validation.jsonl", "".join([*(three[2] for three in rows), *broken]))
    leaks = f"LEAKS = {list(VALUES)!r}\n"
    conftest = (trained.root / "conftest.py").read_text()
    trained.write("conftest.py", leaks + conftest.replace(*CONFTEST_CHANGE))
    shutil.rmtree(trained.root / "suites")
    for name in QUOTING_SUITE_FILES:
        text = (ROOT / "suites" / "data" / f"test_{name}.py").read_text("utf-8")
        trained.write(f"suites/data/test_{name}.py", text)
    trained.write("suites/model/test_m.py", MODEL_SUITE)
    monkeypatch.chdir(trained.root)
    return trained


def shown(place: str, text: str) -> Iterator[str]:
    """Yield each value that a text shows."""
    for value, part in VALUES.items():
        if (at := text.find(part)) >= 0:
            yield f"{place}: {value[:24]!r}: {text[max(at - 60, 0) : at + 60]!r}"


def files_shown(root: Path) -> Iterator[str]:
    """Yield each value that a file shows which is no data of the user's."""
    data = {
        "tunegate.toml",
        "train.jsonl",
        "validation.jsonl",
        "test.jsonl",
        "conftest.py",
        "answers.sqlite",
    }
    folders = {"snapshots", "clean", "parts", "sheets", "__pycache__"}
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        is_note = path.name.endswith(".fix.csv")
        if path.is_dir() or path.name in data or (folders & {*relative.parts} and not is_note):
            continue
        yield from shown(str(relative), path.read_bytes().decode("utf-8", "replace"))


def test_no_private_value_is_shown(
    planted: Project, capfd: pytest.CaptureFixture[str], own_modules: None
) -> None:
    assert len(VALUES) == 40
    found: list[str] = []
    ran: list[str] = []

    def saw(name: str, text: str) -> None:
        ran.append(name)
        found.extend(shown(name, text))
        assert "\x1b[2J" not in text, name

    def run(*command: str, code: int | None = 0) -> str:
        status = main(command)
        out, err = capfd.readouterr()
        saw(" ".join(command[:2]), out + err)
        assert code in (status, None), (command, out + err)
        return out + err

    checked = planted.pytest("suites/data", "-vv", "--showlocals", "-rA", "--junitxml=j.xml")
    saw("data suite", checked.out)
    assert checked.code == 1
    judged = planted.judge("-v", "--showlocals", "-rA", "--junitxml=m.xml", "-W", "default")
    saw("model suite", judged.out)
    assert judged.code == 1
    assert "captured:" in judged.out

    last = json.loads((planted.root / ".tunegate" / "findings.json").read_text("utf-8"))["found"]
    checks = {finding["check"] for finding in last}
    assert {"pii", "secrets", "leakage", "duplicates.near", "consistency.labels"} <= checks
    for check in sorted(checks):
        run("accept", "--check", check, "--all", "--why", "seen")
    run("accept")
    run("accept", "--why", "for quirino.alves@clinica-boavista.com.br", code=2)
    run("doctor")
    run("failures", "-o", "wrong.jsonl")
    run("report", "latest", "-o", "page.html")
    run("registry", "rollback", "production", "--why", f"key {ENV_KEY[:3]}x", code=2)
    run("registry", "history")
    run("fix", "-o", "clean", code=1)
    run("fix", "train.jsonl", "-o", "clean/again.jsonl", "--only", "duplicates")
    run("review", "sample", "test.jsonl", "-o", "sheets/s.csv")
    run("review", "status", code=None)
    (planted.root / "tunegate.toml").write_text(
        '[limits]\naccuracy = "senha: Xk29fkA81mQz"\n[train.openai]\nbase = "x"\n'
    )
    run("doctor", code=None)
    found.extend(files_shown(planted.root))
    assert not found, f"{len(found)} of {len(ran)} outputs\n" + "\n".join(found[:40])
    assert os.environ["OWN_API_KEY"] == ENV_KEY


def test_what_is_private_in_a_settings_address(project: Project) -> None:
    project.add(
        "tunegate.toml",
        '[train.openai]\nbase = "x"\nbase_url = "https://ana:qv7Lr2Zk9T@h.example/v1"\n',
    )
    result: Result = project.pytest("suites/data", "--train-with", "openai")
    assert result.code == 4
    assert "must hold no key, user or password" in result.out
    assert "qv7Lr2Zk9T" not in result.out
