"""Where the settings come from, what is wrong with them, whose key goes where, and the digest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tunegate.errors import ConfigError
from tunegate.interfaces.model import Model, ModelUnknown, PricedModel
from tunegate_endpoints.model import Endpoint, open_anthropic, open_openai

TOML = """
[models.openai]
timeout = 7
key_env = "OPENAI_API_KEY"
[models.local]
base_url = "http://localhost:8000/v1"
model = "Qwen/Qwen3"
max_tokens = 16
[models.azure]
base_url = "https://x.openai.azure.com/openai/deployments/d?api-version=2024-10-21"
key_env = "AZURE_KEY"
key_header = "api-key"
[models."gpt-5"]
price_in = 1.25
temperature = "default"
extra = {reasoning_effort = "low"}
"""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("AZURE_KEY", "key-of-azure\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-anthropic")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)


def opened(root: Path, rest: str, toml: str = TOML) -> Endpoint:
    (root / "tunegate.toml").write_text(toml)
    model = open_openai(rest, root)
    assert isinstance(model, Endpoint)
    return model


def test_a_bare_name(tmp_path: Path) -> None:
    model = opened(tmp_path, "gpt-4.1-mini", "")
    s = model.settings
    assert (model.name, s.model, s.base_url) == (
        "openai:gpt-4.1-mini", "gpt-4.1-mini", "https://api.openai.com/v1",
    )  # fmt: skip
    assert (s.temperature, s.max_tokens_field) == (0, "max_completion_tokens")
    assert model.key == "key-of-openai"
    assert isinstance(model, Model)
    assert isinstance(model, PricedModel)


def test_layers(tmp_path: Path) -> None:
    s = opened(tmp_path, "local?max_tokens=4&seed=1").settings
    assert (s.model, s.timeout, s.max_tokens, s.seed) == ("Qwen/Qwen3", 7, 4, 1)
    assert s.max_tokens_field == "max_tokens"
    s = opened(tmp_path, "gpt-5").settings
    assert (s.model, s.price_in, s.extra) == ("gpt-5", 1.25, {"reasoning_effort": "low"})


def test_a_key_goes_to_the_server_it_was_named_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened(tmp_path, "local").key == ""
    assert opened(tmp_path, "azure").key == "key-of-azure"
    assert opened(tmp_path, "azure?base_url=http://elsewhere/v1").key == ""
    assert opened(tmp_path, "x?base_url=http://h/v1&key_env=AZURE_KEY").key == "key-of-azure"
    for host, key in (("api.openai.com", "key-of-openai"), ("api.openai.com.evil.org", "")):
        assert opened(tmp_path, f"x?base_url=https://{host}").key == key
    assert opened(tmp_path, "x?base_url=https://api.openai.com.evil.org/v1").key == ""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway/v1")
    model = opened(tmp_path, "x", "")
    assert (model.settings.base_url, model.key) == ("http://gateway/v1", "key-of-openai")


def test_anthropic(tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").write_text("")
    model = open_anthropic("claude", tmp_path)
    assert isinstance(model, Endpoint)
    assert (model.key, model.settings.base_url) == ("key-of-anthropic", "https://api.anthropic.com")


def test_the_digest_is_of_what_makes_the_answers(tmp_path: Path) -> None:
    same = {opened(tmp_path, f"local{q}").digest for q in ("", "?connections=3", "?timeout=1")}
    assert len(same) == 1
    changes = ("?max_tokens=5", "?temperature=1", "?seed=1", "?model=x", "?base_url=http://h/v1")
    others = {opened(tmp_path, f"local{q}").digest for q in changes}
    assert len(others - same) == len(changes)


WRONG = {
    "x?max_token=3": "unknown key 'max_token', did you mean 'max_tokens'?",
    "x?connections=0": "connections = '0': Input should be greater than or equal to 1",
    "x?base_url=localhost:8000": "need an address such as http://localhost:8000/v1",
    "x?base_url=http://u:secret@h/v1": "no user or password in the address",
    "x?key_env=sk-secret-1234": "key_env: need the NAME of an environment variable",
    "gpt-5?key_env=NOWHERE": "the environment variable NOWHERE is not set",
    "": "name a model, such as openai:NAME",
}


@pytest.mark.parametrize("rest", WRONG)
def test_mistakes_are_told(tmp_path: Path, rest: str) -> None:
    with pytest.raises(ModelUnknown) as raised:
        opened(tmp_path, rest)
    assert WRONG[rest] in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_mistake_in_a_table_says_which(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match=r"\[models.x\] unknown key 'price', did you mean"):
        opened(tmp_path, "x", "[models.x]\nprice = 1")
    with pytest.raises(ModelUnknown, match=r"\[models.openai\] holds for every model"):
        opened(tmp_path, "x", '[models.openai]\nmodel = "y"')
    with pytest.raises(ConfigError, match=r"models\.x = 3"):
        opened(tmp_path, "x", "[models]\nx = 3")


@pytest.mark.parametrize("rest", ["lokal", "gpt5", "gpt-55", "base?max_tokens=3"])
def test_a_name_without_a_table_goes_to_nobody(tmp_path: Path, rest: str) -> None:
    with pytest.raises(ModelUnknown, match=r"no table \[models\.\"") as raised:
        opened(tmp_path, rest)
    assert ("did you mean 'local'" in str(raised.value)) == (rest == "lokal")


OTHERS = """
baseline = "openai:gpt-4.1?max_tokens=5"
[judge]
rubric = "rubric.toml"
models = ["openai:gpt-5.2"]
[train.openai]
base = "gpt-4.1-nano"
"""


def test_names_that_need_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's own, those that the configuration names, and those at an own address."""
    for name in ("ft:gpt-4.1:x::1", "gpt-4.1", "gpt-5.2", "gpt-4.1-nano", "x?base_url=http://h/v1"):
        assert opened(tmp_path, name, OTHERS + TOML).name == f"openai:{name}"
    assert opened(tmp_path, "x", "[models.openai]\ntimeout = 3").name == "openai:x"
    local = '[models.openai]\nbase_url = "http://h/v1"\n[models.local]\nseed = 1'
    assert opened(tmp_path, "x", local).settings.base_url == "http://h/v1"
    (tmp_path / "tunegate.toml").write_text(OTHERS + TOML)
    with pytest.raises(ModelUnknown, match=r'anthropic:gpt-4.1: no table \[models."gpt-4.1"\]'):
        open_anthropic("gpt-4.1", tmp_path)
    assert opened(tmp_path, "o3-mini").name == "openai:o3-mini"
    assert open_anthropic("claude-haiku-4-5", tmp_path).name == "anthropic:claude-haiku-4-5"


