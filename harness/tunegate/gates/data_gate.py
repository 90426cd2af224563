"""From an open data gate to a trained model: snapshot, receipt, and a child process that trains."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import exit_codes
from ..config.suites import require_suite
from ..errors import ConfigError
from ..interfaces import installed
from ..interfaces.trainer import Plan, Trainer
from ..storage import seal
from ..storage.run import Run, run_id
from ..storage.seal import SealBroken, secret_key
from ..utils.text import did_you_mean
from . import suite_fingerprint
from .decision import GateEvaluation, abbreviate, evaluate_gate
from .training_process import train_in_child

if TYPE_CHECKING:
    from ..session.context import SessionContext


class DataGate:
    """`--train-with NAME`: resolved before the first test, begun only when the gate is open."""

    def __init__(
        self,
        session: SessionContext,
        name: str,
        *,
        elsewhere: bool = False,
        max_cost: float | None = None,
    ) -> None:
        option = f"--train-with {name}"
        self.session, self.elsewhere = session, elsewhere
        self.suite = require_suite(session.suite, session.root, session.config.suites.data, option)
        self.trainer = _make_trainer(session, name)
        self.config = _resolve_settings(session, self.trainer, max_cost)
        self.suite_files = suite_fingerprint.suite_fingerprint(self.suite, session.root)
        if "train" not in session.splits.paths:
            session.splits.get("train")  # says how to name the file

    def finish(self, exit_status: int) -> int:
        """Open or close the gate, and train where it is open; returns the exit status."""
        splits = list(self.session.splits.paths)
        evaluation = evaluate_gate(self.session, self.suite, self.suite_files, exit_status, splits)
        print_line = self.session.say
        if not evaluation.decision.is_open:
            print_line(
                "gate", f"closed, nothing was trained: {evaluation.decision.reason}", good=False
            )
            return exit_status or 1
        n = len(evaluation.collected.tests)
        print_line(
            "gate", f"open: all {n} tests of the suite passed on exactly these bytes", good=True
        )
        if removed := evaluation.collected.removed:
            print_line(
                "",
                f"{len(removed)} left out by a conftest: {abbreviate(removed)}; in the receipt too",
            )
        run = self._prepare(evaluation)
        if run is None:
            print_line("gate", "closed: the data changed while it was being checked", good=False)
            return 1
        return self._train(run)

    def _prepare(self, evaluation: GateEvaluation) -> Run | None:
        """Keep the bytes that were judged, then write intent and receipt; None if they changed."""
        state, paths = self.session.state, self.session.splits.paths
        snapshots = {
            split: state.store_snapshot(path.read_bytes()) for split, path in paths.items()
        }
        if {split: path.stem for split, path in snapshots.items()} != evaluation.digests:
            return None
        plan = self._plan(snapshots)
        run = Run(state, run_id(plan))
        if run.finished:  # its receipt is part of the chain that leads to its model
            return run
        run.write_intent(plan, installed.project_plugin_files(self.session.plugin_manager))
        body = self._receipt(run, evaluation)
        seal.write_sealed(run.folder / "receipt.json", body, secret_key(state))
        return run

    def _plan(self, snapshots: Mapping[str, Path]) -> Plan:
        root = self.session.root
        return Plan(
            trainer=self.trainer.name,
            train=snapshots["train"],
            validation=snapshots.get("validation"),
            test=snapshots.get("test"),
            config=self.config,
            base=self.trainer.baseline(self.config),
            base_digest=self.trainer.base_digest(self.config, root),
            seed=int(self.config["seed"]),
            columns=self.session.splits.columns,
            incidental=self._incidental_settings(),
            root=root,
        )

    def _incidental_settings(self) -> list[str]:
        neutral = getattr(self.trainer, "neutral", {}).items()
        absent = (key for key, value in neutral if self.config.get(key) == value)
        return [*getattr(self.trainer, "incidental", ()), *absent]

    def _receipt(self, run: Run, evaluation: GateEvaluation) -> dict[str, Any]:
        session = self.session
        data = {
            split: {"path": str(session.splits.paths[split]), "digest": digest}
            for split, digest in evaluation.digests.items()
        }
        tests = {n: session.results.passed[n] for n in evaluation.collected.tests}
        return {
            "run": run.id,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": data,
            "suite": {"path": str(self.suite), "files": self.suite_files},
            "tests": tests,
            "removed": evaluation.collected.removed,
            "accepted": session.seen.to_receipt(session.accepted),
            "limits": session.config.limits.model_dump(),
            "config": dict(self.config),
            "versions": suite_fingerprint.installed_versions(
                "torch", "transformers", "peft", "bitsandbytes"
            ),
        }

    def _train(self, run: Run) -> int:
        print_line = self.session.say
        if run.finished:
            try:
                run.verify()
            except SealBroken as error:
                print_line("run", str(error), good=False)
                return exit_codes.TRAINING_FAILED
            print_line(
                "run", f"{run.id} was trained on exactly this before; nothing to do", good=True
            )
        elif self.elsewhere:
            print_line("run", f"{run.id} may be trained elsewhere; nothing was trained here")
            print_line("next", f"tunegate export axolotl {run.id}")
            return 0
        else:
            print_line("run", f"{run.id}, {self.trainer.name}, in {_short_path(run.folder)}")
            code = train_in_child(run)
            if code:
                print_line("run", f"{run.id} did not finish (exit {code})", good=False)
                return code
            print_line("model", f"run:{run.id}", good=True)
        print_line("next", f"pytest {self.session.config.suites.model} --model latest")
        return 0


def _short_path(path: Path) -> str:
    folder = Path.cwd()
    return str(path.relative_to(folder)) if folder in path.parents else str(path)


def _make_trainer(session: SessionContext, name: str) -> Trainer:
    trainers = session.plugins.trainers
    if name not in trainers:
        valid = sorted(trainers)
        hint = did_you_mean(name, valid)
        raise ConfigError(f"--train-with {name}: no such trainer{hint}; valid: {', '.join(valid)}")
    return trainers[name]()


def _resolve_settings(
    session: SessionContext, trainer: Trainer, max_cost: float | None
) -> Mapping[str, Any]:
    """Return the trainer's table, resolved; `--max-cost` stands above what it says."""
    said = session.config.train.get(trainer.name, {})
    bound = {} if max_cost is None else {"max_cost": max_cost}
    try:
        return trainer.resolve({**said, **bound}, session.root)
    except ValueError as error:
        raise ConfigError(f"train.{trainer.name}: {error}") from None
