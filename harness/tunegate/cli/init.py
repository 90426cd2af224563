"""Copy the suites and a commented configuration into a project."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ..utils.atomic import atomic_write

CONFIG_TEMPLATE = """\
# tunegate: pytest suites/data --train-with qlora, then pytest suites/model --model latest
task = "classification"          # or "style", "qa", "code": decides the minimum sizes
# label = "json:category"        # label of a reply: "exact", "json:FIELD" or "regex:PATTERN"

[data]                           # JSONL or JSON; split one file: tunegate split FILE -o data
train = "data/train.jsonl"
validation = "data/validation.jsonl"
test = "data/test.jsonl"
# generated = true               # a model wrote all rows: people must review 10 % of them
# general = "data/general.jsonl" # other questions, whose answers training must not worsen
# columns = { prompt = "text", reply = "category" }   # for CSV or Parquet files
# system = "prompts/system.txt"  # the system prompt in production: rows must have the same

[limits]                         # limits of the suites; the defaults are shown
# similarity = 0.85              # prompts this similar (0..1) are near-duplicates
# pii_ignore = ["cnpj"]          # kinds of personal data that are allowed in the data
# pii_allow = ["@example.com"]   # public values or e-mail domains
# mode = "lower"                 # compare the 95 % lower bound with a limit, not the estimate
# accuracy = 0.95
# macro_f1 = 0.90
# improvement = 0.0              # accuracy gained over the base model
# margin = 0.03                  # accuracy that may be lost to the model in production
# worst_slice = 0.9              # accuracy of the worst slice; unset: it is only shown
# judge = 0.90                   # share of replies that pass the rubric; see [judge]
# flips = 0.05                   # share of labels that typos, case ... change; unset: shown
# latency_p95 = 2.0              # seconds; also latency_p50, tokens, cost_per_1000 (USD): unset
# cost_ratio = 1.0               # cost / baseline's; also latency_ratio, tokens_ratio: unset
# overfitting = 0.05             # how far the validation loss may end above its minimum
# cut_off = 0.01                 # share of answers without an end; refusals = 0.01
# forgetting = 0.05              # score that may be lost on the general set
# [limits.own]                   # limits of your own checks: limits.own["politeness"]
# politeness = 0.9

# [judge]                        # a model grades replies; advisory until it agrees with people
# models = "openai:NAME"         # any model spec, or several
# rubric = "suites/model/rubric.toml"
# labels = "suites/model/labels.jsonl"   # verdicts of people on replies; docs/judge.md

[train.qlora]                    # pip install 'tunegate[qlora]'
base = "path/to/a/base/model"    # a folder with weights, tokenizer and chat template
# epochs = 3
# preset = "classification"      # or "style", "few"; method = "lora" or "full": docs/training.md
# [tokens]                       # shows the cost of the training's tokens
# price_per_million = 3.00       # USD, from your provider's list
"""


def shipped_suites() -> Path:
    """Return the folder of the suites: in the wheel, or in a checkout of the repository."""
    package_folder = Path(__file__).parents[1]
    in_wheel = package_folder / "suites"
    return in_wheel if in_wheel.is_dir() else package_folder.parents[1] / "suites"


def create_project(folder: Path) -> list[str]:
    """Copy suites and configuration into a project; return a line for each file.

    A file that exists is left unchanged: it is the user's.
    """
    from ..config.project import find_root

    lines, suites = [], shipped_suites()
    for source in sorted(p for p in suites.rglob("*") if p.suffix in (".py", ".toml")):
        target = folder / "suites" / source.relative_to(suites)
        lines.append(_file_line(folder, target, target.exists()))
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    config, existed = folder / "tunegate.toml", find_root(folder) == folder
    if not existed:
        atomic_write(config, CONFIG_TEMPLATE.encode())
    elif not config.is_file():
        config = folder / "pyproject.toml"
    return [*lines, _file_line(folder, config, existed)]


def _file_line(folder: Path, path: Path, existed: bool) -> str:
    return f"{'kept' if existed else 'wrote':<6} {path.relative_to(folder)}"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the project."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="FOLDER")


def run(args: argparse.Namespace) -> None:
    """Copy what is missing and print which files were written and which were kept."""
    args.folder.mkdir(parents=True, exist_ok=True)
    print("\n".join(create_project(args.folder.resolve())))
    print("\nnext   write the paths of your data into tunegate.toml, then: pytest suites/data")
