"""A Chromium that is driven by WebDriver, with nothing but the standard library."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
# It asks nothing of the world by itself: no test leaves the machine.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window; `go` opens an address, `press` types keys into what has the focus."""

    def __init__(self, address: str) -> None:
        options = {"binary": BROWSER, "args": [*FLAGS]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.address = address
        session = self._send("", wanted)["sessionId"]
        self.address = f"{address}/{session}"

    def _send(self, path: str, values: dict[str, Any]) -> Any:
        url = f"{self.address}/{path}".rstrip("/")
        with urllib.request.urlopen(url, json.dumps(values).encode(), timeout=60) as reply:
            return json.load(reply)["value"]

    def go(self, url: str) -> None:
        self._send("url", {"url": url})

    def run(self, script: str, *args: Any) -> Any:
        """Return what a script returns, or what its promise does."""
        return self._send("execute/sync", {"script": script, "args": [*args]})

    def press(self, keys: str) -> None:
        active = self.run("return document.activeElement")
        self._send(f"element/{active[ELEMENT]}/value", {"text": keys})

    def until(self, script: str) -> None:
        """Wait until a script is true; each change of the page asks again."""
        self.run(
            "return new Promise(done => { const look = () => (() => {" + script + "})() ? done(1) "
            ": requestAnimationFrame(look); look(); })"
        )


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start a driver and a browser, and end both."""
    command = [str(DRIVER), "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        line = next(ln for ln in driver.stdout if "started successfully on port" in ln)
        browser = Browser(f"http://127.0.0.1:{line.split()[-1].rstrip('.')}/session")
        try:
            yield browser
        finally:
            request = urllib.request.Request(browser.address, method="DELETE")
            urllib.request.urlopen(request, timeout=60).close()
            driver.terminate()