@pytest.mark.parametrize(
    "table",
    [
        '[models.vllm]\ncommand = ["env/bin/vllm"]',
        '[models.vllm]\noptions = ["--seed", "1"]',
        '[models.rules]\ncommand = ["./rules"]',
        '[models.few]\nof = "openai:gpt-4.1"',
    ],
)
def test_a_table_of_no_endpoint_asks_for_none(tmp_path: Path, table: str) -> None:
    assert opened(tmp_path, "tuned", table).name == "openai:tuned"
    with pytest.raises(ModelUnknown, match=r'no table \[models\."tuned"\]'):
        opened(tmp_path, "tuned", f"{table}\n[models.local]\nseed = 1")


@pytest.mark.parametrize("spec", ["openai:lokal", "openai:lokal?seed=1"])
@pytest.mark.parametrize(
    "mention",
    ['baseline = "{}"', '[compare.b]\nmodel = "{}"', '[judge]\nrubric = "r"\nmodels = "{}"'],
)
def test_a_misspelt_table_is_one_in_the_configuration_too(
    tmp_path: Path, mention: str, spec: str
) -> None:
    toml = f"{mention.format(spec)}\n"
    with pytest.raises(ModelUnknown, match=r"did you mean 'local'"):
        opened(tmp_path, spec.partition(":")[2], toml + TOML)
    assert opened(tmp_path, "far", toml.replace("lokal", "far") + TOML).name == "openai:far"


HEADERS = {
    '{X-Key = "sk-secret-1234"}': "X-Key: need an environment variable as $NAME",
    '{Authorization = "Bearer secret"}': "Authorization: need an environment variable",
    '{"X Org" = "a"}': "'X Org': a header has a name without spaces",
    '{X-Org = "a\\nb: secret"}': "'X-Org': a header has a name without spaces, and printable ASCII",
    '{X-Org = "$"}': "X-Org: need an environment variable as $NAME; a dollar is $$",
    '{X-Org = "$NOWHERE"}': "the environment variable NOWHERE is not set (headers)",
    '"X-Org"': "headers: Input should be a table",
}


@pytest.mark.parametrize("headers", HEADERS)
def test_mistakes_in_headers_are_told(tmp_path: Path, headers: str) -> None:
    with pytest.raises(ModelUnknown) as raised:
        opened(tmp_path, "x", f"[models.x]\nheaders = {headers}")
    assert HEADERS[headers] in str(raised.value)
    assert "secret" not in str(raised.value)


def test_headers_go_where_the_key_goes_and_make_another_model(tmp_path: Path) -> None:
    toml = '[models.openai]\nheaders = {X-Org = "$AZURE_KEY"}\n[models.x]\nseed = 1'
    model = opened(tmp_path, "x", toml)
    assert model.variables == {"AZURE_KEY": "key-of-azure"}
    assert opened(tmp_path, "x?base_url=http://h/v1", toml).settings.headers == {}
    other = opened(tmp_path, "x", toml.replace("X-Org", "X-Route"))
    assert len({model.digest, other.digest, opened(tmp_path, "x?seed=1", "").digest}) == 3


def test_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelUnknown, match="OPENAI_API_KEY is not set"):
        opened(tmp_path, "gpt", "")
    monkeypatch.setenv("OPENAI_API_KEY", "two\nlines")
    with pytest.raises(ModelUnknown, match="holds something that is no key") as raised:
        opened(tmp_path, "gpt", "")
    assert "two" not in str(raised.value)


def test_the_missing_extra_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ModelUnknown, match=r"pip install 'tunegate\[endpoints\]'"):
        opened(tmp_path, "gpt", "")


@pytest.mark.parametrize(
    ("query", "expected"), [("", 0.8), ("?temperature=0", 0), ("?temperature=1", 1)]
)
def test_a_temperature_that_was_set_stays(tmp_path: Path, query: str, expected: float) -> None:
    (tmp_path / "tunegate.toml").write_text(TOML)
    made = open_openai(f"local{query}", tmp_path).sampled(0.8, {})
    assert isinstance(made, Endpoint)
    assert made.temperature == expected
