"""The trainer `openai`: creates one fine-tuning job at a provider and waits for it."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tunegate import Dataset, TokenizationSpec
from tunegate.config.schema import parse_settings
from tunegate.interfaces.trainer import Plan, Problem, Trained, TrainingFailed
from tunegate.utils.hashing import sha256_json
from tunegate.utils.optional_deps import missing_packages

from .settings import INCIDENTAL, LONGEST, Settings, with_preset

REQUIREMENTS = ("train.openai", "openai", "openai", "stamina")  # who needs the extra, its packages


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
        from .preflight import find_problems

        return find_problems(plan, parse_settings(Settings, plan.config))

    def train(self, plan: Plan, folder: Path) -> Trained:
        """Upload, ask for the job (once, though started again), wait, keep what it leaves."""
        if missing := missing_packages(*REQUIREMENTS):
            raise TrainingFailed(missing)
        from . import watch
        from .client import connect, readable_errors
        from .submit import Submitter, row_of_line

        settings = parse_settings(Settings, plan.config)
        api = connect(settings)
        job = Submitter(api, settings, plan, folder).find_or_create_job()
        train = Dataset.read(plan.train, columns=plan.columns or None)
        with closing(watch.JobProgress("training")) as progress:
            locate_row = partial(row_of_line, dataset=train)
            job = watch.JobWatcher(api, settings, job, folder, progress, locate_row).until_done()
        if not job.fine_tuned_model:
            raise TrainingFailed(f"job {job.id} succeeded, and names no model")
        with readable_errors(settings, "fetching the results"):
            watch.fetch_results(api, job, folder)
            checkpoint_models = watch.checkpoint_models(api, job)
        checkpoints = {name: model_spec(m, settings) for name, m in checkpoint_models.items()}
        figures: dict[str, str | int | float] = {"job": job.id}
        figures["trained_tokens"] = job.trained_tokens or 0
        return Trained(model_spec(job.fine_tuned_model, settings), "", figures, checkpoints)


def model_spec(model: str, settings: Settings) -> str:
    """Return the model spec of a name at this provider."""
    if settings.base_url == Settings(base="-").base_url:
        return f"openai:{model}"
    # Another provider is sent no key unless its variable is named.
    query_values = {"base_url": settings.base_url, "key_env": settings.key_env}
    query_values |= {"key_header": settings.key_header} if settings.key_header else {}
    return f"openai:{model}?{urlencode(query_values)}"
