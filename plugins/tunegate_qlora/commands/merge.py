"""Merge a run's adapter into its base, and prove that it is as good.

$ tunegate run merge latest
"""

import argparse
import json
import sys
from pathlib import Path

from filelock import FileLock

from tunegate import ConfigError, exit_codes
from tunegate.interfaces.trainer import TrainingFailed
from tunegate.storage.state_dir import Run
from tunegate.utils.files import atomic_folder, atomic_write

from ..data import training_data
from ..model.local_model import open_folder
from .common import qlora_run

COMPARED_ROWS = 256  # rows that the losses of adapter and merged model are measured on


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="its id, the beginning of it, or latest")
    help_text = "default: merged/ in the run's folder"
    parser.add_argument("-o", "--out", type=Path, metavar="FOLDER", help=help_text)


def run(args: argparse.Namespace) -> int:
    """Merge, and return 70 where the merged model's loss is not the adapter's."""
    busy = f"another process is merging run {args.run}"
    try:
        with (
            qlora_run(args.run, finished=True, busy=busy) as trained,
            FileLock(trained.folder / "merge.lock", timeout=0),
        ):
            folder: Path = args.out or trained.folder / "merged"
            if folder.exists():
                raise ConfigError(f"{folder} is there already: remove it, or name another with -o")
            figures = merge_run(trained, folder)
    except TrainingFailed as error:
        print(f"tunegate run merge: {error}", file=sys.stderr)
        return exit_codes.TRAINING_FAILED
    merged_loss, adapter_loss = figures["loss_merged"], figures["loss_of_adapter"]
    rows = int(figures["rows"])
    print(f"merged    loss {merged_loss:.4f} on {rows:,} rows, the adapter's {adapter_loss:.4f}")
    print(f"          good: within {figures['tolerance']:.4f} of each other; in {folder}")
    print(f"next      pytest suites/model --model run:{trained.id}@merged")
    return 0


def merge_run(run: Run, folder: Path) -> dict[str, float]:
    """Merge the run's adapter into its base, and write the model into a folder, atomically.

    The merged model becomes a checkpoint of the run, `run:ID@merged`: it is judged and promoted
    like the adapter, on scores of its own. Returns the losses of both models (`loss_of_adapter`,
    `loss_merged`), their number of `rows`, and the `tolerance` that they may differ by. Raises
    TrainingFailed where they differ by more, ConfigError where the run has no adapter or it was
    changed since, ValueError where the base was.
    """
    from .. import model_card
    from ..model import weights
    from ..training import loss

    # The run, its adapter and its base must be what they were when it was trained.
    job = training_data.make_job(run.plan, run.folder)
    settings, root = job.settings, job.base_folder
    if settings.method == "full":
        raise ConfigError(f"run {run.id} was trained in full: {run.folder / 'model'} is whole")
    run.verify()
    tuned = run.folder / "adapter"
    if open_folder(str(tuned), run.state.root).digest != run.model_of()[1]:
        raise ConfigError(f"{tuned} is not what run {run.id} has trained: it was changed since")
    # The adapter's loss, measured before anything is written.
    rows = training_data.load_training_data(job)
    model = weights.load_tuned(root, tuned, settings.decoding)
    adapter_losses = loss.measure_loss(model, rows, settings, COMPARED_ROWS)
    del model  # the merged model takes its place in memory
    with atomic_folder(folder) as draft:
        weights.merge_adapter(tuned, root, settings, draft)
        decoding = settings.decoding.model_copy(update={"quantisation": "none"})
        merged = weights.load_base(draft, decoding)
        merged_losses = loss.measure_loss(merged, rows, settings, COMPARED_ROWS)
        for name, before in adapter_losses.items():
            if loss.differs(before, merged_losses[name]):
                raise TrainingFailed(
                    f"not good, nothing was written: the merged model's {name.replace('_', ' ')} "
                    f"is {merged_losses[name]:.4f}, the adapter's {before:.4f}, further apart than "
                    f"{loss.tolerance(before):.4f}. Serve the adapter itself"
                )
        figures = {
            **loss.prefix_keys(adapter_losses, "of_adapter"),
            **loss.prefix_keys(merged_losses, "merged"),
            "tolerance": loss.tolerance(adapter_losses["loss"]),
            "rows": len(loss.sample_rows(rows, COMPARED_ROWS)),
        }
        atomic_write(run.folder / "merge.json", json.dumps(figures, indent=1).encode(), mode=0o600)
        model_card.write_card(draft, job)
    # The run stays as old as it was; a folder inside the project is recorded relative to its root.
    project, place = run.state.root.resolve(), folder.resolve()
    name = (place.relative_to(project) if project in place.parents else place).as_posix()
    run.add_checkpoint("merged", f"folder:{name}", open_folder(str(folder), run.state.root).digest)
    return figures
