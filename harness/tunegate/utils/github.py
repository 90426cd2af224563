"""What GitHub shows: annotations of a job, and one comment on its pull request, posted by `gh`."""

import json
import os
import re
import shutil
import subprocess

from ..errors import ConfigError

MAX_ANNOTATIONS = 10  # of a kind: GitHub shows no more of one step
MAX_LETTERS = 65_000  # GitHub takes 65,536 of a comment
ESCAPED = {"%": "%25", "\r": "%0D", "\n": "%0A"}
ESCAPED_IN_PROPERTIES = ESCAPED | {":": "%3A", ",": "%2C"}


def annotation(kind: str, message: str, **properties: object) -> str:
    """Return the line of a job's output that GitHub shows as an `error`, `warning` or `notice`."""
    table, own = str.maketrans(ESCAPED), str.maketrans(ESCAPED_IN_PROPERTIES)
    shown = ",".join(f"{k}={str(v).translate(own)}" for k, v in properties.items() if v)
    return f"::{kind} {shown}::{message.translate(table)}"


def post_comment(text: str) -> str:
    """Post a comment, in place of one with the same first line; return its address; ConfigError."""
    if len(text) > MAX_LETTERS:  # whole folds stay, or where there is none whole lines
        end = max(text.rfind("\n<details>", 0, MAX_LETTERS), 0)
        text = text[: end or text.rindex("\n", 0, MAX_LETTERS)] + "\n\nMore was cut off."
    repository = f"repos/{os.environ.get('GITHUB_REPOSITORY') or '{owner}/{repo}'}/issues"
    path, marker = f"{repository}/{_pull_request()}/comments", text.partition("\n")[0]
    same = f".[] | select(.body | startswith({json.dumps(marker)})) | .id"
    known = _gh("api", "--paginate", path, "--jq", same).split()
    to = ["PATCH", f"{repository}/comments/{known[0]}"] if known else ["POST", path]
    return _gh("api", "--method", *to, "--field", "body=@-", "--jq", ".html_url", text=text)


def _pull_request() -> str:
    """Return the number of the pull request: of the job's ref, else that of the branch here."""
    ref = re.match(r"refs/pull/(\d+)/", os.environ.get("GITHUB_REF", ""))
    return ref[1] if ref else _gh("pr", "view", "--json", "number", "--jq", ".number")


def _gh(*arguments: str, text: str = "") -> str:
    """Run `gh` and return what it prints; raises ConfigError."""
    if (program := shutil.which("gh")) is None:
        raise ConfigError("--post needs GitHub's program gh, which is not here: cli.github.com")
    done = subprocess.run(
        [program, *arguments], input=text, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise ConfigError(f"--post: gh {arguments[0]} says: {why}")
    return done.stdout.strip()
