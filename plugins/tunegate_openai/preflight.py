"""What would make a job fail, or cost too much, looked at before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from tunegate import Dataset
from tunegate.preferences import rejected
from tunegate.protocols import Plan, Problem, TrainingFailed

from .client import connect, plainly
from .config import Settings
from .cost import Estimate, estimate
from .uploads import without_preference

if TYPE_CHECKING:
    from openai import OpenAI

SOON = 60  # days before a model's end from which on it is spoken of


def problems(plan: Plan, settings: Settings, today: date | None = None) -> list[Problem]:
    """Return what stands in the way; prints the estimate of tokens and price."""
    try:
        client = connect(settings)
        found = [*_model(client, settings, today or datetime.now(UTC).date())]
    except TrainingFailed as error:
        return [Problem(str(error))]
    train = Dataset.read(plan.train, columns=plan.columns or None)
    expected = estimate(train, settings)
    print(f"openai    {expected}", flush=True)
    return [*found, *_preferences(plan, train, settings), *_price(expected, settings)]


def _preferences(plan: Plan, train: Dataset, settings: Settings) -> Iterator[Problem]:
    splits = {"training": train}
    if plan.validation:
        splits["validation"] = Dataset.read(plan.validation, columns=plan.columns or None)
    if settings.method == "dpo":
        for name, dataset in splits.items():
            if absent := without_preference(dataset):
                yield Problem(
                    f'method = "dpo" needs a rejected reply in each row, and in the {name} data '
                    f'{absent}; add them, or set method = "supervised"'
                )
    elif pairs := sum(rejected(example) is not None for example in train):
        print(
            f"openai    warning: {pairs:,} rows have a rejected reply, which is not learnt from: "
            'method is "supervised"',
            flush=True,
        )


def _model(client: OpenAI, settings: Settings, today: date) -> Iterator[Problem]:
    """Ask for the model: that shows whether the key works, too."""
    from openai import NotFoundError

    try:
        with plainly(settings, "asking for the models"):
            try:
                model = client.models.retrieve(settings.base)
            except NotFoundError:
                has = ", ".join(sorted(m.id for m in client.models.list())[:20])
                yield Problem(f"{settings.base_url} has no model {settings.base!r}; it has: {has}")
                return
    except TrainingFailed as error:
        yield Problem(str(error))
        return
    yield from _shutdown(settings.base, getattr(model, "shutdown_date", None), today)


def _shutdown(name: str, said: object, today: date) -> Iterator[Problem]:
    try:
        end = date.fromisoformat(str(said)[:10])
    except ValueError:
        return
    if end <= today:
        yield Problem(f"{name} was shut down on {end}: choose another base")
    elif (end - today).days <= SOON:
        print(
            f"openai    warning: {name} is shut down on {end}, in {(end - today).days} days, and "
            f"what is fine-tuned from it too",
            flush=True,
        )


def _price(expected: Estimate, settings: Settings) -> Iterator[Problem]:
    if settings.max_cost is None:
        return
    if expected.usd is None:
        yield Problem(
            "max_cost is set and no price: set price_per_million (USD per million trained tokens, "
            "from the provider's price list) in [train.openai]"
        )
    elif expected.usd > settings.max_cost:
        yield Problem(f"{expected}; max_cost is ${settings.max_cost:,.2f}")
