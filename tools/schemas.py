"""Writes docs/schemas/NAME.v1.json: JSON schemas of the files and outputs that scripts read.

    python tools/schemas.py           # names what would change; exit status 1 where something would
    python tools/schemas.py --write   # writes them; a test holds real files and outputs to them

Where the code has a type (`Limits`), it is that type; the rest is written down here as the code
makes it. A schema allows keys that it does not name, since later versions add some; the tests
allow none.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from tunegate.config.schema import Limits

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "schemas"
VERSION = 1
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ADDRESS = "urn:tunegate:schema"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="A sha256, in hex.")]
MaybeDigest = Annotated[str, Field(pattern="^([0-9a-f]{64})?$", description="A sha256, or empty.")]
RFC_3339 = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"
Time = Annotated[
    str, Field(pattern=RFC_3339, json_schema_extra={"format": "date-time"}, description="RFC 3339.")
]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Line = Annotated[int, Field(ge=1, description="Line of the file, from 1.")]
Bytes = Annotated[int, Field(ge=0, description="In bytes.")]
Split = Literal["train", "validation", "test"]
Held = Annotated[
    bool | None, Field(description="Whether it held; null where it could not be measured.")
]
Digests = Annotated[
    dict[str, str], Field(description="The sha256 of each file, by its path below the root.")
]


# What tests found: in scorecards and receipts.


class Outcome(TypedDict):
    """What one check found, or how one score compared with its limit."""

    test: NotRequired[Annotated[str, Field(description="The node id of the test.")]]
    name: str
    split: str
    held: Held
    line: Annotated[str, Field(description="The outcome in one line, for people.")]


class ScoreOutcome(Outcome):
    """A score, or a comparison of two models, beside its limit."""

    value: float | None
    low: Annotated[float | None, Field(description="Lower end of the 95 % interval.")]
    high: Annotated[float | None, Field(description="Upper end of the 95 % interval.")]
    n: Count
    hits: Annotated[int | None, Field(description="Of a share: the numerator.")]
    errors: Annotated[Count, Field(description="Answers that could not be had.")]
    signature: str
    sign: Literal[">=", ">", "<=", "<"]
    limit: float | None
    right: NotRequired[Annotated[float | None, Field(description="Were no answer missing.")]]
    lower: NotRequired[Annotated[float | None, Field(description="One-sided 95 % lower bound.")]]
    mode: NotRequired[Literal["point", "lower", "upper"]]
    detail: NotRequired[str]
    hints: NotRequired[list[str]]
    idle: NotRequired[Annotated[list[str], Field(description="Why nothing was judged.")]]
    p: NotRequired[Annotated[float | None, Field(description="Of a comparison.")]]
    alpha: NotRequired[float]


class CheckOutcome(Outcome):
    """The outcome of a data check."""

    found: Count
    n: Annotated[Count, Field(description="Rows that were checked.")]
    accepted: Annotated[list[str], Field(description="Ids of accepted findings.")]
    hints: list[str]
    idle: Annotated[list[str], Field(description="Why nothing was judged.")]
    advisory: NotRequired[bool]
    test_passed: NotRequired[bool]
    fixture: NotRequired[str]


class TableOutcome(Outcome):
    """A table that a test recorded; its first row is the head."""

    table: list[list[str]]


AnyOutcome = ScoreOutcome | CheckOutcome | TableOutcome | Outcome


class Answered(TypedDict):
    """How many answers of one model were right."""

    model: str
    test: Digest
    n: Count
    right: Count
    errors: Count
    answers: NotRequired[Annotated[Digest, Field(description="Of all its answers.")]]


class TestSet(TypedDict):
    digest: Digest | None
    n: Count


class Part(TypedDict):
    """Which of the test rows were asked."""

    rows: Count
    of: Count
    seed: NotRequired[int]
    looks: NotRequired[int]
    why: NotRequired[list[str]]


class Repeat(TypedDict):
    times: Count
    temperature: float | None


class SuiteVersion(TypedDict, total=False):
    tunegate: str
    digest: str


class Suite(TypedDict):
    path: str
    files: Digests
    version: NotRequired[SuiteVersion]


class Environment(TypedDict):
    """Where the session ran, private values masked."""

    command: list[str]
    variables: dict[str, str]
    platform: str
    modules: Digests
    plugins: Any


class Scorecard(TypedDict):
    """The file `.tunegate/runs/RUN/scorecards/*.json`: what one session of the model suite found.

    Of a model without a run it stands in `.tunegate/evaluations/ID/scorecards/`.
    """

    candidate: Annotated[str, Field(description="The model that was judged.")]
    run: Annotated[str | None, Field(description="The run that made it; null for none.")]
    trained: NotRequired[Annotated[str, Field(description="Who says that it was trained so.")]]
    model_digest: str
    test: TestSet
    gate: Annotated[str, Field(description='"open", or why it is closed.')]
    stopped: NotRequired[Part]
    limit: NotRequired[Part]
    repeat: NotRequired[Repeat]
    suite: Suite
    inventory: Annotated[list[str], Field(description="The tests of the suite.")]
    removed: Annotated[list[str], Field(description="Tests that a conftest left out.")]
    unjudged: NotRequired[list[str]]
    scores: Annotated[list[AnyOutcome], Field(description="Of the tests that passed.")]
    missed: Annotated[list[AnyOutcome], Field(description="Of the tests that failed.")]
    troubles: NotRequired[
        Annotated[dict[str, str], Field(description="Why a test did not pass, by its node id.")]
    ]
    predictions: Answered | None
    baseline: Answered | None
    incumbent: Answered | None
    tables: NotRequired[list[TableOutcome]]
    limits: Limits
    versions: dict[str, str]
    environment: NotRequired[Environment]
    made: Time


class DataFile(TypedDict):
    path: str
    digest: Digest
    n: NotRequired[Count]


class AcceptedInReceipt(TypedDict):
    id: str
    check: str
    kind: str
    where: str
    evidence: str
    why: str
    who: str
    when: NotRequired[str]


class Receipt(TypedDict):
    """The file `.tunegate/runs/RUN/receipt.json`: which bytes passed which tests."""

    run: str
    made: Time
    data: Annotated[dict[str, DataFile], Field(description="By split.")]
    suite: Suite
    tests: Annotated[dict[str, list[AnyOutcome]], Field(description="Outcomes, by node id.")]
    unjudged: NotRequired[list[str]]
    removed: list[str]
    accepted: list[AcceptedInReceipt]
    limits: Limits
    config: Annotated[dict[str, Any], Field(description="The settings of the training.")]
    versions: dict[str, str]
    environment: NotRequired[Environment]
    intent: NotRequired[Annotated[Digest, Field(description="Of what was to be trained.")]]
    verdict: NotRequired[Annotated[Digest, Field(description="Same suite, same data: the same.")]]
    seal: str


class RegistryLine(TypedDict):
    """One line of `registry.jsonl`."""

    action: Literal["promote", "rollback", "keep", "merge"]
    alias: str
    who: str
    when: Time
    why: str
    previous: Annotated[MaybeDigest, Field(description="The sha256 of the line before.")]
    merges: NotRequired[Annotated[list[Digest], Field(description="The other branches' ends.")]]
    run: NotRequired[str]
    model: NotRequired[str]
    model_digest: NotRequired[str]
    trained: NotRequired[str]
    receipt: NotRequired[Digest]
    scorecard: NotRequired[Digest]
    test: NotRequired[Digest]
    test_n: NotRequired[Count]
    test_judged: NotRequired[Annotated[Count, Field(description="Models it has judged.")]]
    test_receipt: NotRequired[Digest]
    test_left_out: NotRequired[Count]
    lowered: NotRequired[
        Annotated[dict[str, list[Any]], Field(description="Weaker limits: before, and now.")]
    ]
    kept: NotRequired[Digest]
    signed_by: NotRequired[str]
    seal: NotRequired[str]


# `from` is a word of Python.
RegistryLineWithFrom = TypedDict("RegistryLineWithFrom", {"from": NotRequired[str | None]})


class RegistryFileLine(RegistryLine, RegistryLineWithFrom):
    """One line of `registry.jsonl`."""


# What commands print with --json.


class FindingLine(TypedDict):
    """`tunegate data findings --json`, each line."""

    id: Annotated[str, Field(description="To accept it by; empty where it cannot be.")]
    check: str
    kind: str
    split: Annotated[str, Field(description="Several stand with commas.")]
    where: str
    evidence: Annotated[str, Field(description="Private values masked.")]
    accepted: bool


class DoctorFact(TypedDict):
    about: Annotated[str, Field(description="tunegate, an extra, project, set, data, disk, ...")]
    problem: Annotated[bool, Field(description="It must be put right.")]
    text: Annotated[str, Field(description="A sentence for people.")]
    version: NotRequired[str]
    packages: NotRequired[Annotated[dict[str, str], Field(description="Versions, by name.")]]
    missing: NotRequired[list[str]]
    path: NotRequired[str | None]
    task: NotRequired[str]
    split: NotRequired[Split]
    bytes: NotRequired[Bytes]
    run: NotRequired[str | None]
    made: NotRequired[Time]
    alias: NotRequired[str]
    when: NotRequired[Time]
    processors: NotRequired[Count]
    free_bytes: NotRequired[Bytes]
    total_bytes: NotRequired[Bytes]


class Doctor(TypedDict):
    """`tunegate doctor --json`."""

    ok: Annotated[bool, Field(description="No fact is a problem.")]
    facts: list[DoctorFact]


class SplitSize(TypedDict):
    split: Split
    rows: Count
    share: Share


class LabelCounts(TypedDict):
    label: str
    train: Count
    validation: Count
    test: Count


class SplitMade(TypedDict):
    """`tunegate split --json`."""

    folder: Annotated[str, Field(description="It holds SPLIT.jsonl of each split.")]
    splits: list[SplitSize]
    groups: Annotated[Count, Field(description="Groups of similar rows kept together.")]
    largest_group: Annotated[Count, Field(description="Rows of the largest group; 1 for none.")]
    labels: Annotated[list[LabelCounts], Field(description="Empty where rows have no labels.")]


class FixStep(TypedDict):
    step: str
    rows: Annotated[Count, Field(description="Rows that it changed or left out.")]
    kinds: Annotated[dict[str, int], Field(description="How often each kind of change was made.")]


class RowSetAside(TypedDict):
    line: Line
    reason: str


class Unresolved(TypedDict):
    what: str
    lines: Annotated[list[Line], Field(description="Of the result; empty: the whole file.")]


class FixedFile(TypedDict):
    path: Annotated[str, Field(description="Absolute where the configuration names the file.")]
    split: Split | None
    data: Annotated[str, Field(description="The result.")]
    diff: Annotated[str, Field(description="CSV: each change with its reason.")]
    rows_in: Count
    rows_out: Count
    steps: list[FixStep]
    set_aside: list[RowSetAside]
    notes: Annotated[list[str], Field(description="Changes to the whole file.")]
    checked: Annotated[dict[str, int], Field(description="What checks still find, by check.")]
    unresolved: Annotated[list[Unresolved], Field(description="Left for a person.")]
    still_found: list[str]


class Fixed(TypedDict):
    """`tunegate fix --json`."""

    files: list[FixedFile]


class AcceptedItem(TypedDict):
    status: Literal[
        "accepted", "accepted before", "dropped", "in force", "stale",
        "not looked for in the last session",
    ]  # fmt: skip
    id: str
    check: str
    kind: str
    where: str
    evidence: str
    why: str
    who: str
    when: Annotated[str, Field(description="The day, YYYY-MM-DD.")]
    split: Annotated[str, Field(description="Splits that it holds in; empty: all.")]


class Accepted(TypedDict):
    """`tunegate accept --json`."""

    action: Literal["accept", "prune", "list"]
    entries: list[AcceptedItem]


class FailureCluster(TypedDict):
    """Wrong answers to questions that have words in common."""

    words: Annotated[list[str], Field(description="Those that tell them from the other rows.")]
    wrong: Count
    n: Annotated[int, Field(ge=0, description="Rows of the test set that are most like these.")]
    lines: Annotated[list[Line], Field(description="Of the wrong ones, the most typical first.")]


class Failures(TypedDict):
    """`tunegate failures --json`."""

    path: Annotated[str, Field(description="The dataset that was written.")]
    wrong: Count
    n: Count
    times: Annotated[int, Field(ge=1, description="How often each row was asked.")]
    clusters: list[FailureCluster]


class NextData(TypedDict):
    """`tunegate data next --json`: a sheet that was drawn, or what became of the rows of sheets."""

    paths: Annotated[list[str], Field(description="The files that were written.")]
    rows: Annotated[dict[str, int], Field(description="By reason, or by split.")]
    left_out: Annotated[dict[str, int], Field(description="By reason.")]


class FaultVerdict(TypedDict):
    kind: str
    severity: Literal["high", "medium"]
    result: Literal["caught", "MISSED", "not run", "not applicable"]
    planted: list[str]
    not_found: list[str]
    caught_by: Annotated[list[str], Field(description="Node ids of tests.")]
    found_by: Annotated[str, Field(description="What would catch it.")]


class Mutated(TypedDict):
    """`tunegate mutate --json`."""

    fails_already: list[str]
    verdicts: list[FaultVerdict]


class DiffRow(TypedDict):
    kind: Literal["added", "removed", "changed"]
    line: Annotated[Line, Field(description="Of the file as it is; removed: as it was.")]
    text: Annotated[str, Field(description="Masked, and cut to a line.")]


class SplitDiff(TypedDict):
    split: Split
    added: Count
    removed: Count
    changed: Count
    same: Count
    rows: list[DiffRow]


class Diff(TypedDict):
    """`tunegate data diff --json`."""

    revision: str
    other: Annotated[str | None, Field(description="Null: the files as they are.")]
    splits: list[SplitDiff]


class Planned(TypedDict):
    """`tunegate data plan --json`."""

    rows: Annotated[Count, Field(description="Test rows that the claim takes.")]
    claim: str
    mode: Literal["point", "lower"]
    paired: bool
    limit: float
    accuracy: float
    power: Share
    margin: float
    difference: float
    changed: Share
    classes: Annotated[Count, Field(description="Each takes `rows`; 0: no claims by class.")]
    label_cost: Annotated[float, Field(description="USD, of one row.")]
    ask_cost: Annotated[float, Field(description="USD, of one row, of one model.")]
    label_usd: Annotated[float, Field(description="USD, of all rows.")]
    ask_usd: float


class Token(TypedDict):
    text: str
    trained: bool
    special: Annotated[bool, Field(description="It is a control token.")]


class TokenView(TypedDict):
    tokens: Annotated[list[Token], Field(description="After `on_overflow`.")]
    length: Annotated[Count, Field(description="Tokens before `on_overflow`.")]
    limit: Count
    refused: Annotated[
        str, Field(description="Why the trainer refuses the row; empty: it does not.")
    ]
    excess: Annotated[int, Field(description="`length` less `limit`; of a pair, of the longer.")]


class Tokens(TypedDict):
    """`tunegate data tokens --json`."""

    line: Line
    row: Annotated[Count, Field(description="From 0.")]
    messages: Count
    views: Annotated[
        list[TokenView], Field(description="One; of a pair the preferred reply, then the other.")
    ]


class Memory(TypedDict):
    weights: Bytes
    trained: Bytes
    activations: Bytes
    total: Bytes


class Training(TypedDict):
    settings: Annotated[dict[str, Any], Field(description="Of `[train.qlora]`, with defaults.")]
    world_size: Annotated[Count, Field(description="Processes on all machines.")]
    trained_parameters: Count
    rows: Count
    tokens: Annotated[Count, Field(description="Of an epoch.")]
    rows_per_step: Count
    steps_per_epoch: Count
    memory_bytes: Annotated[Memory, Field(description="Of each GPU, estimated.")]


class Preflight(TypedDict):
    """`tunegate run preflight --json`."""

    training: Annotated[Training | None, Field(description="Null where no row can be read.")]
    problems: Annotated[list[str], Field(description="Why it cannot be trained.")]


class Job(TypedDict):
    """`tunegate run job --json`."""

    run: str
    job: str | None
    status: Annotated[str | None, Field(description="As the provider says it.")]
    model: Annotated[str | None, Field(description="The model that it made.")]


class ExportedToMLflow(TypedDict):
    """`tunegate run export mlflow --json`."""

    run: str
    uri: Annotated[str, Field(description="The server.")]
    mlflow_run: Annotated[str, Field(description="The id of the run there.")]
    models: Annotated[list[str], Field(description="New versions, and the aliases, in words.")]


class Judged(TypedDict):
    made: Time
    model: str
    gate: str
    path: Annotated[str, Field(description="The scorecard, below the root.")]


class HistoryEntry(RegistryFileLine):
    line: Line
    digest: Annotated[Digest, Field(description="The sha256 of the line.")]


class Fault(TypedDict):
    line: Annotated[int | None, Field(description="Null: the file cannot be read as a whole.")]
    fault: str


class History(TypedDict):
    """`tunegate registry history --json`."""

    entries: list[HistoryEntry]
    undecided: Annotated[list[str], Field(description="Aliases that two branches moved.")]
    fault: Annotated[Fault | None, Field(description="What is wrong with the last entry.")]
    judged: Annotated[list[Judged], Field(description="Of a model without a run.")]


class LineageRecord(TypedDict):
    record: Literal[
        "promotion", "scorecard", "model", "trained", "receipt", "train", "validation", "test"
    ]
    what: str
    sha256: str
    path: Annotated[str | None, Field(description="Of a record in `.tunegate`, below the root.")]


class Lineage(TypedDict):
    """`tunegate registry lineage --json`."""

    alias: str
    run: str
    model: str
    compared: Annotated[bool, Field(description="The run is on this machine.")]
    records: list[LineageRecord]
    faults: list[str]


class Verified(TypedDict):
    """`tunegate registry verify --json`."""

    entries: Count
    wrong: Count
    compared: Annotated[Count, Field(description="Entries whose run is on this machine.")]
    faults: list[Fault]


class WrongRow(TypedDict):
    line: Line
    note: str


class ReviewOfSplit(TypedDict):
    split: Split
    rows: Annotated[Count, Field(description="Rows that samples are drawn from.")]
    reviewed: Count
    share: Share
    wrong: Count
    errors: Annotated[Share | None, Field(description="The share of reviewed rows that is wrong.")]
    low: Annotated[Share | None, Field(description="Lower end of its 95 % interval.")]
    high: Share | None
    reviewers: list[str]
    wrong_rows: list[WrongRow]
    faults: Annotated[list[str], Field(description="Sheets that do not count.")]
    pending: list[str]
    other_sheets: list[str]


class Reviews(TypedDict):
    """`tunegate review status --json`."""

    splits: list[ReviewOfSplit]


class Agreement(TypedDict):
    value: float | None
    low: float | None
    high: float | None
    n: Count
    errors: Count


class ServedComparison(TypedDict):
    claim: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: Count
    errors: Count
    hits: None
    alpha: float
    sign: str
    limit: float
    signature: str


class ServeCheck(TypedDict):
    """`tunegate run serve-check --json`."""

    made: Time
    model: str
    model_digest: str
    trained: str
    trained_digest: str
    test: Digest
    agreement: Agreement
    comparison: ServedComparison
    verdict: Literal["open", "closed", "unmeasurable"]
    reasons: list[str]
    differences: Annotated[list[str], Field(description="The first answers that differ.")]


class Packed(TypedDict):
    """`tunegate run pack --json`."""

    run: str
    store: str
    files: Annotated[Count, Field(description="Of the run, its snapshots and baselines.")]
    copied: Annotated[Count, Field(description="The others were in the store.")]


class TrainedOn(TypedDict):
    run: str
    aliases: Annotated[list[str], Field(description="That stand on it now.")]


class Purged(TypedDict):
    """`tunegate run purge --json`."""

    removed: Annotated[bool, Field(description="False with --dry-run.")]
    snapshots: list[Digest]
    answers: Count
    left: Annotated[list[str], Field(description="Data files that hold a value of --person.")]
    trained: Annotated[list[TrainedOn], Field(description="Runs that learnt from it.")]


class Unpacked(TypedDict):
    """`tunegate run unpack --json`."""

    run: str
    copied: Annotated[Count, Field(description="Files that this machine lacked.")]


class DiagnosedCause(TypedDict):
    name: str
    likely: Annotated[bool | None, Field(description="null where it is not known.")]
    evidence: str
    advice: str


class ReadRow(TypedDict):
    """An answer beside its nearest training row."""

    stratum: Literal["", "wrong", "near wrong", "right"]
    line: Line
    system: str
    prompt: str
    expected: str
    got: str
    train_line: Line | None
    train_prompt: str | None
    train_reply: str | None
    similarity: Share | None
    note: str


class Diagnosed(TypedDict):
    """`tunegate run diagnose --json`."""

    run: str
    test: Digest
    digest: Annotated[Digest, Field(description="Of the model, as the run records it.")]
    others: Annotated[list[str], Field(description="Of scorecards of the run: other models.")]
    n: Count
    right: Count
    low: Annotated[float | None, Field(description="Lower end of the 95 % interval.")]
    high: Annotated[float | None, Field(description="Upper end of the 95 % interval.")]
    likely: Annotated[str | None, Field(description="The likely cause; null for none.")]
    causes: Annotated[list[DiagnosedCause], Field(description="The likely ones first.")]
    wrong: Count
    near: Annotated[Count, Field(description="Wrong answers near a training row.")]
    contradicted: Annotated[Count, Field(description="Of these, that have another label there.")]
    examples: Annotated[list[ReadRow], Field(description="The first of them.")]
    sheet: Annotated[str | None, Field(description="The file of -o.")]


class Snapshot(TypedDict):
    """`tunegate data show --json`."""

    digest: Digest
    splits: list[Split]
    path: Annotated[str, Field(description="The file, as the first receipt names it, or empty.")]
    rows: Count | None
    bytes: Annotated[Count | None, Field(description="Null: it was purged.")]
    made: Annotated[str, Field(description="When the first receipt was made, or empty.")]
    place: Annotated[Literal["here", "store", ""], Field(description="Empty: it was purged.")]
    accepted: Annotated[Count, Field(description="Accepted findings that a receipt lists.")]
    runs: list[str]
    aliases: Annotated[list[str], Field(description="That stand on one of these runs.")]


class Snapshots(TypedDict):
    """`tunegate data list --json`."""

    snapshots: list[Snapshot]


class Restored(TypedDict):
    """`tunegate data restore --json`."""

    digest: Digest
    path: str


DOCUMENTS: dict[str, Any] = {
    "scorecard": Scorecard, "receipt": Receipt, "registry-line": RegistryFileLine,
    "accept": Accepted, "data-diff": Diff, "data-finding": FindingLine, "data-list": Snapshots,
    "data-next": NextData, "data-plan": Planned, "data-restore": Restored, "data-show": Snapshot,
    "data-tokens": Tokens, "doctor": Doctor, "failures": Failures, "fix": Fixed,
    "mutate": Mutated, "registry-history": History, "registry-lineage": Lineage,
    "registry-verify": Verified, "review-status": Reviews, "run-diagnose": Diagnosed,
    "run-export-mlflow": ExportedToMLflow, "run-job": Job, "run-pack": Packed,
    "run-preflight": Preflight, "run-purge": Purged, "run-serve-check": ServeCheck,
    "run-unpack": Unpacked, "split": SplitMade,
}  # fmt: skip


def file_name(name: str) -> str:
    """Return the name of a document's schema file."""
    return f"{name}.v{VERSION}.json"


