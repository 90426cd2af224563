"""Stores the findings of the last session of the data suite, for `accept` and `data findings`."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..results.acceptance import AcceptedEntry
from ..results.finding import Findings
from ..storage.state_dir import StateDir
from ..utils.atomic import atomic_write
from ..utils.masking import mask

LAST_FINDINGS_FILE = "findings.json"


def to_dicts(findings: Iterable[Findings]) -> list[dict[str, Any]]:
    """Return findings as builtins, which xdist can carry: one table for each check that ran."""
    tables = []
    for f in findings:
        rows = []
        for finding, accepted in [*((o, False) for o in f.items), *((o, True) for o in f.accepted)]:
            place = [f.split, f"line {finding.line}" if finding.line is not None else ""]
            rows.append(
                {
                    "id": finding.id,
                    "check": f.name,
                    "named": f.named,
                    "kind": finding.kind,
                    "split": f.split,
                    "where": ", ".join(part for part in place if part),
                    "evidence": finding.evidence,
                    "accepted": accepted,
                }
            )
        tables.append({"check": f.name, "split": f.split, "found": rows})
    return tables


@dataclass
class LastFindings:
    """The findings of a session, those that can be accepted by id, and the splits it checked.

    `tests` are the node ids of the tests that ran, and `digests` the sha256 of the data they read,
    by split; sessions of older versions kept neither.
    """

    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged_splits: set[tuple[str, str]] = field(default_factory=set)  # (check, split)
    when: str = ""
    tests: Collection[str] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    without_id: list[dict[str, Any]] = field(default_factory=list)

    def add(self, tables: Sequence[dict[str, Any]]) -> None:
        """Add the tables that a test reported (see `to_dicts`)."""
        for table in tables:
            self.judged_splits.add((table["check"], table["split"]))
            for finding in table["found"]:
                id_ = finding["id"]
                if id_ and (other := self.findings.get(id_)):  # that of another split
                    splits = {*other.get("split", "").split(", "), finding["split"]} - {""}
                    accepted = finding["accepted"] and other["accepted"]
                    finding = {**finding, "split": ", ".join(sorted(splits)), "accepted": accepted}
                if id_:
                    self.findings[id_] = finding
                else:
                    self.without_id.append(finding)

    def to_receipt(self, entries: Mapping[str, AcceptedEntry]) -> list[dict[str, str]]:
        """Return the accepted findings for the receipt: where each stands now, and why."""
        return [
            {**{k: found[k] for k in ("id", "check", "kind", "where", "evidence")},
             "why": mask(entries[i].why), "who": entries[i].who, "when": entries[i].when}
            for i, found in self.findings.items() if found["accepted"]
        ]  # fmt: skip

    def status(self, entry: AcceptedEntry) -> str:
        """Return "" for an entry whose finding was found, else that it is stale or unchecked."""
        if finding := self.findings.get(entry.id):
            found_in = finding.get("split", "").split(", ")
            if any(map(entry.holds_in, found_in)):
                return ""
        split = entry.where.partition(",")[0]
        if (entry.check, split) in self.judged_splits or (entry.check, "") in self.judged_splits:
            return "stale: not found any more"
        return "not looked for in the last session"

    def save(self, state: StateDir) -> None:
        """Write the findings to `.tunegate/`; a session without checks leaves the file as it is."""
        if self.judged_splits:
            content = {
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                "judged": sorted(self.judged_splits),
                "found": list(self.findings.values()),
                "without_id": self.without_id,
                "tests": sorted(self.tests),
                "digests": dict(self.digests),
            }
            text = json.dumps(content, indent=1, ensure_ascii=False)
            atomic_write(
                state.path(LAST_FINDINGS_FILE), text.encode("utf-8", "replace"), mode=0o600
            )


def read_last_findings(state: StateDir) -> LastFindings:
    """Return the findings of the last session; none where there was no session."""
    path = state.folder / LAST_FINDINGS_FILE
    if not path.is_file():
        return LastFindings()
    content = json.loads(path.read_text("utf-8"))
    findings = {finding["id"]: finding for finding in content["found"]}
    judged = {(check, split) for check, split in content["judged"]}
    tests, digests = content.get("tests", ()), content.get("digests", {})
    without_id = content.get("without_id", [])
    return LastFindings(findings, judged, content["when"], tests, digests, without_id)
