"""Which proxy the environment names, and for which hosts none."""

from __future__ import annotations

import pytest
from yarl import URL

from tunegate.interfaces.model import ModelUnknown
from tunegate_endpoints.dispatch import proxy_for

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "http://h/v1", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://h/v1", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://h/v1", None),
        ({"ALL_PROXY": "p:1"}, "https://h/v1", "http://p:1"),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://p:1"}, "https://h", "http://p:1"),
        ({"ALL_PROXY": "socks5://a:1", "HTTPS_PROXY": "http://p:1"}, "https://h", "http://p:1"),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, "http://10.2.3.4:8000/v1", None),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, "http://11.2.3.4/v1", "http://p:1"),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "x, 10.2.3.4"}, "http://10.2.3.4/v1", None),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "fd00::/8"}, "http://[fd00::1]:8000/v1", None),
        ({"ALL_PROXY": "p:1", "NO_PROXY": ".corp,10/x"}, "http://llm.corp/v1", None),
        ({"ALL_PROXY": "socks5://p:1", "NO_PROXY": "*"}, "http://h/v1", None),
    ],
)
def test_proxies(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(URL(url)) == (URL(proxy) if proxy else None)


@pytest.mark.parametrize("proxy", ["socks5://user:secret@p:1080", "http://p:secret", "http://"])
def test_a_proxy_of_no_use(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ModelUnknown, match=r"speaks no HTTP: set HTTPS_PROXY .* NO_PROXY=h") as e:
        proxy_for(URL("https://h/v1"))
    assert "secret" not in str(e.value)