def schema_of(name: str, *, strict: bool = False) -> dict[str, Any]:
    """Return the schema of a document; as `strict`, no key is allowed that it does not name."""
    made = TypeAdapter(DOCUMENTS[name]).json_schema(mode="serialization")
    about = {"$schema": DIALECT, "$id": f"{ADDRESS}:{name}:v{VERSION}"}
    return {**about, **_closed(_without_titles(made), strict)}


def _without_titles(value: Any) -> Any:
    """Return a schema without the titles that pydantic makes of the keys' names."""
    if isinstance(value, dict):
        kept = value.items() if "properties" not in value else list(value.items())
        return {
            k: {n: _without_titles(v) for n, v in of.items()} if k in ("properties", "$defs")
            else _without_titles(of)
            for k, of in kept
            if k != "title" or not isinstance(of, str)
        }  # fmt: skip
    return [_without_titles(item) for item in value] if isinstance(value, list) else value


def _closed(value: Any, strict: bool) -> Any:
    """Return a schema whose objects allow other keys than they name, or none as `strict`."""
    if isinstance(value, list):
        return [_closed(item, strict) for item in value]
    if not isinstance(value, dict):
        return value
    closed = {key: _closed(item, strict) for key, item in value.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.pop("additionalProperties", None)
        if strict:
            closed["additionalProperties"] = False
    return closed


def text_of(name: str) -> str:
    """Return the schema file of a document."""
    return json.dumps(schema_of(name), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the files that differ, or name them and return 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    FOLDER.mkdir(exist_ok=True)
    differing = 0
    for name in DOCUMENTS:
        path, text = FOLDER / file_name(name), text_of(name)
        if not path.is_file() or path.read_text("utf-8") != text:
            differing += 1
            print(f"{'wrote' if write else 'differs'} {path.relative_to(ROOT)}")
            if write:
                path.write_text(text, "utf-8")
    return int(differing > 0 and not write)


if __name__ == "__main__":
    raise SystemExit(main())
