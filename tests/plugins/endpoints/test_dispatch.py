"""Against a real server: answers, storms, garbage, cut connections, and when to stop."""

from __future__ import annotations

import base64
import json
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from endpoint_parts import FakeTime, Maker, Told, answers, asked

from tunegate.interfaces.model import Budget, ModelUnknown, Request
from tunegate_endpoints.model import open_openai


def test_answers_carry_everything(server: Told, model: Maker) -> None:
    got = answers(model(price_in=1, price_out=2), 3)
    assert [got[i].text for i in range(3)] == ["0", "1", "2"]
    first = got[0]
    assert (first.prompt_tokens, first.tokens, first.finish, first.error) == (12, 3, "stop", "")
    assert first.cost == pytest.approx((12 + 2 * 3) / 1e6)


def test_what_is_sent(server: Told, model: Maker) -> None:
    answers(model(max_tokens=9, seed=4), 1)
    (body,) = server()["bodies"]
    told = asked(1)[0].messages
    assert body == {"model": "m", "messages": told, "max_tokens": 9, "temperature": 0.0, "seed": 4}
    assert "Authorization" not in server()["headers"][0]  # nobody named a key for this server


def test_as_many_at_once_as_may_be(server: Told, model: Maker) -> None:
    server(first=0)
    stream = model(connections=4).answers(asked(9))
    first = []
    reader = threading.Thread(target=lambda: first.extend(stream))
    reader.start()
    assert len(server(**{"await": 4})["busy"]) == 4
    server(release=True)
    reader.join()
    assert (len(first), server()["most"]) == (9, 4)


STORM = {"status": 429, "text": json.dumps({"error": {"message": "slow down"}})}


def test_a_storm_passes(server: Told, model: Maker, time: FakeTime) -> None:
    server.does(*[STORM] * 12)
    got = answers(model(), 30)
    assert [got[i].text for i in range(30)] == [str(i) for i in range(30)]
    assert len(server.seen) == 42
    assert set(time.slept) <= {1.0, 2.0, 4.0, 8.0, 16.0}


def test_it_waits_as_long_as_the_server_asks(server: Told, model: Maker, time: FakeTime) -> None:
    server.does({**STORM, "headers": {"Retry-After": "7"}})
    assert answers(model(connections=1), 1)[0].text == "0"
    assert time.slept == [7.0]


def test_a_storm_without_end_is_an_error_in_words(server: Told, model: Maker) -> None:
    server.does({}, *[STORM] * 6)
    got = answers(model(connections=1), 3)
    assert got[1].error == "429 after 6 tries: slow down"
    assert (got[0].text, got[2].text, len(server.seen)) == ("0", "2", 8)


def test_a_server_error_passes(server: Told, model: Maker, time: FakeTime) -> None:
    server.does({"status": 500, "text": "oops"}, {"status": 529, "text": ""}, {"cut": True})
    assert answers(model(connections=1), 1)[0].text == "0"
    assert time.slept == [1.0, 2.0, 4.0]


def reply(**choice: Any) -> dict[str, str]:
    return {"text": json.dumps({"choices": [choice]})}


GARBAGE: dict[str, tuple[dict[str, Any], str]] = {
    "no JSON": ({"text": "sure!"}, "the reply is no JSON: 'sure!'"),
    "nothing": ({"text": ""}, "the reply is no JSON: it is empty"),
    "HTML": (
        {"text": "<!doctype html><html>"},
        "the reply is an HTML page: '<!doctype html><html>'",
    ),
    "a list": ({"text": "[]"}, "the reply is no chat completion: '[]'"),
    "no choices": ({"text": '{"choices": []}'}, "the reply is no chat completion: '{\"choices"),
    "an error": ({"text": '{"error": {"message": "boom"}}'}, "the reply is an error: boom"),
    "null": (reply(message={"content": None}), "no text in the answer (finished: None)"),
    "a number": (reply(message={"content": 5}), "no text in the answer (finished: None)"),
    "filtered": (
        reply(message={"content": "I"}, finish_reason="content_filter"),
        "the server's filter held the answer back (content_filter)",
    ),
    "too deep": ({"text": "[" * 100_000}, "the reply is no JSON: "),
    "half a character": (
        {"text": '{"choices": [{"message": {"content": "\\ud800"}}]}'},
        "the reply ",
    ),
    "10 MB": ({"megabytes": 10}, "the reply is longer than 4 MB"),
    "too long": (
        {"status": 400, "text": json.dumps({"error": {"message": "context is 8 tokens"}})},
        "400: context is 8 tokens",
    ),
}


