"""From a model suite to a scorecard, and from an open gate to a promotion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .. import exit_codes
from ..config.suites import require_suite
from ..errors import ConfigError
from ..results import labels, scorecard
from ..storage.registry import Registry, RegistryBroken
from ..utils.atomic import atomic_write
from ..utils.timestamps import timestamp
from . import promotion, suite_fingerprint
from .decision import GateEvaluation, evaluate_gate
from .promotion import PromotionRefused

if TYPE_CHECKING:
    from ..models.spec import Candidate
    from ..session.context import SessionContext


class ModelGate:
    """`--model SPEC [--promote ALIAS]`: the candidate of this session."""

    def __init__(self, session: SessionContext, spec: str, alias: str | None, why: str) -> None:
        option = f"--model {spec}"
        self.session, self.alias, self.reason = session, alias, why
        self.suite = require_suite(session.suite, session.root, session.config.suites.model, option)
        # A spec that opens nothing ends here, before the first test.
        session.models.model("candidate")
        self.suite_files = suite_fingerprint.suite_fingerprint(self.suite, session.root)

    def finish(self, exit_status: int) -> int:
        """Write the scorecard, and promote where it was asked for and may be done."""
        session = self.session
        model, required = session.models.model("candidate").digest, ["test", "predictions"]
        evaluation = evaluate_gate(
            session, self.suite, self.suite_files, exit_status, required, model
        )
        card = self._scorecard(evaluation)
        digest = self._save_scorecard(card)
        if not evaluation.decision.is_open:
            session.say("gate", f"closed: {evaluation.decision.reason}", good=False)
            return self._closed_exit_status(exit_status)
        n = len(evaluation.collected.tests)
        session.say("gate", f"open: all {n} tests of the suite passed", good=True)
        return self._promote(card, digest) if self.alias else 0

    def _closed_exit_status(self, exit_status: int) -> int:
        results = self.session.results
        unmeasurable = results.unmeasurable and results.unmeasurable == set(results.not_passed)
        return exit_codes.UNMEASURABLE if unmeasurable else exit_status or 1

    def _scorecard(self, evaluation: GateEvaluation) -> dict[str, Any]:
        session = self.session
        candidate = session.candidate
        return {
            "candidate": candidate.spec if candidate else "",
            "run": candidate.run.id if candidate and candidate.run else None,
            **_attestation(candidate),
            "model_digest": session.models.model("candidate").digest,
            "test": {"digest": evaluation.digests.get("test"), "n": _test_size(session)},
            "gate": evaluation.decision.reason or "open",
            "suite": {"path": str(self.suite), "files": self.suite_files},
            "inventory": evaluation.collected.tests,
            "removed": evaluation.collected.removed,
            "scores": scorecard.passed_scores(session.results),
            "missed": scorecard.failed_outcomes(session.results),
            "troubles": dict(session.results.not_passed),
            "predictions": _model_summary(session, "candidate"),
            "baseline": _model_summary(session, "baseline"),
            "incumbent": _model_summary(session, "incumbent"),
            "limits": session.config.limits.model_dump(),
            "versions": suite_fingerprint.installed_versions("torch", "transformers"),
            "made": timestamp(),
        }

    def _save_scorecard(self, card: dict[str, Any]) -> str:
        digest = scorecard.scorecard_digest(card)
        candidate = self.session.candidate
        if candidate and candidate.run:
            text = json.dumps(card, indent=2, ensure_ascii=False, sort_keys=True)
            atomic_write(candidate.run.scorecard_path(digest[:12]), text.encode(), mode=0o600)
        return digest

    def _promote(self, card: dict[str, Any], digest: str) -> int:
        session, alias = self.session, str(self.alias)
        try:
            if session.candidate is None:
                raise ConfigError("--promote needs --model")
            test = session.splits.get("test")
            run = promotion.check_promotable(
                session.candidate, card["model_digest"], test, session.state
            )
            promotion_facts = promotion.promotion_facts(run, session.candidate, card, digest)
            registry = Registry(session.root)
            current = registry.current(alias)
            if current and current["model_digest"] == promotion_facts["model_digest"]:
                session.say("promotion", f"{alias} was run:{run.id} already; nothing to do")
                return 0
            registry.append("promote", alias, promotion_facts, self.reason)
        except (PromotionRefused, RegistryBroken, ConfigError) as error:
            session.say("promotion", f"refused: {error}", good=False)
            return exit_codes.PROMOTION_REFUSED
        session.say("promotion", f"{alias} is now run:{run.id}", good=True)
        if run.attestation:
            session.say("", run.attestation)
        return 0


def _attestation(candidate: Candidate | None) -> dict[str, str]:
    """Say on whose word it was trained, where that was elsewhere."""
    run = candidate.run if candidate else None
    return {"trained": run.attestation} if run and run.attestation else {}


def _test_size(session: SessionContext) -> int:
    return len(session.splits.get("test")) if "test" in session.splits.paths else 0


def _model_summary(session: SessionContext, role: str) -> dict[str, Any] | None:
    if "test" not in session.splits.paths:
        return None
    predictions = session.models.cached(role, session.splits.get("test"))
    label = labels.label_rule(session.config.label)
    return scorecard.predictions_summary(predictions, label) if predictions else None
