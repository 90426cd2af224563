"""What training costs on the embedded default: ours, a bare loop and TRL's, in one run, as ratios.

    pip install trl==1.16.0
    python benchmarks/training.py [--rounds 3] [--steps 24] [--epochs 1]

All train the same base with the same rows, adapter and settings (`[tool.tunegate]` in
pyproject.toml), in one process, in turn. A ratio is the median of the rounds; of a step's, a round
has the median over its batches. On a busy machine CPU seconds say more than wall seconds. Without
TRL the rest is measured.

A step, everybody given the same batches in the same order:
    bare loop          forward, backward, clip, AdamW, schedule: the least that trains
    ours               `training.run`, as `--train-with qlora` calls it
    Trainer            transformers' own, as it comes
    SFTTrainer         TRL's, without autocast and gradient checkpointing, which nobody else has

Whole epochs (a third of the rounds):
    SFTTrainer         its defaults, which include no validation
    SFTTrainer, equal  without gradient checkpointing, validated after each epoch: as ours
    ours               batches of like length; validated after each epoch

`loop` is from the first step to the last; `all` from files to a saved adapter, which ours reads
back and proves. The losses are of held-out rows, by one function (a step's: of its own rows).

QLoRA on a GPU: the recipe on a random Llama of 1.1 thousand million parameters (no download), in
batches of 8, SFTTrainer with its autocast and without gradient checkpointing, as ours.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
import tomllib
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainers import GPU, Case, Result, bare, ours, plain, sft

from tunegate.config.schema import parse_settings
from tunegate.interfaces.trainer import Plan
from tunegate_qlora.config import Settings
from tunegate_qlora.data import training_data
from tunegate_qlora.runtime.libraries import quiet_libraries
from tunegate_qlora.trainer import QLoRATrainer

ROOT = Path(__file__).resolve().parents[1]
SMALL = ROOT / "examples" / "triage" / "base"
LARGE = {
    "vocab_size": 32_000, "hidden_size": 2048, "intermediate_size": 5632, "head_dim": 64,
    "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4,
}  # fmt: skip
Ways = dict[str, Callable[[Case], Result]]


def made(config: dict[str, Any], train: Path, validation: Path | None) -> Case:
    """Return a training on these files."""
    resolved = QLoRATrainer().resolve(config, ROOT)
    s = parse_settings(Settings, resolved)
    plan = Plan(
        "qlora", train, validation, None, resolved, f"folder:{s.base}", "", s.seed, root=ROOT
    )
    return Case(plan, s, training_data.load_training_data(training_data.make_job(plan, Path())))


def recipe(epochs: int) -> Case:
    """Return the training that `make demo` does, for so many epochs."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["tunegate"]
    config, data = said["train"]["qlora"], said["data"]
    config |= {"base": str(ROOT / config["base"]), "epochs": epochs}
    return made(config, ROOT / data["train"], ROOT / data["validation"])


def short(whole: Case, steps: int, folder: Path, **config: Any) -> Case:
    """Return so many steps of a training, without validation."""
    config = {**whole.plan.config, "epochs": 1, **config}
    lines = whole.plan.train.read_text("utf-8").splitlines()[: steps * config["batch"]]
    path = folder / f"{len(lines)}.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return made(config, path, None)


def large(folder: Path, shape: dict[str, int] = LARGE) -> Path:
    """Write a random model of this shape, with the tokenizer and the template of the small one."""
    import torch
    import transformers

    hf: Any = transformers
    made = shutil.copytree(SMALL, folder / "large", ignore=lambda *_: ["model.safetensors"])
    config = hf.AutoConfig.from_pretrained(SMALL, **shape)
    with quiet_libraries():
        hf.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(made)
    return Path(made)


