"""Finds what would make a job fail or cost too much, before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from tunegate import Dataset
from tunegate.data.dataset import preference_sides
from tunegate.interfaces.trainer import Plan, Problem, TrainingFailed
from tunegate.tokenization.counters import OpenAITokenCounter
from tunegate.utils.text import counted

from .client import connect, readable_errors
from .settings import Settings
from .submit import missing_rejected_message

if TYPE_CHECKING:
    from openai import OpenAI

NO_PRICE = (
    "max_cost is set and no price: set price_per_million (USD per million trained tokens, from the "
    "provider's price list) in [train.openai]"
)
SHUTDOWN_WARNING_DAYS = 60  # before a model's shutdown, from which on it is warned of


def find_problems(plan: Plan, settings: Settings, today: date | None = None) -> list[Problem]:
    """Return the problems; prints the estimate of tokens and price."""
    try:
        client = connect(settings)
        model_problems = [*_model_problems(client, settings, today or datetime.now(UTC).date())]
    except TrainingFailed as error:
        return [Problem(str(error))]
    train = Dataset.read(plan.train, columns=plan.columns or None)
    tokens, is_estimate = count_tokens(train, settings)
    epochs, price, most = settings.epoch_count, settings.price_per_million, settings.max_cost
    usd = None if price is None else tokens * epochs * price / 1e6
    price_text = "no price is configured" if usd is None else f"about ${usd:,.2f}"
    size = f"{'about ' * is_estimate}{tokens:,} tokens an epoch"
    cost = f"{size}, {counted(epochs, 'epoch')}: {price_text}"
    print(f"openai    {cost}", flush=True)
    problems = [*model_problems, *_preference_problems(plan, train, settings)]
    if most is not None and usd is None:
        problems.append(Problem(NO_PRICE))
    elif most is not None and usd is not None and usd > most:
        problems.append(Problem(f"{cost}; max_cost is ${most:,.2f}"))
    return problems


def count_tokens(train: Dataset, settings: Settings) -> tuple[int, bool]:
    """Return the tokens of one epoch, and whether they are an estimate; asks no provider."""
    count, tokens = OpenAITokenCounter(settings.base), 0
    for example in train:
        # The loss of DPO reads the prompt with each of the two replies.
        sides = preference_sides(example) if settings.method == "dpo" else [example]
        tokens += sum(count(side).length for side in sides)
    return tokens, bool(count.estimate)


def _preference_problems(plan: Plan, train: Dataset, settings: Settings) -> Iterator[Problem]:
    splits = {"training": train}
    if plan.validation:
        splits["validation"] = Dataset.read(plan.validation, columns=plan.columns or None)
    if settings.method == "dpo":
        for name, dataset in splits.items():
            if missing_rejected := missing_rejected_message(dataset):
                yield Problem(
                    f'method = "dpo" needs a rejected reply in each row, and in the {name} data '
                    f'{missing_rejected}; add them, or set method = "supervised"'
                )
    elif preference_rows := len(train) - len(train.without_rejected()):
        unused = f"{preference_rows:,} rows have a rejected reply, which is not learnt from"
        print(f'openai    warning: {unused}: method is "supervised"', flush=True)


def _model_problems(client: OpenAI, settings: Settings, today: date) -> Iterator[Problem]:
    """Look up the model, which also shows whether the key works."""
    from openai import NotFoundError

    try:
        with readable_errors(settings, "asking for the models"):
            try:
                model = client.models.retrieve(settings.base)
            except NotFoundError:
                missing = f"{settings.base_url} has no model {settings.base!r}"
                available = ", ".join(sorted(m.id for m in client.models.list())[:20])
                yield Problem(f"{missing}; it has: {available}")
                return
    except TrainingFailed as error:
        yield Problem(str(error))
        return
    try:
        end = date.fromisoformat(str(getattr(model, "shutdown_date", None))[:10])
    except ValueError:
        return
    name = settings.base
    if end <= today:
        yield Problem(f"{name} was shut down on {end}: choose another base")
    elif (end - today).days <= SHUTDOWN_WARNING_DAYS:
        shut_down = f"{name} is shut down on {end}, in {(end - today).days} days"
        print(f"openai    warning: {shut_down}, and what is fine-tuned from it too", flush=True)
