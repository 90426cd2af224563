"""From a model suite to a scorecard, and from an open gate to a promotion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import exits, extraction, promotion, receipt, scorecard
from .files import now, write_whole
from .project import ConfigError
from .promotion import Refused
from .registry import Registry, RegistryBroken
from .suites import check_role
from .verdict import Verdict, reach

if TYPE_CHECKING:
    from .context import SessionContext
    from .models import Candidate


class Judging:
    """`--model SPEC [--promote ALIAS]`: the candidate of this session."""

    def __init__(self, session: SessionContext, said: str, alias: str | None, why: str) -> None:
        option = f"--model {said}"
        self.session, self.alias, self.why = session, alias, why
        self.suite = check_role(session.suite, session.root, session.config.suites.model, option)
        # A spec that opens nothing ends here, before the first test.
        session.models.model("candidate")
        self.before = receipt.judged_files(self.suite, session.root)

    def finish(self, exit_status: int) -> int:
        """Write the scorecard, and promote where it was asked for and may be done."""
        session = self.session
        model, needed = session.models.model("candidate").digest, ["test", "predictions"]
        verdict = reach(session, self.suite, self.before, exit_status, needed, model)
        card = self._card(verdict)
        digest = self._keep(card)
        if not verdict.gate.open:
            session.say("gate", f"closed: {verdict.gate.why}", good=False)
            return self._closed(exit_status)
        n = len(verdict.inventory.tests)
        session.say("gate", f"open: all {n} tests of the suite passed", good=True)
        return self._promote(card, digest) if self.alias else 0

    def _closed(self, exit_status: int) -> int:
        results = self.session.results
        unmeasurable = results.unmeasurable and results.unmeasurable == set(results.troubles)
        return exits.UNMEASURABLE if unmeasurable else exit_status or 1

    def _card(self, verdict: Verdict) -> dict[str, Any]:
        session = self.session
        candidate = session.candidate
        return {
            "candidate": candidate.spec if candidate else "",
            "run": candidate.run.id if candidate and candidate.run else None,
            **_word(candidate),
            "model_digest": session.models.model("candidate").digest,
            "test": {"digest": verdict.digests.get("test"), "n": _size(session)},
            "gate": verdict.gate.why or "open",
            "suite": {"path": str(self.suite), "files": self.before},
            "inventory": verdict.inventory.tests,
            "removed": verdict.inventory.removed,
            "scores": scorecard.scores(session.results),
            "missed": scorecard.missed(session.results),
            "troubles": dict(session.results.troubles),
            "predictions": _summary(session, "candidate"),
            "baseline": _summary(session, "baseline"),
            "incumbent": _summary(session, "incumbent"),
            "limits": session.config.limits.model_dump(),
            "versions": receipt.versions("torch", "transformers"),
            "made": now(),
        }

    def _keep(self, card: dict[str, Any]) -> str:
        digest = scorecard.digest(card)
        candidate = self.session.candidate
        if candidate and candidate.run:
            text = json.dumps(card, indent=2, ensure_ascii=False, sort_keys=True)
            write_whole(candidate.run.scorecard_path(digest[:12]), text.encode(), mode=0o600)
        return digest

    def _promote(self, card: dict[str, Any], digest: str) -> int:
        session, alias = self.session, str(self.alias)
        try:
            if session.candidate is None:
                raise ConfigError("--promote needs --model")
            test = session.splits.get("test")
            run = promotion.vet(session.candidate, card["model_digest"], test, session.state)
            facts = promotion.facts(run, session.candidate, card, digest)
            registry = Registry(session.root)
            current = registry.current(alias)
            if current and current["model_digest"] == facts["model_digest"]:
                session.say("promotion", f"{alias} was run:{run.id} already; nothing to do")
                return 0
            registry.append("promote", alias, facts, self.why)
        except (Refused, RegistryBroken, ConfigError) as error:
            session.say("promotion", f"refused: {error}", good=False)
            return exits.PROMOTION_REFUSED
        session.say("promotion", f"{alias} is now run:{run.id}", good=True)
        if run.word:
            session.say("", run.word)
        return 0


def _word(candidate: Candidate | None) -> dict[str, str]:
    """Say on whose word it was trained, where that was elsewhere."""
    run = candidate.run if candidate else None
    return {"trained": run.word} if run and run.word else {}


def _size(session: SessionContext) -> int:
    return len(session.splits.get("test")) if "test" in session.splits.paths else 0


def _summary(session: SessionContext, role: str) -> dict[str, Any] | None:
    if "test" not in session.splits.paths:
        return None
    predictions = session.models.cached(role, session.splits.get("test"))
    label = extraction.rule(session.config.label)
    return scorecard.summary(predictions, label) if predictions else None
