"""What tunegate keeps beside a model's weights (`tunegate.json`): its base, decoding and template.

Of the chat template it keeps the text, and what the template made of the conversation `PROBE`. The
text shows that somebody edited the template. The rendered probe also shows what the text does not:
a template that writes the current date, or another version of the renderer.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tunegate.config.schema import parse_settings
from tunegate.tokenization.chat_template import FIXED_DATE, ChatTemplate, TemplateError
from tunegate.utils.text import common_length

from ..config import Decoding, Settings
from .base import folder_digest

METADATA_FILE, ADAPTER_CONFIG = "tunegate.json", "adapter_config.json"  # the second: peft's
PROBE: list[dict[str, Any]] = [
    {"role": "system", "content": "Which team is this for?"},
    {"role": "user", "content": "Olá! I was charged twice.\n  Please help."},
    {"role": "assistant", "content": "billing"},
]
CONTEXT_LETTERS = 24  # characters shown before and after the place where two texts differ


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """The base of a model, and how the model answers.

    `template` is the text of the chat template in training, `rendered` the probe that it rendered
    (see `render_probe`). Both, and the digest, are "" for a model that tunegate did not train.
    """

    base: str = ""
    base_digest: str = ""
    decoding: Decoding = field(default_factory=Decoding)
    template: str = ""
    rendered: str = ""


def metadata_of(settings: Settings, base_folder: Path, template: ChatTemplate) -> ModelMetadata:
    """Return the metadata of a model that is trained on a base, with this template."""
    text = template.options.text or template_text_of(base_folder)
    digest, rendered = folder_digest(base_folder), render_probe(template)
    return ModelMetadata(settings.base, digest, settings.decoding, text, rendered)


def write_metadata(folder: Path, metadata: ModelMetadata) -> None:
    """Write `tunegate.json` into a model's folder, and its template where it is not the base's.

    Raises OSError.
    """
    content = asdict(metadata) | {"decoding": metadata.decoding.model_dump(mode="json")}
    if metadata.decoding.chat_template:
        (folder / "chat_template.jinja").write_text(metadata.template, "utf-8")
    (folder / METADATA_FILE).write_text(json.dumps(content, indent=1))


def read_metadata(folder: Path) -> ModelMetadata:
    """Read `tunegate.json`; return defaults where there is none, raise ValueError for a bad one."""
    path = folder / METADATA_FILE
    try:
        content = json.loads(path.read_bytes()) if path.is_file() else {}
        decoding = parse_settings(Decoding, content.get("decoding", {}))
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    keys = ("base", "base_digest", "template", "rendered")
    return ModelMetadata(decoding=decoding, **{key: str(content.get(key, "")) for key in keys})


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter rather than a whole model."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_adapter_metadata(folder: Path) -> ModelMetadata:
    """Read an adapter's metadata, with the base that peft's file names; raise ValueError."""
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_bytes())
        base_name = str(config["base_model_name_or_path"])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder} holds no adapter that can be read: {error}") from None
    return replace(read_metadata(folder), base=base_name)


def template_text_of(folder: Path) -> str:
    """Return the text of the chat template in a model's folder; "" where there is none."""
    template_file, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if template_file.is_file():
        return template_file.read_text("utf-8")
    template_text = json.loads(config.read_bytes()).get("chat_template") if config.is_file() else ""
    return template_text if isinstance(template_text, str) else json.dumps(template_text)


def render_probe(template: ChatTemplate) -> str:
    """Render the probe: the prompt of its last message, then the whole conversation.

    A template that refuses system messages renders the probe without one. Returns "" where it
    refuses that too.
    """
    for messages in (PROBE, PROBE[1:]):
        try:
            return template.render(messages[:-1], prompt=True) + template.render(messages)
        except TemplateError:
            continue
    return ""


def check_same(template: ChatTemplate, recorded: str) -> None:
    """Raise ValueError where a template renders the probe otherwise than `recorded`; "" passes."""
    current = render_probe(template)
    if recorded and current != recorded:
        what = "the chat template does not render what it rendered in training"
        raise ValueError(f"{what}: {rendering_difference(current, recorded)}")


def rendering_difference(current: str, recorded: str) -> str:
    """Describe the first place where two texts differ, with what each has there."""
    position = common_length(current, recorded)
    around = slice(max(position - CONTEXT_LETTERS, 0), position + CONTEXT_LETTERS)
    shown = repr(current[around]), repr(recorded[around])
    return "from character {:,} on it has {}, then it had {}".format(position + 1, *shown)


def date_note(template: ChatTemplate) -> str:
    """Return a note that a fixed date replaces the current one that a template writes, else ""."""
    if "strftime_now" not in str(template.tokenizer.chat_template):
        return ""
    return (
        f"note      the chat template writes today's date: it is rendered as of {FIXED_DATE}, in "
        f"training and when judged; have your server render that too"
    )
