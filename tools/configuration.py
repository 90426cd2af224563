"""Writes docs/reference/configuration.md from the models that read `tunegate.toml`.

    python tools/configuration.py           # prints the page
    python tools/configuration.py --write   # writes it; a test holds the page to this

What a key means is said by WORDS, or by the comment at its field; what is valid,
by the JSON schema.
"""

from __future__ import annotations

import argparse
import inspect
import io
import json
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tunegate.config import schema
from tunegate_endpoints import settings
from tunegate_qlora.config import VLLMTable

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "configuration.md"
HEAD = """\
# The configuration

<!-- Written by tools/configuration.py. -->

Everything stands in `tunegate.toml`, or in `[tool.tunegate]` of `pyproject.toml`, never in both.
An unknown key is an error that names the nearest valid one. `tunegate init` writes a commented
file; `tunegate doctor` says what is missing. "unset" under `[limits]` means that the score is
shown, and no gate is held to it.
"""
TABLES: list[tuple[str, type[BaseModel], str]] = [
    ("Top of the file", schema.Config, ""),
    ("`[data]`", schema.Data, ""),
    ("`[label]`", schema.LabelTable, "[How a label is read](../scores.md#how-a-label-is-read)."),
    ("`[suites]`", schema.Suites, ""),
    (
        "`[limits]`",
        schema.Limits,
        "`[limits.own]` takes limits of your own tests, by any name; `[limits.fields]` those of "
        "JSON fields. What each holds: [checks](../checks.md), [scores](../scores.md).",
    ),
    ("`[judge]`", schema.Judge, "[A language model as judge](../judge.md)."),
    ("`[compare.NAME]`", schema.Compared, ""),
    ("`[limits.compare.NAME]`", schema.CompareLimits, ""),
    ("`[tokens]`", schema.Tokens, ""),
    ("`[checks.NAME]`", schema.ProgramTable, "[A program that checks](../writing-checks.md)."),
    ("`[models.NAME]`", settings.Settings, "[Models behind an endpoint](../endpoints.md)."),
    ("`[models.NAME]` with `of`", schema.StrategyTable, "[A prompt as a model](../readiness.md)."),
    (
        "`[models.vllm]`",
        VLLMTable,
        "It is for `--model vllm:RUN` alone, or `engine` in `[train.qlora]`: [judge with "
        "vLLM](../training.md#judge-with-vllm).",
    ),
    ("`[readiness]`", schema.Readiness, "[Prompt, retrieve, or fine-tune?](../readiness.md)"),
    ("`[shadow]`", schema.Shadow, "[Shadow traffic](../shadow.md)"),
]
TOP_TABLES = {
    *("checks", "compare", "data", "judge", "limits", "models", "readiness", "shadow", "suites"),
    *("tokens", "train"),
}
TAIL = """
## `[train.qlora]`, `[train.openai]`

Each trainer reads a table of its own: [every setting of `[train.qlora]`](../training.md#settings),
[of `[train.openai]`](../openai.md#settings-of-trainopenai).
"""
# What no comment at the field says, or says only to those who read the code.
WORDS = {
    "task": "what a reply is: [the tasks](../checks.md#the-tasks); `style` is now `text`",
    "ask": "whether all rows are asked: [asking fewer rows](../statistics.md#asking-fewer-rows); "
    "`certain` where there is a budget, else `all`",
    "baseline": "any model spec: another spelling of `[compare.baseline]`",
    "data.train": "a file, or a folder of `save_to_disk`: [files](../data-formats.md#files)",
    "data.validation": "the same",
    "data.test": "the same",
    "data.columns": "which field or column is what, where no known shape fits: "
    "[shapes of data](../data-formats.md)",
    "label.kind": "`exact`, `json`, `regex` or `set`",
    "label.fields": "fields of a JSON reply; several make one label",
    "label.pattern": "of `regex`: its first group, else all of it, is the label",
    "label.fold": "what makes no difference: `case`, `punctuation`, `fence`, `explanation`",
    "suites.data": "what `pytest` is given for the data gate",
    "suites.model": "what `pytest` is given for the model gate",
    "limits.fewest_examples": "rows in a file, at least",
    "limits.largest_mb": "megabytes of a file, at most",
    "limits.fewest_per_class": "training rows of each class, at least; of all rows where the task "
    "has no classes; unset: the task's",
    "limits.smallest_test": "test rows, at least",
    "limits.validation_low": "validation rows as a share of training and validation, at least",
    "limits.validation_high": "the same, at most",
    "limits.psi": "population stability index between training and another split, at most",
    "limits.drift_auc": "how well a plain model may tell two splits apart (AUC), at most",
    "limits.reviewed": "share of rows from a model that a person has read, at least",
    "limits.review_errors": "share of those that were wrong, at most",
    "limits.similarity": "prompts this similar are near-duplicates",
    "limits.near_duplicates": "share of rows that nearly repeat another, at most",
    "limits.rarest_class": "rows of a class beside an even share, at least",
    "limits.distinct": "share of different pairs of words, at least",
    "limits.opening": "share of prompts that begin alike, at most",
    "limits.pii_ignore": "kinds of personal data that are allowed",
    "limits.pii_allow": "values, or e-mail domains, that are public",
    "limits.mode": "what is held to a limit: the estimate (`point`), or its one-sided 95 % bound",
    "limits.accuracy": "share of right answers, at least",
    "limits.macro_f1": "mean F1 of the classes, at least",
    "limits.improvement": "accuracy gained over the base model, at least",
    "limits.judge": "share of replies that pass the rubric, at least",
    "limits.judge_wins": "share of comparisons won, ties half, at least",
    "limits.worst_slice": "accuracy of the worst slice, at least",
    "limits.margin": "accuracy that may be lost to the model in production",
    "limits.chrf": "chrF of texts, at least",
    "limits.rouge_l": "ROUGE-L of texts, at least",
    "limits.valid_json": "share of replies that are JSON, at least",
    "limits.parses": "share of replies that are code, at least",
    "limits.language": "of that code",
    "limits.command": "what accepts a reply instead, `{file}` in it",
    "limits.tool_calls": "share of rows whose tool calls are the expected ones, at least",
    "limits.latency_p50": "seconds until half of the answers came, at most",
    "limits.latency_p95": "seconds until 95 of 100 came, at most",
    "limits.tokens": "tokens of question and answer, on average, at most",
    "limits.cost_per_1000": "USD for 1,000 requests, at most",
    "limits.latency_ratio": "latency as a multiple of the baseline's, at most",
    "limits.tokens_ratio": "tokens as a multiple of the baseline's, at most",
    "limits.cost_ratio": "cost as a multiple of the baseline's, at most",
    "limits.flips": "share of labels that typos, capitals, accents or greetings change, at most",
    "limits.overfitting": "how far the validation loss may end above its lowest, as a share",
    "limits.cut_off": "share of answers without an end, at most",
    "limits.refusals": "share of answers that refuse where none is expected, at most",
    "limits.forgetting": "score that may be lost on `data.general`",
    "limits.majority": "with `--repeat`: share of rows whose commonest answer is right, at least",
    "limits.pass_at_k": "with `--repeat`: share of rows with a right answer, at least",
    "limits.pass_hat_k": "with `--repeat`: share of rows whose answers are all right, at least",
    "judge.repetitions": "ballots of each judge",
    "judge.kappa": "agreement with people (Cohen's kappa) that it takes to gate",
    "judge.swap_consistency": "share of comparisons whose verdict stays when the order is swapped",
    "judge.fewest_labels": "labels of people that it takes",
    "limits.compare.cost_ratio": "the same, of the cost",
    "tokens.max_length": "the longest row",
    "tokens.epochs": "how often each row is learnt",
}


