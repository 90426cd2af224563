"""Forty private values in rows, answers, configuration and reasons: none is shown anywhere.

Each command of the tree runs, and what it printed, and each file that it left, is searched. Files
of data are data: the rows, what was asked to be written of them, the snapshots and the cache of
answers. Keys are put together here, so that no scanner stumbles over this file.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tunegate.cli.main import installed_commands, main
from tunegate.gates import training_process
from tunegate.interfaces.trainer import Plan
from tunegate.storage.state_dir import Run, StateDir, run_id
from tunegate_openai.trainer import OpenAITrainer
from tunegate_qlora.trainer import QLoRATrainer

if TYPE_CHECKING:
    from conftest import Project, Result

ROOT = Path(__file__).parents[2]
BASE = ROOT / "examples" / "triage" / "base"
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
# A model that writes what stands in the data.
ECHO = """\
import json

def write(messages):
    lines = open("train.jsonl").read().splitlines()
    prompts = [json.loads(line)["messages"][0]["content"] for line in lines[::9]]
    return json.dumps({"rows": [{"prompt": p + " in other words", "reply": "a"} for p in prompts]})
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
    folders = {"snapshots", "clean", "parts", "sheets", "adapter", "__pycache__"}
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        is_note = path.name.endswith(".fix.csv")
        if path.is_dir() or path.name in data or (folders & {*relative.parts} and not is_note):
            continue
        yield from shown(str(relative), path.read_bytes().decode("utf-8", "replace"))


