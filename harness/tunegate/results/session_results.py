"""The result of every test of a session, from pytest's reports; and the parts of its scorecard."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..utils.files import sha256_ascii_json, sha256_json
from ..utils.masking import hide_values, mask
from .finding import Findings
from .labels import LabelRule
from .outcome import Outcome
from .prediction import Predictions
from .score import Score

if TYPE_CHECKING:
    import pytest

REPORT_PROPERTY = "tunegate"
FAILURES = {"call": "failed", "setup": "error in setup", "teardown": "error in teardown"}
SHOWN_KEYS = {"line", "hints", "idle", "detail"}  # of an outcome: sentences for people
TO_JUDGE = "write `assert not find(...)`, hold its .rate to a limit, or call it with advisory=True"


@dataclass
class SessionResults:
    """What the reports of a session say of its tests, by node id."""

    # The outcomes recorded in tests whose call passed, and failed.
    passed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    not_passed: dict[str, str] = field(default_factory=dict)  # why: "failed", "skipped", ...
    digests: set[tuple[str, str]] = field(default_factory=set)  # of each split that they read
    unmeasurable: set[str] = field(default_factory=set)  # failed for a score without a measure
    returned: set[str] = field(default_factory=set)  # their functions ran to the end
    idle: set[str] = field(default_factory=set)  # what they asked for the project does not have
    raised: dict[str, str] = field(default_factory=dict)  # the type of exception, in any attempt
    # The digests of what was put into their last reports, and of what stood there on arrival.
    made: dict[str, dict[str, str]] = field(default_factory=dict)
    received: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, report: "pytest.TestReport") -> None:
        """Count one report. Only a passed call passes a test, since --setup-plan passes setups."""
        properties: list[tuple[str, Any]] = report.user_properties
        notes = [v for key, v in properties if key == REPORT_PROPERTY]
        # The report of the teardown holds the note of the call, too, for JUnit.
        notes = [note for note in notes if note.get("when", report.when) == report.when]
        for note in notes:
            self.received.setdefault(report.nodeid, {})[str(report.when)] = sha256_ascii_json(note)
        outcomes = [outcome for note in notes for outcome in note.get("judgements", [])]
        failure = "" if report.passed else str(report.outcome)
        if hasattr(report, "wasxfail"):
            failure = "xfailed" if report.skipped else "xpassed"
        elif report.failed:
            # For a worker that crashed, xdist makes a report with another `when`.
            failure = FAILURES.get(str(report.when), "crashed")
        if failure:
            self.not_passed.setdefault(report.nodeid, failure)
            if report.when == "call":
                self.failed[report.nodeid] = outcomes
            if any(note.get("unmeasurable") for note in notes):
                self.unmeasurable.add(report.nodeid)
        elif report.when == "teardown":  # what a fixture's end found
            self.passed.get(report.nodeid, []).extend(outcomes)
        # The report of a subtest has a context; that it passed says nothing of its test.
        elif report.when == "call" and not hasattr(report, "context"):
            self.passed[report.nodeid] = outcomes
            self.digests |= {tuple(d) for note in notes for d in note.get("digests", [])}
            if any(note.get("idle") for note in notes):
                self.idle.add(report.nodeid)

    def ignored_findings(self) -> str:
        """Name the first passed test, or "", with findings whose rate no test holds to a limit."""
        held, ignored = set(), []
        for nodeid, outcomes in self.passed.items():
            for outcome in outcomes:
                if outcome.get("found"):
                    fixture = outcome.get("fixture", "")
                    made = (fixture, outcome["name"], outcome["split"], outcome["line"])
                    if not outcome["held"]:
                        ignored.append((nodeid, made))
                    elif fixture:
                        held.add(made)
        closing = [f"{nodeid} passed in spite of {made[-1]}" for nodeid, made in ignored
                   if made not in held]  # fmt: skip
        more = f" (and {len(closing) - 1:,} more like this)" if len(closing) > 1 else ""
        return f"{closing[0]}{more}; {TO_JUDGE}" if closing else ""

    def false_reports(self) -> Iterator[str]:
        """Say of each passed test whose reports are not what happened, what did."""
        for nodeid in self.passed:
            if error := self.raised.get(nodeid):
                yield f"{nodeid} raised {error}; a plugin ran it again, or reported it as passed"
            elif nodeid not in self.returned:
                yield f"{nodeid} did not run; a plugin reported it as passed"
            elif self.made.get(nodeid) != self.received.get(nodeid):
                yield f"{nodeid}: a plugin changed what its report says"

    def tables(self) -> list[dict[str, Any]]:
        """Return the tables that tests recorded, of failed tests too: `name` and `table` (rows)."""
        tests = {**self.passed, **self.failed}
        return [o for outcomes in tests.values() for o in outcomes if "table" in o]

    def unjudged(self) -> list[str]:
        """Return passed tests without a check or a limit; those with nothing to judge aside."""
        return [n for n, outcomes in self.passed.items() if not outcomes and n not in self.idle]


def outcome_dicts(outcomes: Sequence[Outcome], passed: bool) -> list[dict[str, Any]]:
    """Return the outcomes of a test as builtins, for its report.

    Those of a check also tell whether the test passed. They are held where nothing was found, where
    the check is advisory, and where the test held the rate of the findings, or a score that counts
    them as its misses, to a limit; a limit of None is none. Texts are masked: the outcomes of a
    score quote answers and the errors of servers.
    """
    judged = set()
    for outcome in outcomes:
        score = outcome.subject
        if isinstance(score, Score) and score.misses is not None:
            sign, limit = outcome.data.get("sign", ""), outcome.data.get("limit")
            # `assert not findings.rate > 0.01` holds the rate too; `assert findings.rate > 0.01`,
            # and a comparison that fails where nothing is asserted, do not.
            is_rate = score.name == score.misses.rate.name
            holds = outcome.passed is (sign[:1] == "<") if is_rate else outcome.passed
            if holds and limit is not None:
                judged.add(id(score.misses))
    dicts = []
    for outcome in outcomes:
        values = outcome.to_dict()
        if isinstance(outcome.subject, Findings) and "found" in values:
            held = outcome.passed or id(outcome.subject) in judged
            values |= {"held": held, "test_passed": passed}
            values |= {"fixture": outcome.fixture} if outcome.fixture else {}
        dicts.append(values | hide_values({k: values[k] for k in SHOWN_KEYS & values.keys()}))
    return dicts


def judged_outcomes(results: SessionResults) -> dict[str, list[dict[str, Any]]]:
    """Return `scores` of passed tests, and all scores and failures of failed ones as `missed`."""
    passed, failed = (
        [{"test": nodeid, **o} for nodeid, outcomes in tests.items() for o in outcomes]
        for tests in (results.passed, results.failed)
    )
    missed = [o for o in failed if "value" in o or not o["held"]]
    return {"scores": [o for o in passed if "value" in o], "missed": missed}


def predictions_summary(predictions: Predictions, rule: LabelRule) -> dict[str, Any]:
    """Return how many answers of a model were right by a label rule, as builtins."""
    counts = {"n": len(predictions), "right": sum(map(rule.right, predictions))}
    about = {"model": mask(predictions.model), "test": predictions.test}
    return {**about, **counts, "errors": len(predictions.errors)}


def asked_in_words(card: Mapping[str, Any]) -> str:
    """Say which test rows a scorecard is about, and how often they were asked; "" for all, once."""
    words = [card["traffic"]] if "traffic" in card else []
    if limit := card.get("limit"):
        rows = f"{limit['rows']:,} of {limit['of']:,} test rows"
        words.append(f"{rows}, drawn at random (--limit): never promotable")
    if stop := card.get("stopped"):
        rows = f"{stop['rows']:,} of {stop['of']:,} test rows, {stop['of'] - stop['rows']:,} not"
        order = f"stopped early, order {stop['seed']}, look {stop['looks']}"
        words += [f"{rows} asked ({order}): never promotable", *stop["why"]]
    if repeat := card.get("repeat"):
        at = repeat["temperature"]
        temperature = "its own temperature" if at is None else f"temperature {at}"
        noise = ", which only shows the server's noise" if at == 0 else ""
        words.append(f"each row asked {repeat['times']} times at {temperature}{noise}")
    return "; ".join(words)


def scorecard_digest(card: Mapping[str, Any]) -> str:
    """Return the digest of a scorecard without the time when it was made."""
    return sha256_json({k: v for k, v in card.items() if k != "made"})
