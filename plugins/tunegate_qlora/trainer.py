"""The trainer `qlora`: trains an adapter on a base, in 4 bits or not, or all weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tunegate.config.schema import parse_settings
from tunegate.interfaces.trainer import Plan, Problem, Trained, TrainingFailed
from tunegate.tokenization.chat_template import pin_template
from tunegate.tokenization.spec import TokenizationSpec

from .config import LATER_SETTINGS, Decoding, Settings, resolve_settings
from .model import folders
from .runtime.libraries import missing_requirements, quiet_libraries

QUERY_SAFE = '/@:{}", '  # characters that a query shows as they are


class QLoRATrainer:
    """Fine-tunes by `method`: `qlora` (Dettmers et al. 2023, arXiv:2305.14314), `lora` (Hu et al.
    2021, arXiv:2106.09685) or `full`; by `objective` on replies or on preferences (DPO).
    """

    name = "qlora"
    # Settings that change no weight, and so no run's id. (What a preset sets is in the settings.)
    incidental = (
        *("preset", "checkpoint_seconds", "address", "report_to", "generation_batch", "engine"),
    )
    # Settings that decide how the model answers, not what it learns, with their values in the id.
    decoding: Mapping[str, Any] = {
        key: Decoding.model_fields[key].default for key in ("max_new_tokens", "engine")
    }

    # Settings that came later: a run whose values are the defaults keeps the id that it had before.
    neutral: Mapping[str, Any] = {key: Settings.model_fields[key].default for key in LATER_SETTINGS}

    checkpointing = False  # whether preflight found that the memory needs it

    def resolve(self, config: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
        """Return all settings with defaults filled in; ValueError for a bad key, value or base."""
        settings = resolve_settings(config)
        folders.locate_base(settings.base, root)
        template = settings.chat_template and pin_template(settings.chat_template, root)
        return settings.model_dump(mode="json") | {"chat_template": template}

    def base_digest(self, config: Mapping[str, Any], root: Path) -> str:
        """Return the digest of the base's weights, configuration, tokenizer and template."""
        return folders.folder_digest(folders.locate_base(str(config["base"]), root))

    def baseline(self, config: Mapping[str, Any]) -> str:
        """Return the model spec of the base alone, loaded and decoded as the trained model is."""
        settings, defaults = parse_settings(Settings, config), Decoding().model_dump()
        changed = {k: v for k, v in settings.decoding.model_dump().items() if v != defaults[k]}
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in changed.items()}
        query = "&".join(f"{key}={quote(text, safe=QUERY_SAFE)}" for key, text in texts.items())
        return f"folder:{settings.base}{'?' if query else ''}{query}"

    def tokenization(self, config: Mapping[str, Any]) -> TokenizationSpec:
        """Return how tokens are counted: by the base's tokenizer and chat template."""
        settings = parse_settings(Settings, config)
        return TokenizationSpec(
            settings.base, settings.max_length, settings.epochs, settings.on_overflow,
            rejected=settings.objective == "dpo",
        )  # fmt: skip

    def why_no_probe(self, config: Mapping[str, Any]) -> str:
        """Return why it may not be trained on parts of the rows: on other machines."""
        return "machines is 1 in a probe" if config["machines"] > 1 else ""

    def preflight(self, plan: Plan) -> list[Problem]:
        """Return what would make this training fail; nothing is loaded but the tokenizer."""
        if missing := missing_requirements():
            return [Problem(missing)]
        with quiet_libraries():
            from .preflight import find_problems

            problems, self.checkpointing = find_problems(plan)
            return problems

    def train(self, plan: Plan, folder: Path) -> Trained:
        """Train into `folder`: `adapter/` or `model/`, `curves.jsonl`, `figures.json`.

        Started again after a kill, it goes on from its last whole checkpoint to the same weights.
        The model spec is relative to the run's folder: `folder:adapter`. Raises TrainingFailed.
        """
        if missing := missing_requirements():
            raise TrainingFailed(missing)
        with quiet_libraries():
            from .pipeline import train_plan

            return train_plan(plan, folder, checkpointing=self.checkpointing)

    def scorecard_written(self, plan: Plan, folder: Path) -> None:
        """Write the cards of the run's models anew, with the scores of its newest scorecard."""
        if missing := missing_requirements():
            raise ValueError(f"the model card is as it was: {missing}")
        from . import model_card

        model_card.rewrite_cards(plan, folder)
