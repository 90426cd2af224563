"""The model gate, `pytest suites/model --model SPEC --promote ALIAS`: from scores to promotion."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import exit_codes
from ..errors import ConfigError
from ..models.evaluation import Evaluation
from ..results import session_results
from ..session.context import SessionContext
from ..storage.registry import Registry, RegistryBroken, checked_alias
from ..utils.files import atomic_write, sha256_json
from ..utils.masking import mask
from ..utils.text import all_of, os_error_text
from ..utils.timestamps import timestamp
from . import promotion
from .decision import Gate, GateDecision, installed_versions
from .promotion import PromotionRefused, check_promotable, promotion_facts


class ModelGate(Gate):
    """The gate of one session with `--model SPEC`; `alias` and `why` are those of `--promote`.

    Raises ModelUnknown, ConfigError where suite, candidate or rows are not what the options need.
    """

    def __init__(self, session: SessionContext, spec: str, alias: str | None, why: str) -> None:
        self.replays = session.is_shadow and alias is None
        suite = str(session.suite) if self.replays else session.config.suites.model
        super().__init__(session, suite, f"--model {spec}")
        self.alias, self.reason = alias, why
        if alias is not None and session.limit:
            advice = f"leave --limit {session.limit} out"
            raise ConfigError(f"--promote rests on all test rows: {advice}")
        session.models.check()
        self.registry = Registry(session.root)
        try:
            self.seen = self.registry.current(checked_alias(alias)) if alias is not None else None
        except RegistryBroken:  # the candidate may be scored; the promotion will be refused
            self.seen = None

    def finish(self, exit_status: int) -> int:
        """Open or close the gate, keep the scorecard, promote, and return the exit status."""
        session, results = self.session, self.session.results
        model, required = session.models.model("candidate").digest, ["test", "predictions"]
        held = "no test held the answers to data.schema: see suites/model/test_contract.py"
        needed = {("contract", ""): held} if session.config.data.row_schema else {}
        decision = self.evaluate(exit_status, required, needed, model)
        # After the last answer: who asks a model while its file is replaced has scored neither.
        model_changed = not decision.reason and session.models.digest_now("candidate") != model
        if model_changed:
            decision = replace(decision, reason="the model changed while it was asked; run again")
        card = self._scorecard(decision, model)
        card_digest = session_results.scorecard_digest(card)
        notes = self._keep(card, card_digest[:12])
        scope = f"; {asked}" if (asked := session_results.asked_in_words(session.asked)) else ""
        if decision.reason:
            session.say("gate", f"closed: {decision.reason}{scope}", good=False)
            for note in notes:
                session.say("", note)
            errors_alone = results.unmeasurable and results.unmeasurable == {*results.not_passed}
            return exit_codes.UNMEASURABLE if errors_alone or model_changed else exit_status or 1
        n = len(decision.collected.tests)
        session.say("gate", f"open: {all_of(n, 'test')} of the suite passed{scope}", good=True)
        for note in [*self.notes(decision), *notes]:
            session.say("", note)
        return self._promote(self.alias, card, card_digest) if self.alias else 0

    def _keep(self, card: Mapping[str, Any], name: str) -> list[str]:
        """Write the scorecard; return what to say of it where it is about no run, or of traffic."""
        text = json.dumps(card, indent=2, ensure_ascii=False, sort_keys=True).encode()
        if self.replays:
            path = self.session.state.path("shadow", f"{card['model_digest'][:12]}.json")
            atomic_write(path, text, mode=0o600)
            return [f"kept: {path.relative_to(self.session.root)}; tunegate report shows it"]
        run = (candidate := self.session.candidate) and candidate.run
        if candidate and run and "?" in candidate.checkpoint:
            run.add_checkpoint(candidate.checkpoint, candidate.spec, candidate.digest)
        owner = run or Evaluation.of(self.session.state, card)
        atomic_write(owner.scorecard_path(name), text, mode=0o600)
        if run and not card.keys() & {"limit", "stopped"}:  # a model card speaks of all test rows
            trainer = self.session.plugins.trainers.get(run.plan.trainer)
            written = getattr(trainer and trainer(), "scorecard_written", lambda *_: None)
            try:
                written(run.plan, run.folder)
            except Exception as error:  # a plugin's: the verdict does not depend on it
                self.session.say("trainer", f"{run.plan.trainer}, after the scorecard: {error}")
        note = f"kept: tunegate report {card['candidate']}; without a run it is never promoted"
        return [] if run or self.alias else [note]  # a promotion is refused in words of its own

    def _scorecard(self, decision: GateDecision, model_digest: str) -> dict[str, Any]:
        """Return the scorecard: the scores, and what they were measured with and on."""
        session, candidate, models = self.session, self.session.candidate, self.session.models
        run = candidate.run if candidate else None
        test = session.splits.get("test") if "test" in session.splits.paths else None
        rule = session.config.label_rule
        keys = {"candidate": "predictions", "baseline": "baseline", "incumbent": "incumbent"}
        summaries: dict[str, dict[str, Any] | None] = dict.fromkeys(keys.values())
        for role, key in () if self.replays else keys.items():
            if test is not None and (predictions := models.cached(role, test)):
                summary = session_results.predictions_summary(predictions, rule)
                answers = [[p.row, p.got, p.error, *filter(None, [p.calls])] for p in predictions]
                summaries[key] = summary | {"answers": sha256_json(answers)}
        n = len(test) if test is not None else 0
        return {
            "candidate": mask(candidate.spec) if candidate else "", "run": run.id if run else None,
            **({"trained": run.attestation} if run and run.attestation else {}),
            "model_digest": model_digest, "gate": mask(decision.reason) or "open",
            "test": {"digest": decision.digests.get("test"), "n": n},
            **session.asked, **session_results.judged_outcomes(session.results), **summaries,
            "suite": {"path": str(self.suite), "files": self.suite_files},
            "inventory": decision.collected.tests, "removed": decision.collected.removed,
            "unjudged": session.results.unjudged(), "troubles": dict(session.results.not_passed),
            **({"tables": tables} if (tables := session.results.tables()) else {}),
            "limits": session.config.limits.model_dump(), "made": timestamp(),
            "versions": installed_versions("torch", "transformers"),
            "environment": session.environment.to_dict(session.root),
        }  # fmt: skip

    def _promote(self, alias: str, card: dict[str, Any], card_digest: str) -> int:
        """Add the promotion to the registry, or print why it is refused; return the exit status."""
        session = self.session
        try:
            if session.candidate is None:
                raise ConfigError("--promote needs --model")
            test = session.splits.get("test")
            run = check_promotable(session.candidate, card["model_digest"], test, session.state)
            rests_on = promotion.facts_of_test_set(run, test, session.state)
            facts = promotion_facts(run, session.candidate, card, card_digest) | rests_on
            if lowered := promotion.lowered_limits(run.receipt.get("limits", {}), card["limits"]):
                facts["lowered"] = lowered
            if not self.registry.promote(alias, facts, self.reason, self.seen):
                session.say("promotion", f"{alias} was run:{run.id} already; nothing to do")
                return 0
        except (PromotionRefused, ConfigError, OSError) as error:
            session.say("promotion", f"refused: {os_error_text(error)}", good=False)
            return exit_codes.PROMOTION_REFUSED
        session.say("promotion", f"{alias} is now run:{run.id}", good=True)
        if run.attestation:
            session.say("", run.attestation)
        session.say("", promotion.note_on_test_set(rests_on))
        if lowered:
            said = f"lowered since the data gate: {promotion.lowered_text(lowered)}"
            session.say("limits", said, good=False)
        return 0
