"""The ledger: judgements go to the test that runs, and nowhere else."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

from tunegate import Findings
from tunegate.results.outcome import Outcome, collect_outcomes, record
from tunegate.results.score import proportion

ONE = Outcome("pii", "train", True, "<pii: nothing found>")


def test_outside_a_test_nothing_is_kept() -> None:
    record(ONE)
    with collect_outcomes() as ledger:
        pass
    record(ONE)
    assert ledger == []


def test_what_was_judged_is_no_part_of_an_outcome_s_text() -> None:
    of_findings = replace(ONE, subject=Findings("pii", []))
    assert of_findings == ONE
    assert repr(of_findings) == repr(ONE)
    assert ONE.subject is None


def test_the_innermost_is_written_to() -> None:
    with collect_outcomes() as outer:
        with collect_outcomes() as inner:
            record(ONE)
        assert (outer, inner) == ([], [ONE])
        record(ONE)
    assert outer == [ONE]


def test_it_is_closed_when_the_test_breaks() -> None:
    try:
        with collect_outcomes() as ledger:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        record(ONE)
    assert ledger == []


def test_what_a_thread_of_the_test_records_counts_for_the_test() -> None:
    with collect_outcomes() as ledger:
        thread = threading.Thread(target=record, args=(ONE,))
        thread.start()
        thread.join()
    assert ledger == [ONE]


def test_plain_survives_json() -> None:
    with collect_outcomes() as ledger:
        record(Findings("pii", []).outcome(False))
        assert proportion("accuracy", 1, 1) >= 0.5
    plain = [judgement.to_dict() for judgement in ledger]
    assert json.loads(json.dumps(plain)) == plain