def test_garbage_is_an_error_of_its_row(server: Told, model: Maker, time: FakeTime) -> None:
    server.does(*[told for told, _ in GARBAGE.values()])
    got = answers(model(connections=1, tries=1), len(GARBAGE) + 1)
    for row, (kind, (_, error)) in enumerate(GARBAGE.items()):
        assert got[row].error.startswith(error), kind
        assert "\n" not in got[row].error
    assert got[len(GARBAGE)].text == str(len(GARBAGE))
    assert time.slept == []


def test_a_reply_that_holds_no_answer_is_asked_for_again(
    server: Told, model: Maker, time: FakeTime
) -> None:
    limited = {"error": {"code": 429, "message": "provider rate limited"}}
    server.does(
        {"text": "<!doctype html><html>login"},
        {"text": json.dumps({"choices": [{"message": {}}]})[:20]},
        {"text": json.dumps({"choices": [], "usage": None})},
        {"text": json.dumps(limited), "headers": {"Retry-After": "7"}},
    )
    got = answers(model(connections=1), 1)[0]
    assert (got.text, len(server.seen)) == ("0", 5)
    assert time.slept == [1.0, 2.0, 4.0, 7.0]
    assert got.latency == 0  # of the last exchange alone: this clock moves while somebody sleeps


def test_a_status_in_an_error_object_counts_as_one(server: Told, model: Maker) -> None:
    refused, unknown = ({"error": {"code": c, "message": "no"}} for c in (400, "404"))
    server.does({"text": json.dumps(refused)}, {"text": json.dumps(unknown)})
    made = model(connections=1)
    assert answers(made, 1)[0].error == "400: no"
    with pytest.raises(ModelUnknown, match="404: no"):
        answers(made, 1)


FLAGGED = {"status": 403, "text": json.dumps({"error": {"message": "your input was flagged"}})}


def test_a_request_that_is_forbidden_ends_its_row(server: Told, model: Maker) -> None:
    server.does(FLAGGED)
    got = answers(model(connections=1), 3)
    assert [got[i].error for i in range(3)] == ["403: your input was flagged", "", ""]
    server(always=FLAGGED)
    got = answers(model(connections=1), 30)
    assert got[29].error.startswith("not asked: 20 answers failed one after another: 403")


def test_base_url_without_its_version(server: Told, model: Maker) -> None:
    missing = {"status": 404, "text": '{"detail": "Not Found"}'}
    root = server.url.removesuffix("/v1")
    server.does(missing, missing)
    got = answers(model(connections=2, base_url=root), 4)
    assert [got[i].text for i in range(4)] == ["0", "1", "2", "3"]
    assert server()["paths"] == ["/chat/completions"] * 2 + ["/v1/chat/completions"] * 4
    server(always=missing)
    with pytest.raises(ModelUnknown, match="/v1/chat/completions: 404 after 2 tries: Not Found"):
        answers(model(connections=1, base_url=root), 4)


def test_calls_of_tools_go_there_and_back(server: Told, model: Maker) -> None:
    tools = [{"type": "function", "function": {"name": "route"}}]
    call = {"id": "c", "function": {"name": "route", "arguments": '{"team": "x"}'}}
    message = {"content": "", "tool_calls": [call], "reasoning_content": "hm"}
    choice = {"message": message, "finish_reason": "tool_calls"}
    server.does({"text": json.dumps({"choices": [choice], "model": "m-1"})})
    request = replace(asked(1)[0], tools=tools)
    (got,) = model().answers([request])
    assert server()["bodies"][0]["tools"] == tools
    assert got.tool_calls == [{"name": "route", "arguments": {"team": "x"}}]
    assert (got.text, got.finish, got.reasoning, got.served_by) == ("", "stop", "hm", "m-1")


