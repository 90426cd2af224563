"""The chat template as it was in training: at inference it must render just the same.

An adapter keeps the template's text, and what it made of a conversation of our own. A template that
was edited since differs in its text; one that writes the date, or that another version of its
renderer reads otherwise, differs in what it makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunegate.template import DATE, Template, Unrendered

PROBE: list[dict[str, Any]] = [
    {"role": "system", "content": "Which team is this for?"},
    {"role": "user", "content": "Olá! I was charged twice.\n  Please help."},
    {"role": "assistant", "content": "billing"},
]
CONTEXT = 24  # characters shown on either side of a difference


def text(folder: Path) -> str:
    """Return the text of the chat template in a model's folder; "" where there is none."""
    own, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if own.is_file():
        return own.read_text("utf-8")
    told = json.loads(config.read_bytes()).get("chat_template") if config.is_file() else ""
    return told if isinstance(told, str) else json.dumps(told)


def rendered(template: Template) -> str:
    """Return what a template makes of the probe: the prompt of an answer, then the whole.

    Some templates refuse a system message: those are probed without one.
    """
    for messages in (PROBE, PROBE[1:]):
        try:
            return template.render(messages[:-1], prompt=True) + template.render(messages)
        except Unrendered:
            continue
    return ""


def check(template: Template, before: str) -> None:
    """Raise ValueError naming the first difference where the probe is rendered otherwise."""
    now = rendered(template)
    if before and now != before:
        raise ValueError(
            "the chat template does not render what it rendered in training: "
            f"{difference(now, before)}"
        )


def difference(now: str, before: str) -> str:
    """Say where two texts first differ, with what stands there in both."""
    pairs = enumerate(zip(now, before, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(now), len(before)))
    shown = (repr(t[max(at - CONTEXT, 0) : at + CONTEXT]) for t in (now, before))
    return "from character {:,} on it has {}, then it had {}".format(at + 1, *shown)


def dated(template: Template) -> str:
    """Say that a template writes today's date, and what is written in its place; else ""."""
    if "strftime_now" not in str(template.tokenizer.chat_template):
        return ""
    return (
        f"note      the chat template writes today's date: it is rendered as of {DATE}, in "
        f"training and when judged; have your server render that too"
    )
