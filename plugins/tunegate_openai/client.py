"""Connects to the provider, and turns its errors into one readable message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.utils import optional_deps

from .settings import Settings

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, OpenAI


CLOSED_TO_ORGANISATION = (
    "the provider takes no new fine-tuning jobs from this organisation (OpenAI ends self-serve "
    "fine-tuning for everybody on 2027-01-06). Train at a provider that speaks the same protocol "
    "(set base_url in [train.openai]), or on your own machine: --train-with qlora"
)


def connect(settings: Settings) -> OpenAI:
    """Return a client without automatic retries; raise TrainingFailed where no key is set.

    A request that is sent twice can create two jobs, so each caller decides when to try again.
    """
    from openai import OpenAI

    key = os.environ.get(settings.key_env, "")
    if not key:
        raise TrainingFailed(f"no key: set the environment variable {settings.key_env}")
    parts = urlsplit(settings.base_url)
    return OpenAI(
        api_key=key,
        base_url=urlunsplit(parts._replace(query="")),
        default_query=dict(parse_qsl(parts.query)),
        default_headers={settings.key_header: key} if settings.key_header else None,
        max_retries=0,
    )


@contextmanager
def readable_errors(settings: Settings, action: str) -> Iterator[None]:
    """Turn what the openai package raises inside the block into one message, the key masked."""
    from openai import APIConnectionError, APIStatusError, OpenAIError

    try:
        yield
    except APIStatusError as error:
        raise TrainingFailed(
            _mask_key(f"{action}: {_status_text(error, settings)}", settings)
        ) from None
    except APIConnectionError as error:  # timeouts too
        cause = error.__cause__ or error
        message = f"{action}: {settings.base_url} does not answer ({type(cause).__name__}: {cause})"
        raise TrainingFailed(_mask_key(message, settings)) from None
    except OpenAIError as error:
        raise TrainingFailed(_mask_key(f"{action}: {error}", settings)) from None


def _status_text(error: APIStatusError, settings: Settings) -> str:
    code, message = error.status_code, provider_message(error)
    if code == 401:
        return f"401: the key in {settings.key_env} is not accepted by {settings.base_url}"
    if code == 403 and error.code == "training_not_available":
        return f"403: {CLOSED_TO_ORGANISATION}"
    if code == 429 and error.code == "insufficient_quota":
        return f"429: the account has no credit left; the provider says: {message}"
    return f"{code}: the provider says: {message}"


def provider_message(error: APIStatusError) -> str:
    """Return what the provider said, in one line of at most 300 characters."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return " ".join(str(message or error.message).split())[:300]


def _mask_key(text: str, settings: Settings) -> str:
    key = os.environ.get(settings.key_env, "")
    return text.replace(key, "[key]") if key else text


def retry_after_seconds(error: APIError) -> float:
    """Return the seconds that a refusal asks to wait for (`Retry-After`), 0.0 where it does not."""
    response = getattr(error, "response", None)
    retry_after = response.headers.get("retry-after", "") if response is not None else ""
    return float(retry_after) if retry_after.replace(".", "", 1).isdigit() else 0.0


def missing_requirements() -> str:
    """Return one line saying how to install what is missing, "" where nothing is."""
    return optional_deps.missing_packages("train.openai", "openai", "openai")
