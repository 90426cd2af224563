"""The chat template of a base, read from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegate.template import ChatTemplate, TemplateError


def load_template(folder: Path) -> ChatTemplate:
    """Read a base's tokenizer and chat template.

    Raises Unrendered where the tokenizer cannot be read, has no chat template, or where nothing
    says which token ends a turn.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a missing file, a broken one, an unknown class: all end here
        reason = str(error).strip().partition("\n")[0]
        raise TemplateError(f"{folder} holds no tokenizer that can be read: {reason}") from None
    return ChatTemplate.from_tokenizer(tokenizer, folder)