def test_headers_from_the_environment_are_sent_and_never_told(
    server: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GATEWAY", "gateway-aB3dE6gH9jK2")
    headers = """[models.m]\nheaders = {X-Org = "org-1", X-Token = "Token $GATEWAY"}"""
    call = {"function": {"name": "f", "arguments": '{"seen": ["gateway-aB3dE6gH9jK2"]}'}}
    server.does({"text": json.dumps({"choices": [{"message": {"tool_calls": [call]}}]})})
    (tmp_path / "tunegate.toml").write_text(f'{headers}\nbase_url = "{server.url}"')
    made = open_openai("m", tmp_path)
    got = answers(made, 1)[0]
    sent = server()["headers"][0]
    assert (sent["X-Org"], sent["X-Token"]) == ("org-1", "Token gateway-aB3dE6gH9jK2")
    assert "***" in got.tool_calls[0]["name"]
    assert "aB3dE6gH9jK2" not in repr(got)
    assert "aB3dE6gH9jK2" not in repr(made)


def test_requests_go_through_the_proxy_and_errors_name_it(
    server: Told, model: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = server.url.removesuffix("/v1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.replace("://", "://user:pass4711@"))
    assert answers(model(base_url="http://model.invalid/v1"), 1)[0].text == "0"
    server(always={"status": 407, "text": ""})
    with pytest.raises(ModelUnknown) as raised:
        answers(model(base_url="https://model.invalid/v1"), 1)
    assert f"no connection to model.invalid through the proxy {proxy}" in str(raised.value)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(ModelUnknown, match=r"through the proxy http://127.0.0.1:1: no connection"):
        answers(model(base_url="http://model.invalid/v1", tries=1), 1)
    assert "pass4711" not in str(raised.value)


@pytest.mark.parametrize("half", [{"cut": True}, {"half": '{"choices": '}])
def test_a_connection_that_is_always_cut(server: Told, model: Maker, half: dict[str, Any]) -> None:
    server.does({}, *[half] * 2)
    got = answers(model(connections=1, tries=2), 2)
    assert got[1].error.startswith("the connection was cut: ")
    assert got[1].error.endswith(" (2 tries)")


def test_a_slow_answer_is_given_up(server: Told, model: Maker) -> None:
    server.does({}, *[{"hold": True}] * 2)
    got = answers(model(connections=1, timeout=0.05), 2)
    assert got[1].error == "no answer within 0.05 s (timeout) (2 tries)"


@pytest.mark.parametrize("status", [401, 404, 307])
def test_what_holds_for_every_request_stops_the_session(
    server: Told, model: Maker, status: int
) -> None:
    server(always={"status": status, "text": '{"error": {"message": "no such model"}}'})
    with pytest.raises(ModelUnknown) as raised:
        answers(model(connections=2), 50)
    assert str(raised.value) == f"{server.url}/chat/completions: {status}: no such model"
    assert len(server.seen) <= 2


def test_money_that_is_spent_does_not_come_back_by_waiting(server: Told, model: Maker) -> None:
    error = {"error": {"message": "you exceeded your quota", "code": "insufficient_quota"}}
    server(always={"status": 429, "text": json.dumps(error)})
    with pytest.raises(ModelUnknown, match="you exceeded your quota"):
        answers(model(connections=1), 5)
    assert len(server.seen) == 1


def test_a_server_that_asks_for_a_day_is_left_alone(server: Told, model: Maker) -> None:
    server.does({**STORM, "headers": {"Retry-After": "86400"}})
    with pytest.raises(ModelUnknown, match="asks to wait for 86,400 s"):
        answers(model(connections=1), 5)


def test_nobody_is_there(model: Maker) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(ModelUnknown, match=r"no connection to 127.0.0.1: .*\(6 tries\)"):
            answers(model(base_url=url), 50)


def test_a_server_that_broke_down_is_not_asked_for_ever(server: Told, model: Maker) -> None:
    server.does({})
    server(always={"status": 500, "text": ""})
    got = answers(model(connections=1, tries=2), 500)
    assert (got[0].text, got[1].error) == ("0", "500 after 2 tries")
    assert got[499].error == "not asked: 20 answers failed one after another: 500 after 2 tries"
    assert len(server.seen) == 1 + 20 * 2


def test_a_key_is_never_told(server: Told, model: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", "hush-hush-4711")
    said = {"error": {"message": "bad key hush-hush-4711, or sk-abcdefgh1234"}}
    server.does({"status": 400, "text": json.dumps(said)})
    made = model(key_env="OWN")
    got = answers(made, 1)
    assert server()["headers"][0]["Authorization"] == "Bearer hush-hush-4711"
    assert got[0].error == "400: bad key ***, or ***"
    assert "hush" not in repr(made)


OWN_KEY = "own-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"


@pytest.mark.parametrize(
    "echo",
    [
        OWN_KEY,
        quote(f"key={OWN_KEY}&x=/", safe=""),
        base64.b64encode(f"user:{OWN_KEY}".encode()).decode(),
        f"{OWN_KEY[:17]}\n{OWN_KEY[17:]}",
        f"begins with {OWN_KEY[:20]}, ends with {OWN_KEY[20:]}",
    ],
)
def test_an_echoed_key_is_in_no_error_and_no_answer(
    server: Told, model: Maker, monkeypatch: pytest.MonkeyPatch, echo: str
) -> None:
    monkeypatch.setenv("OWN", OWN_KEY)
    reply = {"choices": [{"message": {"content": f"you sent {echo} to me"}}]}
    server.does(
        {"status": 400, "text": json.dumps({"error": {"message": f"bad: {echo}"}})},
        {"status": 200, "text": json.dumps(reply)},
    )
    got = answers(model(key_env="OWN", connections=1), 2)
    refused, answered = got[0], got[1]
    assert refused.error.startswith("400: bad: ")
    assert answered.text.startswith("you sent ")
    assert answered.text.endswith(" to me")
    for told in (refused.error, answered.text):
        pieces = [echo[i : i + 8] for i in range(12, len(echo) - 12)]
        assert not [piece for piece in pieces if piece in told and piece.isalnum()]


def test_requests_are_bounded_retries_too(server: Told, model: Maker) -> None:
    server.does(STORM, STORM)
    budget = Budget(requests=7)
    got = answers(model(connections=3).with_budget(budget), 20)
    assert (len(server.seen), budget.sent) == (7, 7)
    errors = {a.error for a in got.values() if a.error}
    assert errors == {"not asked: the budget of 7 requests (--max-requests) is spent"}
    assert sum(not a.error for a in got.values()) == 5


def test_cost_is_bounded(server: Told, model: Maker) -> None:
    """Each may cost 1,000 answer tokens at most and costs 3: what is left over is used again."""
    priced = {"price_in": 0, "price_out": 1000, "max_tokens": 1000}
    budget = Budget(cost=2.02)
    got = answers(model(connections=8, **priced).with_budget(budget), 40)
    came = [a for a in got.values() if not a.error]
    assert server()["most"] <= 2  # of 1 USD each, set aside
    assert budget.spent == pytest.approx(sum(a.cost for a in came)) == pytest.approx(0.003 * 40)
    budget = Budget(cost=1.01)
    got = answers(model(connections=8, **priced).with_budget(budget), 40)
    assert sum(not a.error for a in got.values()) == 4  # 0.012 are spent: 1 does not fit any more
    assert "budget of $1.01 (--max-cost) is spent" in got[39].error


REASONED = {
    "prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 514,
    "completion_tokens_details": {"reasoning_tokens": 500},
}  # fmt: skip


def test_reasoning_is_paid_for(server: Told, model: Maker) -> None:
    """A server that leaves it out of the completion bills it all the same."""
    choice = {"message": {"content": "a"}, "finish_reason": "stop"}
    server(always={"text": json.dumps({"choices": [choice], "usage": REASONED})})
    budget = Budget(cost=5.2)
    made = model(connections=8, price_in=0, price_out=1000, max_tokens=1000).with_budget(budget)
    got = answers(made, 40)
    came = [a for a in got.values() if not a.error]
    assert len(came) == len(server.seen) < 40
    assert {a.tokens for a in came} == {502}
    assert budget.spent == pytest.approx(0.502 * len(came))
    assert 4 < budget.spent <= 5.2


def test_a_server_that_bills_more_than_it_may_is_found_out(server: Told, model: Maker) -> None:
    choice = {"message": {"content": "a"}, "finish_reason": "stop"}
    server(always={"text": json.dumps({"choices": [choice], "usage": REASONED})})
    budget = Budget(cost=3.0)
    made = model(connections=2, price_in=0, price_out=1000, max_tokens=10).with_budget(budget)
    came = [a for a in answers(made, 40).values() if not a.error]
    assert 4 <= len(came) <= 5
    assert budget.spent <= 3.0


def test_the_most_that_a_request_can_cost(server: Told, model: Maker, tmp_path: Path) -> None:
    """`extra` can ask for more than `max_tokens`; a picture is no text of as many bytes."""
    extra = "{max_completion_tokens = 500, n = 2}"
    table = f"[models.m]\nmax_tokens = 10\nprice_in = 0\nprice_out = 1000\nextra = {extra}"
    (tmp_path / "tunegate.toml").write_text(table)
    assert not model().with_budget(Budget(cost=0.99)).answers(asked(1)).__next__().text
    assert model().with_budget(Budget(cost=1.0)).answers(asked(1)).__next__().text
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10**6}}
    request = Request(0, [{"role": "user", "content": [picture, {"type": "text", "text": "x"}]}])
    for cost, fits in ((0.04, False), (0.06, True)):
        made = model(price_in=1, price_out=0).with_budget(Budget(cost=cost))
        assert bool(next(made.answers([request])).text) is fits


def test_cost_cannot_be_bounded_without_prices(model: Maker) -> None:
    with pytest.raises(ModelUnknown, match="set price_in and price_out"):
        model(price_in=1).with_budget(Budget(cost=1))


def test_leaving_early_sends_nothing_more(server: Told, model: Maker) -> None:
    server(first=5)
    stream = model(connections=2).answers(asked(50))
    for _ in range(5):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(server.seen) <= 7


def test_anthropic(server: Told, model: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", "hush")
    got = answers(model("anthropic", key_env="OWN", max_tokens=5, price_in=1, price_out=1), 1)[0]
    seen = server()
    assert seen["bodies"] == [
        {
            "model": "m", "max_tokens": 5, "system": "brief", "temperature": 0.0,
            "messages": [{"role": "user", "content": "say 0"}],
        }
    ]  # fmt: skip
    assert seen["paths"] == ["/v1/messages"]
    headers = {k.lower(): v for k, v in seen["headers"][0].items()}
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("hush", "2023-06-01")
    assert (got.text, got.finish, got.tokens, got.prompt_tokens) == ("0", "stop", 3, 12)
    assert got.cost == pytest.approx(15e-6)


def test_anthropic_overloaded_and_refusing(server: Told, model: Maker, time: FakeTime) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    cut = {"content": [{"type": "text", "text": "a b"}], "stop_reason": "max_tokens"}
    server.does(
        {"status": 529, "text": json.dumps(overloaded)},
        {"text": json.dumps(cut)},
        {"text": json.dumps({"content": [], "stop_reason": "refusal"})},
        {"text": json.dumps({"content": [], "stop_reason": "end_turn"})},
    )
    got = answers(model("anthropic", connections=1), 3)
    assert (got[0].text, got[0].finish, time.slept) == ("a b", "length", [1.0])
    assert got[1].error == "the server's filter held the answer back (refusal)"
    assert got[2].error == "no text in the answer (finished: end_turn)"
