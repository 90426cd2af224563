"""What the last session of the data suite found, kept for `tunegate accept`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .files import write_whole
from .state import State

if TYPE_CHECKING:
    from .acceptance import Entry
    from .findings import Finding, Findings

FILE = "findings.json"


def plain(made: Iterable[Findings]) -> list[dict[str, Any]]:
    """Return findings as builtins, which survive xdist: one table for each check that ran."""
    return [
        {
            "check": f.name,
            "split": f.split,
            "found": [*(_one(f, o, False) for o in f), *(_one(f, o, True) for o in f.accepted)],
        }
        for f in made
    ]


def _one(findings: Findings, finding: Finding, accepted: bool) -> dict[str, Any]:
    place = [findings.split, f"line {finding.line}" if finding.line is not None else ""]
    return {
        "id": finding.id,
        "check": findings.name,
        "named": findings.named,
        "kind": finding.kind,
        "where": ", ".join(part for part in place if part),
        "evidence": finding.evidence,
        "accepted": accepted,
    }


@dataclass
class Seen:
    """The findings of a session that can be accepted, by id, and what was looked at at all."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged: set[tuple[str, str]] = field(default_factory=set)  # (check, split)
    when: str = ""

    def add(self, tables: Sequence[dict[str, Any]]) -> None:
        """Count what a test reported."""
        for table in tables:
            self.judged.add((table["check"], table["split"]))
            self.found.update({one["id"]: one for one in table["found"] if one["id"]})

    def accepted(self) -> list[str]:
        """Return the ids of the findings that did not count."""
        return [id_ for id_, one in self.found.items() if one["accepted"]]

    def receipt(self, entries: Mapping[str, Entry]) -> list[dict[str, str]]:
        """Return for the receipt what was accepted, where it was found now, and why."""
        return [
            {**{k: self.found[i][k] for k in ("id", "check", "kind", "where", "evidence")},
             "why": entries[i].why, "who": entries[i].who, "when": entries[i].when}
            for i in self.accepted()
        ]  # fmt: skip

    def status(self, entry: Entry) -> str:
        """Say how an entry stands: found, stale, or not looked for; "" where it was found."""
        if entry.id in self.found:
            return ""
        split = entry.where.partition(",")[0]
        if (entry.check, split) in self.judged or (entry.check, "") in self.judged:
            return "stale: not found any more"
        return "not looked for in the last session"

    def keep(self, state: State) -> None:
        """Write it into the state tree; a session that judged nothing leaves what was there."""
        if self.judged:
            said = {
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                "judged": sorted(self.judged),
                "found": list(self.found.values()),
            }
            text = json.dumps(said, indent=1, ensure_ascii=False)
            write_whole(state.path(FILE), text.encode("utf-8", "replace"), mode=0o600)


def recall(state: State) -> Seen:
    """Return what the last session found; empty where there was none."""
    path = state.folder / FILE
    if not path.is_file():
        return Seen()
    said = json.loads(path.read_text("utf-8"))
    found = {one["id"]: one for one in said["found"]}
    return Seen(found, {(check, split) for check, split in said["judged"]}, said["when"])
