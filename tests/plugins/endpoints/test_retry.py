"""How long to wait, and what a status means."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate

import pytest
from endpoint_parts import FakeTime
from hypothesis import given
from hypothesis import strategies as st

from tunegate.utils.masking import mask
from tunegate_endpoints.providers import backoff, failure_of_status, retry_after_seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "1e12"}, 1e9),
        ({"retry-after": "soon"}, None),
        ({"retry-after": formatdate(1000 + 90, usegmt=True)}, 90),
        ({"retry-after": formatdate(10, usegmt=True)}, 0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, wall=1000) == seconds


@given(st.text())
def test_any_header_is_understood_or_passed_over(value: str) -> None:
    wait = retry_after_seconds({"retry-after": value}, wall=1000)
    assert wait is None or wait >= 0


@given(st.integers(1, 1000), st.floats(0, 1))
def test_backoff_doubles_and_is_bounded(tries: int, chance: float) -> None:
    longest = min(60, 2 ** (tries - 1))
    assert longest / 2 <= backoff(tries, chance) <= longest


@pytest.mark.parametrize(
    ("statuses", "again", "pushed", "every"),
    [
        ((429, 503, 529), True, True, False),
        ((408, 409, 425, 500, 502, 504, 528, 530, 599), True, False, False),
        ((400, 403, 406, 407, 410, 413, 422, 424, 499, 600), False, False, False),
        ((300, 301, 308, 399, 401, 402, 404, 405), False, False, True),
    ],
)
def test_statuses(
    time: FakeTime, statuses: Sequence[int], again: bool, pushed: bool, every: bool
) -> None:
    for status in statuses:
        trouble = failure_of_status(status, {}, b"", time.clock)
        found = trouble.retryable, trouble.overloaded, trouble.fatal
        assert found == (again, pushed, every), status


def test_a_key_that_is_cut_off_with_the_text_of_an_error_is_masked(time: FakeTime) -> None:
    key = "AKIA" + "Q3EGRV7XZPLM2NDT"
    for before in range(170, 200):
        text = " " * before + key
        reason = failure_of_status(400, {}, text.encode(), time.clock).reason
        assert key[:9] not in mask(reason, quotes=True)


def test_ten_minutes_are_waited_for_and_no_longer(time: FakeTime) -> None:
    waited = failure_of_status(429, {"retry-after": "600"}, b"", time.clock)
    assert (waited.retryable, waited.retry_after) == (True, 600)
    longer = failure_of_status(429, {"retry-after": "600.5"}, b"", time.clock)
    assert (longer.retryable, longer.fatal) == (False, True)
    late = failure_of_status(503, {"retry-after": "3600"}, b"", time.clock)
    assert late.reason == "503; the server asks to wait for 3,600 s"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "m"}}', "m"), (b'{"error": "e"}', "e"), (b'{"detail": "d"}', "d"),
        (b'{"message": "m"}', "m"), (b"plain", "plain"), (b"<html>", "an HTML page"),
        (b'{"detail": [{"msg": "x"}]}', '[{"msg": "x"}]'), (b"\xff", "�"),
    ],
)  # fmt: skip
def test_what_the_server_says_is_told(time: FakeTime, body: bytes, said: str) -> None:
    assert failure_of_status(400, {}, body, time.clock).reason == f"400: {said}"
    assert failure_of_status(400, {}, b"", time.clock).reason == "400"


@given(st.binary())
def test_any_body_is_told(body: bytes) -> None:
    assert failure_of_status(500, {}, body, FakeTime().clock).retryable