def compete(ways: Ways, case: Case, rounds: int) -> dict[str, list[Result]]:
    """Run everybody in turn, as often as there are rounds; without TRL, the others."""
    absent = [name for name in ways if name.startswith("SFT") and not find_spec("trl")]
    found: dict[str, list[Result]] = {name: [] for name in ways if name not in absent}
    for _ in range(rounds):
        for name in found:
            with redirect_stdout(io.StringIO()), quiet_libraries():
                found[name].append(ways[name](case))
    for name in absent:
        print(f"\n{name}: not measured: pip install trl==1.16.0")
    return found


def table(title: str, found: dict[str, list[Result]], reading: str, unit: float = 1.0) -> None:
    """Print one line for each contestant; its ratios are to the first one."""
    print(f"\n{title:18}     wall      CPU  x wall   x CPU  lowest  highest  padding    loss")
    first = next(iter(found.values()))
    for name, results in found.items():
        times = [time for result in results for time in getattr(result, reading)]
        wall, cpu = (unit * statistics.fmean(time[k] for time in times) for k in (0, 1))
        walls, cpus = (
            [ratio(*pair, reading, k) for pair in zip(results, first, strict=True)] for k in (0, 1)
        )
        last = results[-1]
        print(
            f"{name:18} {wall:8.1f} {cpu:8.1f} {statistics.median(walls):7.2f}"
            f" {statistics.median(cpus):7.2f} {min(cpus):7.2f} {max(cpus):8.2f}"
            f" {1 - last.tokens / last.places:8.1%} {last.loss:7.4f}",
            flush=True,
        )


def ratio(one: Result, other: Result, reading: str, clock: int) -> float:
    """Return the median ratio of two contestants of a round: at each step they had one batch."""
    pairs = zip(getattr(one, reading), getattr(other, reading), strict=True)
    ratios: list[float] = [a[clock] / b[clock] for a, b in pairs]
    return statistics.median(ratios)


def steps(whole: Case, count: int, rounds: int, folder: Path) -> None:
    """Compare steps."""
    theirs = partial(sft, ordered=True, bf16=False, gradient_checkpointing=False)
    ways: Ways = {"bare loop": bare, "ours": ours, "Trainer": plain, "SFTTrainer": theirs}
    found = compete(ways, short(whole, count, folder), rounds)
    table("a step, ms", found, "step", 1000.0)


def epochs(whole: Case, rounds: int) -> None:
    """Compare whole epochs."""
    equal = partial(sft, gradient_checkpointing=False, eval_strategy="epoch")
    found = compete({"SFTTrainer": sft, "SFTTrainer, equal": equal, "ours": ours}, whole, rounds)
    table(f"{whole.settings.epochs} epoch(s), loop, s", found, "loop")
    table(f"{whole.settings.epochs} epoch(s), all, s", found, "all")


def gpu(whole: Case, count: int, folder: Path) -> None:
    """Compare QLoRA on a GPU: tokens a second, and the most memory."""
    if not GPU:
        print("\nQLoRA on a GPU: there is none: not measured")
        return
    case = short(
        whole, count, folder, base=str(large(folder)), batch=8, threads=0, learning_rate=2e-4
    )
    ways: Ways = {"SFTTrainer": partial(sft, gradient_checkpointing=False), "ours": ours}
    compete(ways, case, 1)  # the first of all waits for kernels
    print("\nQLoRA on a GPU         tokens/s   peak memory, MB")
    for name, (result,) in compete(ways, case, 1).items():
        print(
            f"{name:18} {result.tokens / result.loop[0].wall:12,.0f} {result.memory / 1e6:17,.0f}"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="What training costs, ours and others'.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=24, help="of a round, for the cost of a step")
    parser.add_argument("--epochs", type=int, default=1)
    said = parser.parse_args()
    whole = recipe(said.epochs)
    with tempfile.TemporaryDirectory() as folder:
        steps(whole, said.steps, said.rounds, Path(folder))
        epochs(whole, -(-said.rounds // 3))
        gpu(whole, said.steps, Path(folder))


if __name__ == "__main__":
    main()
