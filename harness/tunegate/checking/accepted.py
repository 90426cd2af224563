"""The accepted findings, `accepted.toml`, which users commit; and those of the last session."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..results.finding import Findings
from ..results.outcome import AcceptedEntry
from ..storage.state_dir import StateDir
from ..utils.files import atomic_write
from ..utils.masking import mask
from ..utils.text import did_you_mean, toml_error_text, toml_string
from ..utils.timestamps import timestamp

ENTRY_KEYS = [f.name for f in fields(AcceptedEntry)]
ACCEPTED_FILE, LAST_FINDINGS_FILE = "accepted.toml", "findings.json"
IN_FORCE, STALE = "in force", "stale: not found any more"
UNCHECKED = "not looked for in the last session"
FILE_HEADER = """\
# Findings of the data suite that somebody looked at and accepted, with `tunegate accept`.
# Each entry is for one finding in a row as it is now; without its entry the finding counts again.
"""


def read_accepted(root: Path, data: bytes = b"") -> dict[str, AcceptedEntry]:
    """Return the entries of the project, or of `data`, by id; ConfigError names file, line, key."""
    path = root / ACCEPTED_FILE
    if not data and not path.is_file():
        return {}
    try:
        text = (data or path.read_bytes()).decode("utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {toml_error_text(error)}") from None
    if unknown := [key for key in table if key != "accepted"]:
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}; entries begin with [[accepted]]")
    listed = table.get("accepted", [])
    if not isinstance(listed, list):
        raise ConfigError(f"{path}: entries begin with [[accepted]], in double brackets")
    entry_lines = [n for n, line in enumerate(text.split("\n"), 1) if re.match(r"\s*\[\[", line)]
    entries: dict[str, AcceptedEntry] = {}
    for i, values in enumerate(listed):
        has_lines = len(entry_lines) == len(listed)
        location = f"{path}, line {entry_lines[i]}" if has_lines else f"{path}, entry {i + 1}"
        if not isinstance(values, dict):
            raise ConfigError(f"{location}: an entry is a table that begins with [[accepted]]")
        if unknown := [key for key in values if key not in ENTRY_KEYS]:
            valid = f"{did_you_mean(unknown[0], ENTRY_KEYS)}; valid: {', '.join(ENTRY_KEYS)}"
            raise ConfigError(f"{location}: unknown key {unknown[0]!r}{valid}")
        for key, value in values.items():
            if not isinstance(value, str) or not value.strip():
                needed = "a text that is not blank is needed"
                raise ConfigError(f"{location}: {key} = {value!r}; {needed}")
        if lacking := [key for key in ENTRY_KEYS if key != "split" and key not in values]:
            advice = "`tunegate accept ID --why ...` writes it"
            raise ConfigError(f"{location}: no {lacking[0]!r}; {advice}")
        entry = AcceptedEntry(**values)
        if entry.id in entries:
            raise ConfigError(f"{location}: id {entry.id!r} stands here twice; keep one entry")
        entries[entry.id] = entry
    return entries


def append_entries(root: Path, entries: Sequence[AcceptedEntry]) -> None:
    """Append entries to the file, whose text stays as it is, comments included."""
    path = root / ACCEPTED_FILE
    lines = [(path.read_text("utf-8") if path.is_file() else FILE_HEADER).rstrip("\n")]
    for entry in entries:
        lines += ["", "[[accepted]]"]
        lines += [f"{k} = {toml_string(v)}" for k, v in asdict(entry).items() if v or k != "split"]
    atomic_write(path, ("\n".join(lines) + "\n").encode())


def remove_entries(root: Path, ids: Collection[str]) -> None:
    """Remove entries, and comments right above them; raises ConfigError for unusual tables."""
    path, before = root / ACCEPTED_FILE, read_accepted(root)
    lines = re.findall(".*\n|.+$", path.read_text("utf-8"))  # no other line ends, as in TOML
    starts = [n for n, line in enumerate(lines) if re.match(r"\s*\[\[", line)]
    is_comment = [line.lstrip().startswith("#") for line in lines]
    removed: set[int] = set()
    for id_, start, end in zip(before, starts, [*starts[1:], len(lines)], strict=False):
        if id_ not in ids:
            continue
        while end > start and (is_comment[end - 1] or lines[end - 1].isspace()):
            end -= 1  # blank lines and comments before the next entry
        while start and is_comment[start - 1] and lines[start - 1] not in FILE_HEADER:
            start -= 1
        blank = start > 0 and lines[start - 1].isspace()
        removed |= set(range(start - blank, end))
    text = "".join(line for n, line in enumerate(lines) if n not in removed)
    wanted = [entry for id_, entry in before.items() if id_ not in ids]
    try:
        rest = [AcceptedEntry(**values) for values in tomllib.loads(text).get("accepted", [])]
    except (tomllib.TOMLDecodeError, TypeError):
        rest = None
    if len(starts) != len(before) or rest != wanted:
        advice = "remove them by hand: " + ", ".join(ids)
        raise ConfigError(f"{path} has entries that are no plain [[accepted]] tables; {advice}")
    atomic_write(path, text.encode())


# The findings of the last session of the data suite.


def to_dicts(findings: Iterable[Findings]) -> list[dict[str, Any]]:
    """Return findings as builtins, which xdist can carry: one table for each check that ran."""
    tables = []
    for f in findings:
        rows = []
        for finding, accepted in [*((o, False) for o in f.items), *((o, True) for o in f.accepted)]:
            place = f"line {finding.line}" if finding.line is not None else ""
            where = ", ".join(filter(None, (f.split, place)))
            row = {"id": finding.id, "check": f.name, "named": f.named, "kind": finding.kind}
            row |= {"split": f.split, "where": where, "evidence": finding.evidence}
            rows.append({**row, "accepted": accepted})
        tables.append({"check": f.name, "split": f.split, "found": rows})
    return tables


@dataclass
class LastFindings:
    """The findings of a session by id, the splits it checked, its tests, digests of its data."""

    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged_splits: set[tuple[str, str]] = field(default_factory=set)  # (check, split)
    when: str = ""
    tests: Collection[str] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    without_id: list[dict[str, Any]] = field(default_factory=list)  # they cannot be accepted

    @property
    def every(self) -> list[dict[str, Any]]:
        """All findings, those that cannot be accepted last."""
        return [*self.findings.values(), *self.without_id]

    def add(self, tables: Sequence[dict[str, Any]]) -> None:
        """Add the tables that a test reported (see `to_dicts`)."""
        for table in tables:
            self.judged_splits.add((table["check"], table["split"]))
            for finding in table["found"]:
                if not (id_ := finding["id"]):
                    self.without_id.append(finding)
                    continue
                if other := self.findings.get(id_):  # that of another split
                    splits = {*other.get("split", "").split(", "), finding["split"]} - {""}
                    accepted = finding["accepted"] and other["accepted"]
                    finding = {**finding, "split": ", ".join(sorted(splits)), "accepted": accepted}
                self.findings[id_] = finding

    def to_receipt(self, entries: Mapping[str, AcceptedEntry]) -> list[dict[str, str]]:
        """Return the accepted findings for the receipt: where each stands now, and why."""
        return [
            {**{k: found[k] for k in ("id", "check", "kind", "where", "evidence")},
             "why": mask(entries[i].why), "who": entries[i].who, "when": entries[i].when}
            for i, found in self.findings.items() if found["accepted"]
        ]  # fmt: skip

    def status(self, entry: AcceptedEntry) -> str:
        """Return how an entry stands: its finding was found, was not, or was not looked for."""
        found_in = self.findings.get(entry.id, {}).get("split")
        if found_in is not None and any(map(entry.holds_in, found_in.split(", "))):
            return IN_FORCE
        split = entry.where.partition(",")[0]
        if (entry.check, split) in self.judged_splits or (entry.check, "") in self.judged_splits:
            return STALE
        return UNCHECKED

    def save(self, state: StateDir) -> None:
        """Write the findings to `.tunegate/`; a session without checks leaves the file as it is."""
        if self.judged_splits:
            seen = {"found": list(self.findings.values()), "without_id": self.without_id}
            about = {"when": timestamp("seconds"), "judged": sorted(self.judged_splits)}
            content = about | seen | {"tests": sorted(self.tests), "digests": dict(self.digests)}
            data = json.dumps(content, indent=1, ensure_ascii=False).encode("utf-8", "replace")
            atomic_write(state.path(LAST_FINDINGS_FILE), data, mode=0o600)


def none_of(said: str, name: str, counts: Counter[str], those: str = "there are") -> ConfigError:
    """Return the error for a name that no finding has: the nearest one, and how often all are."""
    near = did_you_mean(name, [*counts]) or ";"
    available = ", ".join(f"{key} ({n:,})" for key, n in counts.most_common()) or "nothing"
    return ConfigError(f"{said} {name!r}{near} {those}: {available}")


def read_last_findings(state: StateDir) -> LastFindings:
    """Return the findings of the last session; none where there was no session."""
    path = state.folder / LAST_FINDINGS_FILE
    if not path.is_file():
        return LastFindings()
    try:
        content = json.loads(path.read_text("utf-8"))
        found, without_id = content["found"], content.get("without_id", [])
        for f in (*found, *without_id):  # before 2026-11-29 the split stood in `where` alone
            f.setdefault("split", re.sub(r"(, )?line \d+$", "", f["where"]))
        findings = {f["id"]: f for f in found}
        judged = {(check, split) for check, split in content["judged"]}
        tests, digests = content.get("tests", ()), content.get("digests", {})
        return LastFindings(findings, judged, content["when"], tests, digests, without_id)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ConfigError(f"{path} is damaged: pytest suites/data writes it anew") from None
