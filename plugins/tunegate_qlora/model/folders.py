"""Folders of models on this machine: place, digest, configuration, and `tunegate.json` in them.

That file has a model's base and decoding, the text of its chat template, and what the template made
of the conversation `PROBE`. The text shows that somebody edited the template. The rendered probe
also shows what the text does not: a template that writes today's date, or another renderer.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tunegate.config.schema import parse_settings
from tunegate.tokenization.chat_template import FIXED_DATE, ChatTemplate, TemplateError
from tunegate.utils.files import sha256_file, sha256_spaced_json
from tunegate.utils.text import common_length

from ..config import Decoding, Settings

# The files that a model's answers depend on, and those of the same suffixes that do not matter.
_MODEL_SUFFIXES = (".safetensors", ".bin", ".model", ".json", ".jinja", ".txt", ".tiktoken")
_EXCLUDED = ("trainer_state.json", "sealed.json", "LICENSE.txt", "requirements.txt")
_UNSPECIFIED_LICENCES = {"", "other", "unknown"}
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")
METADATA_FILE, ADAPTER_CONFIG = "tunegate.json", "adapter_config.json"  # the second: peft's
PROBE: list[dict[str, Any]] = [
    {"role": "system", "content": "Which team is this for?"},
    {"role": "user", "content": "Olá! I was charged twice.\n  Please help."},
    {"role": "assistant", "content": "billing"},
]
CONTEXT_LETTERS = 24  # characters shown before and after the place where two texts differ


def locate_base(base: str, *roots: Path) -> Path:
    """Return the folder of a base model, without any download.

    `base` is an absolute path, one relative to a root (the first that holds it counts), or a hub
    name, which is looked up in the cache of this machine where no folder has that name. Raises
    ValueError where there is no such folder, and no such name in the cache.
    """
    candidates = [root / Path(base).expanduser() for root in roots]  # absolute: the same in each
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    missing = f"base = {base!r}: there is no folder {candidates[0]}"
    if base.startswith((".", "~", "/")) or base.count("/") > 1 or os.sep == "\\" in base:
        raise ValueError(missing)  # no hub name looks like this
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(base, local_files_only=True))
    except Exception:  # not installed, not a valid name, not in the cache
        cache = "the hub's cache on this machine holds no model of that name"
        raise ValueError(f"{missing}, and {cache} (`hf download {base}` fetches one)") from None


def folder_digest(folder: Path) -> str:
    """Return the sha256 of a model folder's weights, configuration, tokenizer, template; OSError.

    Files are streamed; one is read again only when its size, inode or time of change differs.
    """
    files = (p for p in folder.iterdir() if p.suffix in _MODEL_SUFFIXES and p.name not in _EXCLUDED)
    return sha256_spaced_json(list(file_digests(files, folder).items()))


def file_digests(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return each file's sha256 under its path relative to `root`; see `folder_digest`."""
    digests: dict[str, str] = {}
    for path in sorted(paths):
        stat = path.stat()
        key = stat.st_size, stat.st_mtime_ns, stat.st_ino
        digests[path.relative_to(root).as_posix()] = _cached_file_digest(str(path.absolute()), *key)
    return digests


@lru_cache(maxsize=1024)
def _cached_file_digest(path: str, *_changes: int) -> str:
    return sha256_file(path)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the model's `config.json`; raise ValueError where it is missing or unreadable."""
    try:
        model_config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no model: config.json: {error}") from None
    return model_config


def quantisation_problem(folder: Path, settings: Settings) -> str:
    """Return why a base saved quantised cannot be trained, "" where it can (NF4, by `qlora`)."""
    if not (saved := next(filter(None, config_values(folder, "quantization_config")), None)):
        return ""
    kind = str(saved.get("quant_method", "bitsandbytes"))
    if kind != "bitsandbytes" or saved.get("bnb_4bit_quant_type") != "nf4":
        what = f"the base is saved quantised ({kind}), and no adapter can be trained on that here"
        return f"{what}: name the model that it was made of"
    if settings.method != "qlora":
        return f"the base is saved in 4 bits: set method = 'qlora', not {settings.method!r}"
    return ""


def config_values(folder: Path, *keys: str) -> list[Any]:
    """Return what `config.json`, then its `text_config`, has under these keys; None for none.

    A model that also reads pictures describes its language model there. Raises ValueError.
    """
    config = read_config(folder)
    return [part.get(key) for part in (config, config.get("text_config") or {}) for key in keys]


def context_length(folder: Path) -> int:
    """Return how many tokens the base can read; 2^31 where its configuration names no number."""
    lengths = config_values(folder, *_CONTEXT_KEYS)
    return min((n for n in lengths if isinstance(n, int) and n > 0), default=2**31)


def licence_of(root: Path) -> str:
    """Return the licence in a base's README.md, `license_name` where it is `other`; "" for none."""
    from huggingface_hub import metadata_load

    try:
        front_matter = metadata_load(root / "README.md") or {}
    except Exception:  # no file, not in UTF-8, or no valid YAML
        return ""
    names = (str(front_matter.get(key) or "") for key in ("license", "license_name"))
    return next((name for name in names if name.casefold() not in _UNSPECIFIED_LICENCES), "")


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
    """Write `tunegate.json`, and the template where it is not the base's; raise OSError."""
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
    """Render the probe, without a system message where the template refuses one; else ""."""
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
    dated = f"the chat template writes today's date: it is rendered as of {FIXED_DATE}"
    return f"note      {dated}, in training and when judged; have your server render that too"
