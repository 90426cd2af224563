"""The trainer `openai`: finds what would make a fine-tuning job fail, creates one, and waits."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tunegate import Dataset, TokenizationSpec
from tunegate.config.schema import parse_settings
from tunegate.data.dataset import preference_sides
from tunegate.interfaces.trainer import Plan, Problem, Trained, TrainingFailed
from tunegate.tokenization.spec import OpenAITokenCounter
from tunegate.utils.files import sha256_json
from tunegate.utils.optional_deps import missing_packages

from . import job as jobs
from .client import connect, readable_errors
from .settings import INCIDENTAL, LONGEST, Settings, with_preset

if TYPE_CHECKING:
    from openai import OpenAI

REQUIREMENTS = ("train.openai", "openai", "openai", "stamina")  # who needs the extra, its packages
NO_PRICE = "max_cost is set and no price: set price_per_million (USD per million trained tokens, "
NO_PRICE += "from the provider's price list) in [train.openai]"
SHUTDOWN_WARNING_DAYS = 60  # before a model's shutdown, from which on it is warned of


class OpenAITrainer:
    """Fine-tunes at OpenAI, Azure OpenAI, or any provider that speaks the same protocol."""

    name = "openai"
    incidental = INCIDENTAL

    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        """Return the settings, preset and defaults filled in; raises ValueError."""
        return parse_settings(Settings, with_preset(config)).model_dump(mode="json")

    def base_digest(self, config: Mapping[str, Any], root: Path) -> str:
        """Return the digest of where the base is and what it is called: all that can be known."""
        return sha256_json([config["base_url"], config["base"]])

    def baseline(self, config: Mapping[str, Any]) -> str:
        """Return the model spec of the base, asked at the same provider."""
        return model_spec(str(config["base"]), parse_settings(Settings, config))

    def tokenization(self, config: Mapping[str, Any]) -> TokenizationSpec:
        """Return how tokens are counted: by the name of the model, as the provider does."""
        settings = parse_settings(Settings, config)
        return TokenizationSpec(
            f"openai:{settings.base.removeprefix('openai:')}", LONGEST, settings.epoch_count,
            price_per_million=settings.price_per_million, rejected=settings.method == "dpo",
        )  # fmt: skip

    def preflight(self, plan: Plan) -> list[Problem]:
        """Say what would make this job fail or cost too much; costs nothing."""
        if missing := missing_packages(*REQUIREMENTS):
            return [Problem(missing)]
        return find_problems(plan, parse_settings(Settings, plan.config))

    def train(self, plan: Plan, folder: Path) -> Trained:
        """Upload, ask for the job (once, though started again), wait, keep what it leaves."""
        if missing := missing_packages(*REQUIREMENTS):
            raise TrainingFailed(missing)
        settings = parse_settings(Settings, plan.config)
        api = connect(settings)
        job = jobs.Submitter(api, settings, plan, folder).find_or_create_job()
        train = Dataset.read(plan.train, columns=plan.columns or None)
        with closing(jobs.JobProgress("training")) as progress:
            locate_row = partial(jobs.row_of_line, dataset=train)
            job = jobs.JobWatcher(api, settings, job, folder, progress, locate_row).until_done()
        if not job.fine_tuned_model:
            raise TrainingFailed(f"job {job.id} succeeded, and names no model")
        with readable_errors(settings, "fetching the results"):
            jobs.fetch_results(api, job, folder)
            models = jobs.checkpoint_models(api, job)
        checkpoints = {name: model_spec(model, settings) for name, model in models.items()}
        spec, tokens = model_spec(job.fine_tuned_model, settings), job.trained_tokens or 0
        return Trained(spec, "", {"job": job.id, "trained_tokens": tokens}, checkpoints)


def model_spec(model: str, settings: Settings) -> str:
    """Return the model spec of a name at this provider."""
    if settings.base_url == Settings(base="-").base_url:
        return f"openai:{model}"
    # Another provider is sent no key unless its variable is named.
    query_values = {"base_url": settings.base_url, "key_env": settings.key_env}
    query_values |= {"key_header": settings.key_header} if settings.key_header else {}
    return f"openai:{model}?{urlencode(query_values)}"


def find_problems(plan: Plan, settings: Settings, today: date | None = None) -> list[Problem]:
    """Return the problems; prints the estimate of tokens and price."""
    try:
        client = connect(settings)
        problems = [*_model_problems(client, settings, today or datetime.now(UTC).date())]
    except TrainingFailed as error:
        return [Problem(str(error))]
    train = Dataset.read(plan.train, columns=plan.columns or None)
    tokens, is_estimate = count_tokens(train, settings)
    epochs, price, most = settings.epoch_count, settings.price_per_million, settings.max_cost
    usd = None if price is None else tokens * epochs * price / 1e6
    price_text = "no price is configured" if usd is None else f"about ${usd:,.2f}"
    cost = f"{'about ' * is_estimate}{tokens:,} tokens an epoch, {epochs} epochs: {price_text}"
    print(f"openai    {cost}", flush=True)
    for split, path in {"training": plan.train, "validation": plan.validation}.items():
        try:
            if path:
                jobs.upload_content(path, plan.columns, settings.method)
        except TrainingFailed as error:
            problems.append(Problem(f"{split} data: {error}"))
    if most is not None and (usd is None or usd > most):
        too_dear = f"{cost}; max_cost is ${most:,.2f}"
        problems.append(Problem(NO_PRICE if usd is None else too_dear))
    return problems


def count_tokens(train: Dataset, settings: Settings) -> tuple[int, bool]:
    """Return the tokens of one epoch, and whether they are an estimate; asks no provider."""
    count, is_dpo = OpenAITokenCounter(settings.base), settings.method == "dpo"
    # The loss of DPO reads the prompt with each of the two replies.
    sides = (side for e in train for side in (preference_sides(e) if is_dpo else [e]))
    return sum(count(side).length for side in sides), bool(count.estimate)


def _model_problems(client: "OpenAI", settings: Settings, today: date) -> Iterator[Problem]:
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
