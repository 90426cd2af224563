"""The chat template of a base, read from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunegate.tokenization.chat_template import FIXED_DATE, ChatTemplate, TemplateError


def load_template(folder: Path) -> ChatTemplate:
    """Read a base's tokenizer and chat template; raise TemplateError if there is none to use."""
    return ChatTemplate.from_folder(folder)


# [merged] The chat template as it was in training: at inference it must render just the same.
#
# An adapter keeps the template's text, and what it made of a conversation of our own. A template that
# was edited since differs in its text; one that writes the date, or that another version of its
# renderer reads otherwise, differs in what it makes.

PROBE: list[dict[str, Any]] = [
    {"role": "system", "content": "Which team is this for?"},
    {"role": "user", "content": "Olá! I was charged twice.\n  Please help."},
    {"role": "assistant", "content": "billing"},
]
CONTEXT_LETTERS = 24  # characters shown on either side of a difference


def template_text_of(folder: Path) -> str:
    """Return the text of the chat template in a model's folder; "" where there is none."""
    template_file, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if template_file.is_file():
        return template_file.read_text("utf-8")
    template_text = json.loads(config.read_bytes()).get("chat_template") if config.is_file() else ""
    return template_text if isinstance(template_text, str) else json.dumps(template_text)


def render_probe(template: ChatTemplate) -> str:
    """Return what a template makes of the probe: the prompt of an answer, then the whole.

    Some templates refuse a system message: those are probed without one.
    """
    for messages in (PROBE, PROBE[1:]):
        try:
            return template.render(messages[:-1], prompt=True) + template.render(messages)
        except TemplateError:
            continue
    return ""


def check_same(template: ChatTemplate, recorded: str) -> None:
    """Raise ValueError naming the first difference where the probe is rendered otherwise."""
    current = render_probe(template)
    if recorded and current != recorded:
        raise ValueError(
            "the chat template does not render what it rendered in training: "
            f"{rendering_difference(current, recorded)}"
        )


def rendering_difference(current: str, recorded: str) -> str:
    """Say where two texts first differ, with what stands there in both."""
    pairs = enumerate(zip(current, recorded, strict=False))
    position = next((i for i, (a, b) in pairs if a != b), min(len(current), len(recorded)))
    shown = (
        repr(t[max(position - CONTEXT_LETTERS, 0) : position + CONTEXT_LETTERS])
        for t in (current, recorded)
    )
    return "from character {:,} on it has {}, then it had {}".format(position + 1, *shown)


def date_note(template: ChatTemplate) -> str:
    """Say that a template writes today's date, and what is written in its place; else ""."""
    if "strftime_now" not in str(template.tokenizer.chat_template):
        return ""
    return (
        f"note      the chat template writes today's date: it is rendered as of {FIXED_DATE}, in "
        f"training and when judged; have your server render that too"
    )
