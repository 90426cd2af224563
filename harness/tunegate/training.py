"""From an open data gate to a trained model: snapshot, receipt, and a child process that trains."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import exits, extensions, receipt, sealed
from .gate import several
from .project import ConfigError, nearest
from .protocols import Plan, Trainer
from .runs import Run, run_id
from .sealed import SealBroken
from .state import secret_key
from .suites import check_role
from .verdict import Verdict, reach

if TYPE_CHECKING:
    from .context import SessionContext

ATTENDED = "--attended"  # what tells `tunegate.train` that it has a pipe to its parent


class Training:
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
        self.suite = check_role(session.suite, session.root, session.config.suites.data, option)
        self.trainer = _trainer(session, name)
        self.config = _resolved(session, self.trainer, max_cost)
        self.before = receipt.judged_files(self.suite, session.root)
        if "train" not in session.splits.paths:
            session.splits.get("train")  # says how to name the file

    def finish(self, exit_status: int) -> int:
        """Open or close the gate, and train where it is open; returns the exit status."""
        splits = list(self.session.splits.paths)
        verdict = reach(self.session, self.suite, self.before, exit_status, splits)
        say = self.session.say
        if not verdict.gate.open:
            say("gate", f"closed, nothing was trained: {verdict.gate.why}", good=False)
            return exit_status or 1
        n = len(verdict.inventory.tests)
        say("gate", f"open: all {n} tests of the suite passed on exactly these bytes", good=True)
        if removed := verdict.inventory.removed:
            say(
                "", f"{len(removed)} left out by a conftest: {several(removed)}; in the receipt too"
            )
        run = self._prepare(verdict)
        if run is None:
            say("gate", "closed: the data changed while it was being checked", good=False)
            return 1
        return self._train(run)

    def _prepare(self, verdict: Verdict) -> Run | None:
        """Keep the bytes that were judged, then write intent and receipt; None if they changed."""
        state, paths = self.session.state, self.session.splits.paths
        kept = {split: state.keep(path.read_bytes()) for split, path in paths.items()}
        if {split: path.stem for split, path in kept.items()} != verdict.digests:
            return None
        plan = self._plan(kept)
        run = Run(state, run_id(plan))
        if run.finished:  # its receipt is part of the chain that leads to its model
            return run
        run.begin(plan, extensions.plugin_files(self.session.plugin_manager))
        body = self._receipt(run, verdict)
        sealed.write(run.folder / "receipt.json", body, secret_key(state))
        return run

    def _plan(self, kept: Mapping[str, Path]) -> Plan:
        root = self.session.root
        return Plan(
            trainer=self.trainer.name,
            train=kept["train"],
            validation=kept.get("validation"),
            test=kept.get("test"),
            config=self.config,
            base=self.trainer.baseline(self.config),
            base_digest=self.trainer.base_digest(self.config, root),
            seed=int(self.config["seed"]),
            columns=self.session.splits.columns,
            incidental=self._incidental(),
            root=root,
        )

    def _incidental(self) -> list[str]:
        neutral = getattr(self.trainer, "neutral", {}).items()
        absent = (key for key, value in neutral if self.config.get(key) == value)
        return [*getattr(self.trainer, "incidental", ()), *absent]

    def _receipt(self, run: Run, verdict: Verdict) -> dict[str, Any]:
        session = self.session
        data = {
            split: {"path": str(session.splits.paths[split]), "digest": digest}
            for split, digest in verdict.digests.items()
        }
        tests = {n: session.results.passed[n] for n in verdict.inventory.tests}
        return {
            "run": run.id,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": data,
            "suite": {"path": str(self.suite), "files": self.before},
            "tests": tests,
            "removed": verdict.inventory.removed,
            "accepted": session.seen.receipt(session.accepted),
            "limits": session.config.limits.model_dump(),
            "config": dict(self.config),
            "versions": receipt.versions("torch", "transformers", "peft", "bitsandbytes"),
        }

    def _train(self, run: Run) -> int:
        say = self.session.say
        if run.finished:
            try:
                run.verify()
            except SealBroken as error:
                say("run", str(error), good=False)
                return exits.TRAINER_FAILED
            say("run", f"{run.id} was trained on exactly this before; nothing to do", good=True)
        elif self.elsewhere:
            say("run", f"{run.id} may be trained elsewhere; nothing was trained here")
            say("next", f"tunegate export axolotl {run.id}")
            return 0
        else:
            say("run", f"{run.id}, {self.trainer.name}, in {_short(run.folder)}")
            code = child(run)
            if code:
                say("run", f"{run.id} did not finish (exit {code})", good=False)
                return code
            say("model", f"run:{run.id}", good=True)
        say("next", f"pytest {self.session.config.suites.model} --model latest")
        return 0


def child(run: Run) -> int:
    """Train in a process of its own; Ctrl-C reaches it, and we wait for it to put its pen down.

    It ends when the pipe from us does: also where we are killed.
    """
    sys.stdout.flush()
    told = [str(run.folder), "--root", str(run.state.root), ATTENDED]
    command = [sys.executable, "-m", "tunegate.train", *told]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        while True:
            try:
                code = child.wait()
            except KeyboardInterrupt:
                continue
            # Anything that no code of ours explains (a kill, an interpreter's crash) failed too.
            return code if code in (0, exits.TRAINER_FAILED, 130) else exits.TRAINER_FAILED


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if here in path.parents else str(path)


def _trainer(session: SessionContext, name: str) -> Trainer:
    trainers = session.plugins.trainers
    if name not in trainers:
        valid = sorted(trainers)
        hint = nearest(name, valid)
        raise ConfigError(f"--train-with {name}: no such trainer{hint}; valid: {', '.join(valid)}")
    return trainers[name]()


def _resolved(
    session: SessionContext, trainer: Trainer, max_cost: float | None
) -> Mapping[str, Any]:
    """Return the trainer's table, resolved; `--max-cost` stands above what it says."""
    said = session.config.train.get(trainer.name, {})
    bound = {} if max_cost is None else {"max_cost": max_cost}
    try:
        return trainer.resolve({**said, **bound}, session.root)
    except ValueError as error:
        raise ConfigError(f"train.{trainer.name}: {error}") from None
