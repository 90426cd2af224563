"""OpenAI's count is the cookbook's arithmetic; the QLoRA trainer's is what it trains on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Dataset
from tunegate.tokenization import spec
from tunegate.tokenization.spec import TokenizationSpec
from tunegate_checks.data import tokens

TEXT = st.text(max_size=30)
TURNS = st.lists(st.tuples(TEXT, TEXT, st.sampled_from([0, 1])), min_size=1, max_size=3)


def conversation(turns: list[tuple[str, str, int]], **more: Any) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for asked, told, weight in turns:
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": told, "weight": weight})
    return {"messages": messages, **more}


def cookbook(messages: list[Mapping[str, Any]], size: Any) -> int:
    """Count as `num_tokens_from_messages` of OpenAI's cookbook does."""
    count = 3
    for message in messages:
        count += 3
        for key, value in message.items():
            count += size(value) if key != "weight" else 0
            count += key == "name"
    return count


@given(TURNS)
def test_openai_counts_as_the_cookbook_does(turns: list[tuple[str, str, int]]) -> None:
    row = conversation(turns)
    row["messages"][0]["name"] = "ana"
    counted = spec.OpenAITokenCounter("some deployment")(Dataset.of([row])[0])
    assert counted.length == cookbook(row["messages"], lambda text: -(-len(text) // 4))
    assert 0 <= counted.trained <= counted.length
    assert (counted.trained == 0) == (not any(weight for _, _, weight in turns))


def test_tools_and_their_calls_count() -> None:
    plain, count = conversation([("a", "b", 1)]), spec.OpenAITokenCounter("x")
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    more = count(Dataset.of([{**plain, "tools": tools}])[0]).length
    assert more - count(Dataset.of([plain])[0]).length == -(-len(json.dumps(tools)) // 4)


def test_an_estimate_says_so_and_closes_no_gate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    found = tokens.find(
        Dataset.of([conversation([("a" * 400, "b" * 40, 1)])]),
        TokenizationSpec("openai:gpt-4o-mini", max_length=50),
    )
    assert not found
    assert found.hints[-1].kind == "too long"
    assert any("an estimate: tiktoken's o200k_base is not" in h.evidence for h in found.hints)


def test_the_cached_encoding_is_used_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The place is the one tiktoken itself looks at: it is asked for a file that lies there."""
    tiktoken = pytest.importorskip("tiktoken")
    from tiktoken import load, registry

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert "is not in its cache" in spec.OpenAITokenCounter("gpt-4o").estimate
    address = spec.ENCODINGS.format("o200k_base")
    (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_bytes(b"here")
    assert load.read_file_cached(address) == b"here"

    letters = {bytes([i]): i for i in range(256)}
    tiny = {"name": "tiny", "pat_str": r".", "mergeable_ranks": letters, "special_tokens": {}}
    monkeypatch.setattr(registry, "ENCODINGS", {"o200k_base": tiktoken.Encoding(**tiny)})
    count = spec.OpenAITokenCounter("ft:gpt-4o-mini:acme::1")
    assert count.estimate == ""
    row = conversation([("hello", "<|endoftext|>", 1)])
    assert count(Dataset.of([row])[0]).length == cookbook(row["messages"], len)


def test_tiktoken_still_keeps_its_encodings_where_we_look(monkeypatch: pytest.MonkeyPatch) -> None:
    load, public = (pytest.importorskip(f"tiktoken{n}") for n in (".load", "_ext.openai_public"))
    asked: list[str] = []
    monkeypatch.setattr(load, "read_file_cached", lambda address, _: asked.append(address) or b"")
    public.o200k_base()
    assert asked == [spec.ENCODINGS.format("o200k_base")]


def test_a_damaged_encoding_is_not_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("tiktoken")
    from tiktoken import registry

    monkeypatch.setattr(registry, "ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    address = spec.ENCODINGS.format("o200k_base")
    (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_bytes(b"cut sho")
    assert "is damaged; 4 characters" in spec.OpenAITokenCounter("gpt-4o").estimate


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4.1-mini-2025-04-14", "gpt-5-mini"])
def test_a_tuned_model_counts_as_the_one_it_was_made_of(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    told = spec.OpenAITokenCounter(f"ft:{model}:acme::1").estimate
    assert told == spec.OpenAITokenCounter(model).estimate
    assert "o200k_base" in told
