"""The provider as the tests see it, and what they put to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY = "sk-test-key"


@dataclass(frozen=True)
class Provider:
    """The provider's address and what it holds."""

    url: str
    folder: Path

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return state

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return list(self.state["jobs"].values())

    @property
    def uploads(self) -> list[str]:
        """The names of the files that were uploaded."""
        files = self.state["files"].values()
        return [f["filename"] for f in files if f["purpose"] == "fine-tune"]

    def set(self, job: str, **changes: Any) -> None:
        """Change a job behind everybody's back."""
        state = self.state
        state["jobs"][job] |= changes
        (self.folder / "state.json").write_text(json.dumps(state))

    def fail(self, on: str, do: str, times: int = 1, skip: int = 0) -> None:
        """Have something go wrong."""
        path = self.folder / "faults.json"
        faults = json.loads(path.read_text()) if path.exists() else []
        faults.append({"on": on, "do": do, "times": times, "skip": skip})
        path.write_text(json.dumps(faults))

    def be(self, what: str) -> None:
        """Have the provider be like this: `lists nothing`, `forgets metadata`, `released`."""
        (self.folder / what).touch()


def example(n: int) -> str:
    """Return a line of a chat file: tickets of two classes."""
    words, label = ("parcel late", "shipping") if n % 2 else ("card charged", "billing")
    asked = [{"role": "user", "content": f"{words} number{n}"}]
    return json.dumps({"messages": [*asked, {"role": "assistant", "content": label}]}) + "\n"