@pytest.fixture
def echoing_address() -> Iterator[str]:
    """The address of a provider that answers with four of the values at a time."""
    values, requests = [*VALUES], [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            start = requests[0] * 4 % len(values)
            requests[0] += 1
            text = json.dumps({"error": {"message": " and ".join(values[start : start + 4])}})
            self.send_response(400)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            """Nothing is logged."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def open_run(root: Path, trainer: Any, given: dict[str, Any]) -> str:
    """Leave what a gate leaves that opens on the planted rows, and return the run's id."""
    state, config = StateDir(root), trainer.resolve(given, root)
    files = {split: (root / f"{split}.jsonl").read_bytes() for split in ("train", "test")}
    kept = {split: state.store_snapshot(data) for split, data in files.items()}
    digest = trainer.base_digest(config, root)
    plan = Plan(
        trainer.name, kept["train"], None, kept["test"], config, trainer.baseline(config), digest, 0
    )
    run = Run(state, run_id(plan))
    run.write_intent(plan, [])
    data = {split: {"path": f"{split}.jsonl", "digest": path.stem} for split, path in kept.items()}
    state.write_sealed(run.folder / "receipt.json", {"run": run.id, "data": data})
    return run.id


class Shown:
    """What commands printed, and the values in it; which commands of the tree ran."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        self.found: list[str] = []
        self.ran: set[str] = set()

    def saw(self, name: str, text: str) -> None:
        self.found.extend(shown(name, text))
        assert "\x1b[2J" not in text, name

    def run(self, *command: str, code: int | None = 0) -> str:
        """Run a command, whose exit status is `code`, and return what it printed."""
        status = main(command)
        out, err = self.capture.readouterr()
        self.ran |= {" ".join(command[:n]) for n in (1, 2, 3)}
        self.saw(" ".join(command[:2]), out + err)
        assert code in (status, None), (command, out + err)
        return out + err


def run_plugins_commands(root: Path, shown: Shown, address: str) -> None:
    """Run the commands of the trainers, on runs that a gate opened and nobody trained."""
    table = f'[train.qlora]\nbase = "{BASE}"\n'
    (root / "tunegate.toml").open("a").write(table)
    (root / "adapter").mkdir()
    adapter = {"base_model_name_or_path": next(v for v in VALUES if v.startswith("postgres:"))}
    (root / "adapter" / "adapter_config.json").write_text(json.dumps(adapter))
    run = shown.run
    for row in range(0, 2 * len(VALUES), 8):
        run("data", "tokens", "train.jsonl", "--row", str(row))
        run("data", "tokens", "train.jsonl", "--row", str(row), "--json")
    run("run", "preflight")
    run("run", "preflight", "--json")
    qlora = open_run(root, QLoRATrainer(), {"base": str(BASE)})
    run("run", "export", "axolotl", qlora, "-o", "exported")
    run("run", "import", "adapter", "--receipt", qlora, code=2)
    run("run", "join", qlora, "--machine", "1", code=2)
    run("run", "merge", "latest", code=2)
    settings = {"base": "small", "base_url": address, "key_env": "OWN_API_KEY"}
    openai = open_run(root, OpenAITrainer(), settings)
    for value in [*VALUES][::4]:
        run("run", "job", openai, "--attach", value, code=2)
    shown.run("run", "resume", next(root.glob(".tunegate/runs/*/run.json")).parent.name)
    assert training_process.main(root / ".tunegate" / "runs" / openai, root) == 70
    shown.saw("training", "".join(shown.capture.readouterr()))


def test_no_private_value_is_shown(
    planted: Project,
    capfd: pytest.CaptureFixture[str],
    echoing_address: str,
    own_modules: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert len(VALUES) == 40
    all_shown = Shown(capfd)
    saw, run = all_shown.saw, all_shown.run

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
    run("accept", "--json")
    run("accept", "--why", "for quirino.alves@clinica-boavista.com.br", code=2)
    run("demo", ".", code=2)
    run("doctor")
    run("doctor", "--json")
    for form in (
        [],
        ["--accepted"],
        ["--json", "--accepted"],
        ["--html", "findings.html", "--accepted"],
    ):
        run("data", "findings", *form)
    for command in ("init --quiet", "add --all", "commit --quiet --allow-empty -m first"):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *who, *command.split()], cwd=planted.root, check=True)
    for path in planted.root.glob("t*.jsonl"):
        path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[::2]), "utf-8")
    run("data", "diff", "HEAD")
    run("data", "diff", "HEAD", "--comment")
    run("data", "diff", "HEAD", "--json")
    digest = next(planted.root.glob(".tunegate/snapshots/*")).stem
    for form in ((), ("--json",)):
        run("data", "list", *form)
        run("data", "show", digest, *form)
        run("data", "diff", digest, *form)
    run("data", "restore", digest, "-o", "restored.jsonl")
    (planted.root / "restored.jsonl").unlink()
    subprocess.run(["git", "checkout", "--quiet", "--", "."], cwd=planted.root, check=True)
    shutil.rmtree(planted.root / ".git")
    run("failures", "-o", "wrong.jsonl")
    run("failures", "-o", "wrong.jsonl", "--json")
    run("report", "latest", "--comment")
    run("report", "latest", "-o", "page.html")
    for form in ((), ("--json",)):
        served = run("run", "serve-check", "latest", "--model", "toy:base", *form, code=1)
        assert "became '?'" in served
    for form in ((), ("--json",), ("-o", "read.csv"), ("-o", "read.jsonl")):
        run("run", "diagnose", "latest", *form)
    run("registry", "rollback", "production", "--why", f"key {ENV_KEY[:3]}x", code=2)
    for form in ((), ("--json",)):
        run("registry", "history", *form)
        run("registry", "verify", *form)
        run("registry", "lineage", *form, code=None)
    run("run", "attest", "latest", "--unsigned", code=None)
    store = planted.root / "mlflow"
    code = 2 if importlib.util.find_spec("mlflow") is None else 0
    run("run", "export", "mlflow", "latest", "--uri", store.as_uri(), code=code)
    sent = [path for path in store.rglob("*") if path.is_file() and path.suffix != ".txt"]
    saw("what MLflow has", "".join(f"{path}\n{path.read_text('utf-8')}\n" for path in sent))
    for form in ((), ("--json",)):
        run("run", "pack", "latest", *form)
        run(
            "run", "unpack", next(planted.root.glob(".tunegate/runs/*/run.json")).parent.name, *form
        )
    run("registry", "merge")
    run("init", "started")
    run("split", "test.jsonl", "-o", "parts")
    run("split", "test.jsonl", "-o", "parts", "--force", "--json")
    run("fix", "-o", "clean", code=1)
    run("fix", "-o", "clean", "--force", "--json", code=1)
    run("fix", "train.jsonl", "-o", "clean/again.jsonl", "--only", "duplicates")
    run("data", "plan", "--paired")
    run("data", "schema")
    run("mutate", "--kinds", "leak", "--minutes", "0", code=75)
    run("review", "sample", "test.jsonl", "-o", "sheets/s.csv")
    run("review", "serve", "sheets/none.csv", code=2)
    run("review", "status", code=None)
    run("review", "status", "--json", code=None)
    run("review", "rate", "latest", "--against", "latest", code=2)
    (planted.root / "echo.py").write_text(ECHO)
    options = ("--like", "train.jsonl", "-n", "3", "--model", "python:echo:write")
    made = run("data", "generate", *options, "-o", "parts/made.jsonl", code=1)
    assert "pii: " in made
    logged = (
        (planted.root / "test.jsonl").read_text("utf-8").replace('content": "', 'content": "Oi! ')
    )
    (planted.root / "parts" / "log.jsonl").write_text(logged, "utf-8")
    for form in ((), ("--json",)):
        run("data", "next", "parts/log.jsonl", "-o", "sheets/next.csv", *form, code=None)
    assert (planted.root / "sheets" / "next.csv").is_file()
    run("data", "next", "sheets/next.csv", "--import", "-o", "next", code=2)
    run_plugins_commands(planted.root, all_shown, echoing_address)
    run("run", "purge", next(planted.root.glob(".tunegate/snapshots/*")).stem)
    (planted.root / "tunegate.toml").write_text(
        '[limits]\naccuracy = "senha: Xk29fkA81mQz"\n[train.openai]\nbase = "x"\n'
    )
    run("doctor", code=None)
    found = [*all_shown.found, *files_shown(planted.root)]
    assert not found, f"{len(found)} places\n" + "\n".join(found[:40])
    assert not {*installed_commands()} - all_shown.ran
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
