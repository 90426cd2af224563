"""Redact, de-duplicate and tidy data, and write down each change.

Without FILE the configured splits are fixed. Exit status: 0 all is right, 1 not all, 2 a mistake.

$ tunegate fix -o clean/
$ tunegate fix tickets.jsonl -o clean.jsonl --only format,labels
"""

import argparse
import os
from pathlib import Path

from tunegate.config.schema import load_here
from tunegate.errors import ConfigError
from tunegate.utils.masking import add_json_option, print_result
from tunegate.utils.text import did_you_mean

from .changes import STEPS, summary, summary_lines

MIN_KEY = 16  # characters: a shorter one can be guessed


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [FILE] -o OUT [options]"
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE", help="default: the configured splits")
    add("-o", "--out", type=Path, required=True, help="a file; a folder where there is no FILE")
    add("--against", type=Path, action="append", default=[], metavar="FILE",
        help="a split that keeps its rows (training first); repeatable")  # fmt: skip
    add("--only", metavar="STEPS", help=f"of {','.join(STEPS)} (all)")
    add("--key-env", metavar="NAME", help="variable with a secret: the same placeholders always")
    add("--surrogates", action="store_true", help="invented values, not placeholders")
    add("--force", action="store_true", help="replace files that are there")
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Fix the files, write results and changes, print the summary; return the exit status."""
    from .pipeline import fix_files

    root, config = load_here()
    steps = list(STEPS) if args.only is None else [name.strip() for name in args.only.split(",")]
    for name in steps:
        if name not in STEPS:
            suggestion = did_you_mean(name, list(STEPS))
            raise ConfigError(f"--only: no step {name!r}{suggestion}; steps: {', '.join(STEPS)}")
    key = os.environ.get(args.key_env, "") if args.key_env else ""
    if args.key_env and len(key) < MIN_KEY:
        fault = f"is {len(key)} characters long" if key else "is not set"
        raise ConfigError(
            f"--key-env: {args.key_env} {fault}; put a secret of {MIN_KEY} characters or more into "
            f"this variable: export {args.key_env}=$(openssl rand -hex 32)"
        )
    if (key or args.surrogates) and "redact" not in steps:
        raise ConfigError("--key-env and --surrogates go with the step redact: add it to --only")
    files = args.file, args.out, args.against
    fixed = fix_files(*files, steps, config, root, args.force, key.encode(), args.surrogates)
    told = {"files": [summary(changes) for changes in fixed]}
    print_result(args.json, told, summary_lines(fixed, config))
    return int(any(changes.unresolved or changes.rejected for changes in fixed))
