"""The page says what is true: every setting with its default, every preset."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tunegate_openai.settings import INCIDENTAL, PRESETS, Settings, with_preset

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("openai.md", "openai.pt-BR.md")


def table(page: str) -> dict[str, str]:
    """Return the settings that a page lists, with their defaults."""
    text = (DOCS / page).read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? ?\|", text, re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_with_its_default(page: str) -> None:
    listed = table(page)
    assert list(listed) == list(Settings.model_fields)
    for name, shown in listed.items():
        default = Settings.model_fields[name].get_default()
        usual = f"{default:g}" if isinstance(default, float) else str(default)
        assert shown == ("" if default is None or name == "base" else usual)


@pytest.mark.parametrize("page", PAGES)
def test_every_preset(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    for name, values in PRESETS.items():
        assert re.search(rf"`{name}` \({values['epochs']}\b.*?\b{values['batch']}, ", text)
        assert str(values["learning_rate_multiplier"]) in text


@pytest.mark.parametrize("page", PAGES)
def test_its_configuration_is_valid(page: str) -> None:
    (said,) = re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    assert Settings(**with_preset(tomllib.loads(said)["train"]["openai"])).epochs == 3


def test_what_is_incidental_is_a_setting() -> None:
    assert set(INCIDENTAL) <= set(Settings.model_fields)
