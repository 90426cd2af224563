"""The data gate, `pytest suites/data --train-with NAME`: from a passed suite to a trained model.

With `--for RUN` it lets in another test set of a run: the data suite runs on the rows that the run
was trained on and on the session's test set; where it passes, its receipt stands beside the first.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .. import exit_codes
from ..config.data_files import read_split
from ..errors import ConfigError
from ..interfaces.trainer import Plan
from ..session.context import SessionContext
from ..storage.state_dir import Run, SealBroken, StateDir, find_finished, read_unverified, run_id
from ..utils.text import all_of, counted, did_you_mean, os_error_text
from .decision import Gate
from .probe import check_probe, measure_curve
from .training_process import train_in_child


class DataGate(Gate):
    """The gate of one session with `--train-with NAME`.

    `elsewhere`: stop after the receipt: another machine trains. `probe`: train on parts of the rows
    alone. `max_cost`, in USD, goes before the configured one. Raises ConfigError before any test.
    """

    def __init__(
        self, session: SessionContext, name: str, *, elsewhere: bool, max_cost: float | None,
        probe: bool = False,
    ) -> None:  # fmt: skip
        option, self.elsewhere, self.probe = f"--train-with {name}", elsewhere, probe
        super().__init__(session, session.config.suites.data, option)
        trainers = session.plugins.trainers
        if name not in trainers:
            valid = sorted(trainers)
            hint = did_you_mean(name, valid)
            raise ConfigError(f"{option}: no such trainer{hint}; valid: {', '.join(valid)}")
        self.trainer = trainers[name]()
        table = session.config.train.get(self.trainer.name, {})
        bound = {} if max_cost is None else {"max_cost": max_cost}
        try:
            self.settings = self.trainer.resolve({**table, **bound}, session.root)
        except ValueError as error:
            raise ConfigError(f"train.{self.trainer.name}: {error}") from None
        if "train" not in session.splits.paths:
            session.splits.get("train")  # raises ConfigError, which says how to name the file
        if probe:
            check_probe(session, self.trainer, self.settings)

    def finish(self, exit_status: int) -> int:
        """Open or close the gate, train where it is open, and return the session's exit status."""
        session = self.session
        state, paths = session.state, session.splits.paths
        decision = self.evaluate(exit_status, list(paths), self.needed_of_data())
        if reason := decision.reason or self.not_ready(decision.digests):
            session.say("gate", f"closed, nothing was trained: {reason}", good=False)
            return exit_status or 1
        # The files are read again: what is trained on must be the bytes that the tests judged.
        snapshots = {s: state.store_snapshot(read_split(path, s)) for s, path in paths.items()}
        if {split: path.stem for split, path in snapshots.items()} != decision.digests:
            session.say("gate", "closed: the data changed while it was being checked", good=False)
            return 1
        plan = self._plan(snapshots)
        run = Run(state, run_id(plan))
        # Until `decoding` was left out of the id, a run had another one.
        older_plan = replace(plan, decoding={})
        older = Run(state, run_id(older_plan))
        if older.finished and not run.finished:
            plan, run = older_plan, older
        if not (run.finished or self.probe):  # a finished run's receipt leads to its model
            self.start_run(run, plan, decision)
        passed_all = f"{all_of(len(decision.collected.tests), 'test')} of the suite passed"
        session.say("gate", f"open: {passed_all} on exactly these bytes", good=True)
        for note in self.notes(decision):
            session.say("", note)
        return measure_curve(self, decision, plan, run) if self.probe else self._train(run)

    def not_ready(self, digests: Mapping[str, str]) -> str:
        """Return why `[readiness] gate` closes the gate; "" where it does not. A probe may run."""
        state, again = self.session.state, "pytest suites/readiness"
        if self.probe or not self.session.config.readiness.gate:
            return ""
        path = state.folder / "readiness.json"
        told = state.read_sealed(path, again) if "seal" in read_unverified(path) else {}
        if any(told.get(split) != digests.get(split) for split in ("train", "validation")):
            return f"[readiness] gate = true, and no verdict on these rows is there: {again}"
        is_ready = told["verdict"] == "fine-tune"
        return "" if is_ready else f"the verdict of {again} is {told['verdict']}: {told['why']}"

    def _plan(self, snapshots: Mapping[str, Path]) -> Plan:
        """Return what the trainer is given: the snapshots, by split, and the resolved settings."""
        trainer, settings, root = self.trainer, self.settings, self.session.root
        # A setting at its neutral value leaves the run's id as it was before the setting existed.
        neutral = getattr(trainer, "neutral", {}).items()
        absent = [key for key, value in neutral if settings.get(key) == value]
        return Plan(
            trainer.name, snapshots["train"], snapshots.get("validation"), snapshots.get("test"),
            config=settings, base=trainer.baseline(settings),
            base_digest=trainer.base_digest(settings, root), seed=int(settings["seed"]),
            columns=self.session.splits.columns,
            incidental=[*getattr(trainer, "incidental", ()), *absent],
            decoding=getattr(trainer, "decoding", {}), root=root,
        )  # fmt: skip

    def _train(self, run: Run) -> int:
        """Train the run unless that was done before, and print the next command."""
        print_line = self.session.say
        if run.finished:
            try:
                run.verify()
            except (SealBroken, OSError) as error:
                print_line("run", os_error_text(error), good=False)
                return exit_codes.TRAINING_FAILED
            before = f"{run.id} was trained on exactly this before; nothing to do"
            print_line("run", before, good=True)
        elif self.elsewhere:
            print_line("run", f"{run.id} may be trained elsewhere; nothing was trained here")
            print_line("next", f"tunegate run export axolotl {run.id}")
            return 0
        else:
            folder, current = run.folder, Path.cwd()
            shown = folder.relative_to(current) if current in folder.parents else folder
            print_line("run", f"{run.id}, {self.trainer.name}, in {shown}")
            if code := train_in_child(run):
                print_line("run", f"{run.id} did not finish (exit {code})", good=False)
                return code
            print_line("model", f"run:{run.id}", good=True)
        print_line("next", f"pytest {self.session.config.suites.model} --model latest")
        return 0


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
        run.verify()
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