def comments(model: type[BaseModel]) -> dict[str, str]:
    """Return what the comment at each field says: behind it, else right above it."""
    text = inspect.getsource(model)
    lines = text.splitlines()
    said: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            said[token.start[0]] = token.string.lstrip("# ")
    alone = {n for n in said if lines[n - 1].strip().startswith("#")}
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        field = re.match(r"    (\w+): ", line)
        if not field or field[1] not in model.model_fields:
            continue
        above: list[str] = []
        start = number - 1
        while start in alone:
            above.insert(0, said[start])
            start -= 1
        behind = "" if number in alone else said.get(number, "")
        found[field[1]] = (behind or " ".join(above)).replace("|", "\\|")
    return found


def gates() -> dict[str, list[str]]:
    """Return the tests of the suites that hold each limit."""
    held: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "suites").glob("*/test_*.py")):
        for name in sorted({*re.findall(r"\blimits\.(\w+)", path.read_text("utf-8"))}):
            held[name].append(path.stem.removeprefix("test_"))
    return held


def valid(of: dict[str, Any]) -> str:
    """Return what a JSON schema takes, in words."""
    if "anyOf" in of:
        kinds = [valid(one) for one in of["anyOf"] if one.get("type") != "null"]
        return ", or ".join(dict.fromkeys(kinds))
    if "enum" in of or "const" in of:
        return ", ".join(f"`{value}`" for value in of.get("enum", [of.get("const")]))
    if "$ref" in of or of.get("type") == "object":
        return "table"
    if of.get("type") == "array":
        return "list" if of.get("items", {}).get("type") != "string" else "texts"
    kind = {"string": "text", "integer": "whole number", "boolean": "true, false"}
    words = kind.get(of.get("type", ""), "number")
    low, high = of.get("minimum"), of.get("maximum")
    if low is not None and high is not None:
        return f"{words}, {low:g} to {high:g}"
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to"}
    said = [f"{word} {of[key]:g}" for key, word in bounds.items() if key in of]
    return ", ".join([words, *said])


def rows(name: str, model: type[BaseModel]) -> Iterator[str]:
    """Yield the lines of the table of one model."""
    whole = model.model_json_schema()
    is_limits, is_top = model is schema.Limits, model is schema.Config
    tables = {"own", "compare", "fields"} if is_limits else TOP_TABLES if is_top else set()
    said, held = comments(model), gates() if is_limits else {}
    path = "" if is_top else re.findall(r"[\w.]+", name)[0].removesuffix(".NAME") + "."
    yield f"| key | value | default | what it is |{' held in |' if is_limits else ''}"
    yield f"| --- | --- | --- | --- |{' --- |' if is_limits else ''}"
    names = {field.alias: name for name, field in model.model_fields.items() if field.alias}
    for key, of in whole["properties"].items():
        if key in tables:
            continue
        default = of.get("default")
        shown = "unset" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"
        shown = "must be set" if key in whole.get("required", []) else shown.replace("{}", "{ }")
        words = WORDS.get(f"{path}{key}") or said[names.get(key, key)]
        cells = [f"`{key}`", valid(of), shown, words]
        if is_limits:
            cells.append(", ".join(f"`{stem}`" for stem in held[key]) or "all")
        yield f"| {' | '.join(cells)} |"


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for name, model, more in TABLES:
        doc = (inspect.getdoc(model) or "").splitlines()[0]
        parts.append(f"\n## {name}\n\n{doc} {more}".rstrip() + "\n\n")
        parts.append("".join(f"{line}\n" for line in rows(name, model)))
    return "".join([*parts, TAIL])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(), "utf-8")
    else:
        print(page(), end="")
