"""Keys are found in whatever form a server repeats them, and nothing else is taken for one."""

from __future__ import annotations

import base64
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.utils.masking import KeyEchoes, keys_of_environment, looks_like_key

KEY = "sk-" + "proj-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
FORMS = {
    "as it is": KEY,
    "in a URL": quote(KEY + "/+="),
    "each letter in a URL": "".join(f"%{ord(c):02X}" for c in KEY),
    "in base64": base64.b64encode(KEY.encode()).decode(),
    "behind a user's name": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "behind Bearer": base64.urlsafe_b64encode(f"Bearer {KEY}".encode()).decode(),
    "in hex": KEY.encode().hex(),
    "over two lines": f"{KEY[:17]}\n{KEY[17:]}",
    "letter by letter": " ".join(KEY),
    "in two pieces": f"it begins with {KEY[:20]} and ends with {KEY[20:]}",
    "in JSON, split": f'["{KEY[:14]}", "{KEY[14:24]}", "{KEY[24:]}"]',
}


def without_echoes(text: str, *keys: str) -> str:
    """Return a text without what was found in it."""
    for start, end in reversed(KeyEchoes(keys).spans(text)):
        text = text[:start] + text[end:]
    return text


@pytest.mark.parametrize("form", FORMS)
def test_an_echo_is_found_in_each_form(form: str) -> None:
    left = without_echoes(f"401: no such key: {FORMS[form]} (try again)", KEY)
    assert left.startswith("401: no such key: ")
    assert left.endswith(" (try again)")
    assert len(left) - len("401: no such key:  (try again)") < 24
    assert not any(KEY[i : i + 8] in left for i in range(8, len(KEY) - 8))


@given(st.text(string.ascii_letters + string.digits, min_size=24, max_size=60), st.data())
def test_any_random_key_is_found_wherever_it_is_split(body: str, data: st.DataObject) -> None:
    key = f"xk-{body}"
    cut = data.draw(st.integers(0, len(key)))
    left = without_echoes(f"{key[:cut]} \n {key[cut:]}", key)
    assert body not in "".join(c for c in left if c.isalnum())


@given(st.text())
def test_a_text_without_the_key_stays_as_it_is(text: str) -> None:
    assert without_echoes(text, KEY) == text


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj- is how such a key begins",
        "run b35e4f54f237 has the digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "project proj production",
    ],
)
def test_a_prefix_and_a_digest_are_no_echo(text: str) -> None:
    assert without_echoes(text, KEY) == text


def test_which_variables_hold_keys() -> None:
    environment = {
        "OPENAI_API_KEY": KEY,
        "DB_PASSWORD": "Tr0ub4dor&3",
        "HTTP_PROXY": "http://ana:w0rdpass1@proxy:3128",
        "SSH_AUTH_SOCK": "/run/user/1000/agent",
        "TOKENIZERS_PARALLELISM": "false",
        "MAX_TOKENS": "1000000000",
        "SECRET_STAGE": "production",
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/ana",
    }
    assert {*keys_of_environment(environment)} == {KEY, "Tr0ub4dor&3", "w0rdpass1"}
    assert not looks_like_key("short1")
