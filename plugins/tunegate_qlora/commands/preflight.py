"""Print the rows, memory and command of a training.

The memory is that of each GPU. Without RUN, for what [train.qlora] and the training data say now.
Nothing is trained or changed; neither a GPU nor the weights of the base are needed.

$ tunegate run preflight
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunegate import ConfigError, exit_codes
from tunegate.config.project import current_project
from tunegate.config.schema import load, parse_settings
from tunegate.interfaces.trainer import Plan
from tunegate.tokenization.chat_template import load_template, template_options
from tunegate.utils.masking import add_json_option, print_result
from tunegate.utils.text import counted

from ..config import Settings
from ..data.training_data import conversations_of
from ..model import folders
from ..runtime.libraries import quiet_libraries
from ..trainer import QLoRATrainer
from .common import qlora_run, require_packages


def arguments(parser: argparse.ArgumentParser) -> None:
    help_text = "the id of a planned run, or the beginning of it; default: the configuration"
    parser.add_argument("run", nargs="?", metavar="RUN", help=help_text)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print what would be trained, or what stands against it; return 70 then."""
    require_packages()
    if args.run:
        with qlora_run(args.run) as started:
            plan = started.plan
    else:
        plan = plan_of_config(current_project())
    with quiet_libraries():
        lines, told, problems = describe_training(plan)
    print_result(args.json, {"training": told, "problems": problems}, lines)
    sys.stdout.flush()
    if problems:
        reasons = "\n  - ".join(["this cannot be trained", *problems])
        print(f"tunegate run preflight: {reasons}", file=sys.stderr)
    return exit_codes.TRAINING_FAILED if problems else 0


def plan_of_config(root: Path) -> Plan:
    """Return the plan of the project's configuration; no gate has opened for it."""
    config, trainer = load(root), QLoRATrainer()
    if not config.data.train:
        raise ConfigError("preflight needs rows: name a file as `train` in [data], or a RUN")
    settings = trainer.resolve(config.train.get("qlora", {}), root)
    return Plan(
        trainer=trainer.name, train=root / config.data.train, validation=None, test=None,
        config=settings, base=str(settings["base"]), base_digest="", seed=int(settings["seed"]),
        columns=config.data.columns, root=root,
    )  # fmt: skip


def describe_training(plan: Plan) -> tuple[list[str], dict[str, Any] | None, list[str]]:
    """Return a plan's training as lines and as builtins, and what its rows or processes forbid."""
    from ..model.weights import describe_architecture
    from ..preflight import estimate_memory, row_problems, world_size_problems

    settings = parse_settings(Settings, plan.config)
    folder = folders.locate_base(settings.base, plan.root)
    architecture = describe_architecture(folder, settings)
    template = load_template(folder, template_options(plan.config, plan.root))
    problems, train = row_problems(plan, settings, folder, template)
    problems += world_size_problems(len(train), settings, architecture, gpus=0)
    if not train:
        return [], None, problems
    conversations = conversations_of(train)
    memory = estimate_memory(architecture, settings, conversations, gpu=True).per_process(settings)
    step = settings.batch * settings.accumulation * settings.world_size
    sizes = asdict(memory) | {"total": memory.total}
    told = {
        "settings": settings.model_dump(), "world_size": settings.world_size,
        "trained_parameters": architecture.trainable_parameters(settings), "rows": len(train),
        "tokens": sum(len(row.ids) for row in conversations),
        "rows_per_step": step, "steps_per_epoch": -(-len(train) // step),
        "memory_bytes": {name: round(size) for name, size in sizes.items()},
    }  # fmt: skip
    processes = f"{settings.processes} process{'es' * (settings.processes > 1)}"
    epochs = counted(settings.epochs, "epoch")
    lines = [
        f"training  {settings.method}, {settings.objective}, on {settings.base}: "
        f"{told['trained_parameters']:,} trained parameters",
        f"          {told['rows']:,} rows, {told['tokens']:,} tokens an epoch, {epochs}",
        f"processes {processes} on {counted(settings.machines, 'machine')}, a GPU for each",
        f"          {step:,} rows a step ({settings.batch} x {settings.accumulation} x "
        f"{settings.world_size}), {told['steps_per_epoch']:,} steps an epoch",
        f"memory    each GPU: {memory}",
        "command   pytest suites/data --train-with qlora",
    ]
    return lines, told, problems
