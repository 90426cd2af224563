"""Connects to the provider, and turns its errors into one readable message."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from tunegate.interfaces.trainer import TrainingFailed
from tunegate.utils.masking import hide_key, mask

from .settings import Settings

if TYPE_CHECKING:
    import stamina
    from openai import APIStatusError, OpenAI


CLOSED_TO_ORGANISATION = (
    "the provider takes no new fine-tuning jobs from this organisation (OpenAI ends self-serve "
    "fine-tuning for everybody on 2027-01-06). Train at a provider that speaks the same protocol "
    "(set base_url in [train.openai]), or on your own machine: --train-with qlora"
)


def connect(settings: Settings) -> "OpenAI":
    """Return a client without retries, which can create two jobs; TrainingFailed without a key."""
    from openai import OpenAI

    if not (key := os.environ.get(settings.key_env, "")):
        raise TrainingFailed(f"no key: set the environment variable {settings.key_env}")
    parts = urlsplit(settings.base_url)
    return OpenAI(
        api_key=key, base_url=urlunsplit(parts._replace(query="")), max_retries=0,
        default_query=dict(parse_qsl(parts.query)),
        default_headers={settings.key_header: key} if settings.key_header else None,
    )  # fmt: skip


@contextmanager
def readable_errors(settings: Settings, action: str) -> Iterator[None]:
    """Turn what the openai package raises inside the block into one message, the key masked."""
    from openai import APIConnectionError, APIStatusError, OpenAIError

    hide_key(os.environ.get(settings.key_env, ""))
    try:
        yield
        return
    except APIStatusError as error:
        reason = _status_text(error, settings)
    except APIConnectionError as error:  # timeouts too
        cause = error.__cause__ or error
        reason = f"{settings.base_url} does not answer ({type(cause).__name__}: {cause})"
    except OpenAIError as error:
        reason = str(error)
    raise TrainingFailed(f"{action}: {mask(reason)}") from None


def _status_text(error: "APIStatusError", settings: Settings) -> str:
    """Return status and reason; what the provider says on one line of at most 300 characters."""
    code, body = error.status_code, error.body
    provider_text = body.get("message") if isinstance(body, dict) else None
    message = mask(" ".join(str(provider_text or error.message).split()))[:300]
    if code == 401:
        return f"401: the key in {settings.key_env} is not accepted by {settings.base_url}"
    if code == 403 and error.code == "training_not_available":
        return f"403: {CLOSED_TO_ORGANISATION}"
    if code == 429 and error.code == "insufficient_quota":
        return f"429: the account has no credit left; the provider says: {message}"
    return f"{code}: the provider says: {message}"


def attempts(most: int, first_wait: float, longest_wait: float) -> "Iterator[stamina.Attempt]":
    """Yield a context for each try of a request, until one ends without an error.

    429, 5xx and a lost connection are tried again, `most` tries in all, after the seconds of
    `Retry-After`, else after `first_wait` seconds, twice as many each time, up to `longest_wait`.
    """
    import stamina

    # stamina warns of each retry by `logging`, which prints it where no handler takes it.
    logging.getLogger("stamina").addHandler(logging.NullHandler())
    waits = {"wait_initial": first_wait, "wait_max": longest_wait, "wait_jitter": 0}
    return iter(stamina.retry_context(retry_delay, most, None, **waits))


def retry_delay(error: Exception) -> float | bool:
    """Return whether to try again: the seconds of `Retry-After`, or True for stamina's own wait."""
    from openai import APIConnectionError, APIStatusError, InternalServerError, RateLimitError

    if not isinstance(error, APIConnectionError | InternalServerError | RateLimitError):
        return False
    headers = error.response.headers if isinstance(error, APIStatusError) else {}
    try:
        return max(float(headers["retry-after"]), 0.0) or True
    except (KeyError, ValueError):  # without one, or with a date, which OpenAI does not send
        return True
