"""The test sets of a run: those that a data gate saw, and the gate that lets in another one.

`pytest suites/data --for RUN` runs the data suite on the rows that a run was trained on and on the
test set of the session; where it passes, its receipt is written beside that of the training.
"""

import json
from collections.abc import Mapping
from typing import Any

from ..config.data_files import read_split
from ..data.comparison import question_key
from ..data.dataset import Dataset
from ..errors import ConfigError
from ..session.context import SessionContext
from ..storage.state_dir import Run, SealBroken, StateDir, find_finished
from ..utils.text import counted
from .decision import Gate


class UnseenTestSet(Exception):
    """No data gate of the run saw this test set; the message says which it saw, and what to do."""


def take_rows_of_run(state: StateDir, name: str, given_files: dict[str, str | None]) -> Run:
    """Return the run of `--for`, and put its rows into `given_files`; raises ConfigError."""
    run = find_finished(state, name)
    for split in ("train", "validation"):
        if given_files[split]:
            raise ConfigError(f"--for {name} takes the run's own rows: no --{split}-data")
        path = getattr(run.plan, split)
        given_files[split] = path and str(path)
    return run


class NewTestSetGate(Gate):
    """The gate of one session with `--for RUN`; raises ConfigError for an unfit run or test set."""

    def __init__(self, session: SessionContext, run: Run) -> None:
        option, self.run = f"--for {run.id}", run
        super().__init__(session, session.config.suites.data, option)
        try:
            run.verify()
        except SealBroken as error:
            raise ConfigError(f"{option}: {error}") from None
        session.splits.get("test")  # raises ConfigError, which says how to name the file
        if session.splits.columns != run.plan.columns:
            raise ConfigError(f"{option}: the run was made with other data.columns than are set")

    def finish(self, exit_status: int) -> int:
        """Open or close the gate, write the receipt of the test set, and return the exit status."""
        session, run, paths = self.session, self.run, self.session.splits.paths
        decision = self.evaluate(exit_status, list(paths), self.needed_of_data())
        if decision.reason:
            session.say("gate", f"closed for run:{run.id}: {decision.reason}", good=False)
            return exit_status or 1
        digest = session.state.store_snapshot(read_split(paths["test"], "test")).stem
        if digest != decision.digests["test"]:
            session.say("gate", "closed: the data changed while it was being checked", good=False)
            return 1
        is_known = digest in run.test_receipts()
        if not is_known:  # the receipt of the first time stays
            run.write_test_receipt(self.receipt(run.id, decision, run.plan.config))
        n = len(session.splits.get("test"))
        session.say("gate", f"open: {counted(n, 'test row')} may judge run:{run.id}", good=True)
        if is_known:
            session.say("", "a data gate of this run saw them before; nothing to do")
        for note in self.notes(decision):
            session.say("", note)
        session.say("next", f"pytest {session.config.suites.model} --model run:{run.id}")
        return 0


def facts_of_test_set(run: Run, test: Dataset, state: StateDir) -> dict[str, Any]:
    """Return what a promotion records of its test set; raises UnseenTestSet, SealBroken.

    These are its rows, the models that it has judged so far, and for one with a data gate of its
    own the digest of that receipt, and how many rows of the run's first test set it leaves out or
    expects another reply to.
    """
    receipts = run.test_receipts()
    if test.digest not in receipts or test.columns != run.plan.columns:
        first = next(iter(receipts), "")[:12] or "none"
        unseen = f"saw these {len(test)} test rows ({test.digest[:12]}; it saw {first})"
        advice = f"pytest suites/data --for {run.id} --test-data {test.path}"
        raise UnseenTestSet(f"no data gate of run {run.id} {unseen}: {advice}")
    facts: dict[str, Any] = {"test_n": len(test), "test_judged": models_judged(state, test.digest)}
    if receipt := receipts[test.digest]:
        facts["test_receipt"] = receipt
        asked = {(question_key(example), example.label) for example in test}
        try:
            rows = run.data("test") if run.plan.test else ()
            facts["test_left_out"] = sum((question_key(e), e.label) not in asked for e in rows)
        except (OSError, ValueError) as error:  # purged, or changed since
            raise SealBroken(f"the first test set of run {run.id}: {error}") from None
    return facts


def note_on_test_set(facts: Mapping[str, Any]) -> str:
    """Say in one line what a promotion rests on."""
    n, judged, left_out = facts["test_n"], facts["test_judged"], facts.get("test_left_out", 0)
    gate = "a data gate of their own" if "test_receipt" in facts else "the data gate of the run"
    without = f", without {left_out} of the first test set" if left_out else ""
    return f"on {n} test rows that {gate} saw{without}; models they have judged: {judged}"


def models_judged(state: StateDir, digest: str) -> int:
    """Count the models that have a scorecard on the test set with this digest."""
    models = set()
    for path in state.folder.glob("*/*/scorecards/*.json"):  # of runs and of evaluations
        try:
            card = json.loads(path.read_bytes())
            if card["test"]["digest"] == digest:
                models.add(card["model_digest"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return len(models)
