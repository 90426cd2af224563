"""Patterns of API keys, each from its vendor's documentation, and a search for unknown ones.

Each pattern begins with the vendor's fixed prefix; where a vendor says that the length may change,
the length is a lower bound. A match is a key without any test of its entropy.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from tunegate.utils.key_echoes import kind_changes

from .rule import Span


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """A kind of key: its pattern, and substrings of which a searched text must contain one."""

    kind: str
    markers: tuple[str, ...]
    pattern: re.Pattern[str]


# Kind; markers; the pattern of the key.
_PREFIXED_KEYS = (
    # AWS, IAM identifiers: AKIA (long-lived) and ASIA (temporary) access key ids.
    ("aws_key", "AKIA ASIA ABIA ACCA", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z\d]{16}"),
    (
        "aws_secret",
        "aws_secret AWS_SECRET SecretAccessKey secretAccessKey",
        r"(?i:aws_secret(?:_access)?_key|SecretAccessKey)[\"']?\s*[:=]\s*[\"']?(?P<v>[A-Za-z\d/+]{40})",
    ),
    # GitHub, "Behind GitHub's new authentication token formats" (2021); fine-grained tokens (2022).
    ("github_token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z\d]{36,251}"),
    ("github_token", "github_pat_", r"github_pat_[A-Za-z\d]{22}_[A-Za-z\d]{59}"),
    # GitLab, "Token prefixes" in its documentation.
    ("gitlab_token", "glpat- gldt- glrt-", r"gl(?:pat|dt|rt)-[\w\-]{20,}"),
    # OpenAI: keys of projects, service accounts, admins and users; T3BlbkFJ is "OpenAI" in base64.
    ("openai_key", "proj- svcacct- admin- None-", r"sk-(?:proj|svcacct|admin|None)-[\w\-]{20,}"),
    ("openai_key", "T3BlbkFJ", r"sk-[A-Za-z\d]{20}T3BlbkFJ[A-Za-z\d]{20}"),
    ("openai_key", "sk-", r"sk-[A-Za-z\d]{32,64}"),
    # Other hosts of language models: OpenRouter, Groq, xAI, Perplexity, NVIDIA, Replicate,
    # Fireworks, Cerebras; Tavily.
    ("openrouter_key", "sk-or-v1-", r"sk-or-v1-[0-9a-f]{64}"),
    ("groq_key", "gsk_", r"gsk_[A-Za-z\d]{48,}"),
    ("xai_key", "xai-", r"xai-[A-Za-z\d]{64,}"),
    ("perplexity_key", "pplx-", r"pplx-[A-Za-z\d]{40,}"),
    ("nvidia_key", "nvapi-", r"nvapi-[\w\-]{60,}"),
    ("replicate_token", "r8_", r"r8_[A-Za-z\d]{37}"),
    ("fireworks_key", "fw_", r"fw_[A-Za-z\d]{22,}"),
    ("cerebras_key", "csk-", r"csk-[a-z\d]{40,}"),
    ("tavily_key", "tvly-", r"tvly-(?:dev-|prod-)?[A-Za-z\d]{28,}"),
    # Anthropic, console keys (api) and administrators' (admin).
    ("anthropic_key", "sk-ant-", r"sk-ant-(?:api|admin|oat|ort)\d\d-[\w\-]{20,}"),
    # Slack, "Token types"; incoming webhooks.
    (
        "slack_token", "xoxa xoxb xoxe xoxo xoxp xoxr xoxs xapp-",
        r"xox[abeoprs](?:\.xox[bp])?-[\w\-]{10,}|xapp-\d-[\w\-]{10,}",
    ),
    (
        "slack_webhook", "hooks.slack.com",
        r"https://hooks\.slack\.com/(?:services|workflows)/[\w/]{20,}",
    ),
    # Google Cloud, API keys: 39 characters; OAuth client secrets.
    ("google_key", "AIza", r"AIza[\w\-]{35}"),
    ("google_secret", "GOCSPX-", r"GOCSPX-[\w\-]{28}"),
    # Stripe, "API keys": secret and restricted; publishable (pk_) ones are public by design.
    (
        "stripe_key", "sk_live_ rk_live_ sk_test_ rk_test_",
        r"[sr]k_(?:live|test)_[A-Za-z\d]{16,}",
    ),
    ("stripe_webhook", "whsec_", r"whsec_[A-Za-z\d+/=]{24,}"),
    # Hugging Face, user access tokens and organisations' (api_org_).
    ("huggingface_token", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z\d]{30,}"),
    # npm, "About access tokens" (2021); PyPI, macaroons that begin with pypi-AgEIcHlwaS5vcmc.
    ("npm_token", "npm_", r"npm_[A-Za-z\d]{36}"),
    ("pypi_token", "pypi-AgE", r"pypi-AgE[\w\-]{50,}"),
    # Azure storage and Service Bus connection strings: the key is 32 or 64 bytes in base64.
    (
        "azure_key", "AccountKey= SharedAccessKey=",
        r"(?:AccountKey|SharedAccessKey)=(?P<v>[A-Za-z\d+/]{42,86}={0,2})",
    ),
    # Twilio, SendGrid, Mailgun, DigitalOcean, Telegram bots: each vendor's API documentation.
    ("twilio_key", "SK", r"SK[0-9a-f]{32}"),
    ("sendgrid_key", "SG.", r"SG\.[\w\-]{22}\.[\w\-]{43}"),
    ("digitalocean_token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    ("telegram_token", ":AA", r"\d{8,10}:AA[\w\-]{33}"),
    # Databricks, Shopify, Notion, HashiCorp Vault, Grafana, Docker, Supabase, Linear, Postman,
    # New Relic, Atlassian, Figma: each vendor's documentation of its tokens.
    ("databricks_token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("shopify_token", "shpat_ shpss_ shpca_ shppa_", r"shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}"),
    ("notion_token", "ntn_ secret_", r"(?:ntn_[A-Za-z\d]{40,}|secret_[A-Za-z\d]{43})"),
    ("vault_token", "hvs. hvb.", r"hv[sb]\.[\w\-]{24,}"),
    ("grafana_token", "glsa_", r"glsa_[A-Za-z\d]{32}_[0-9a-f]{8}"),
    ("docker_token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w\-]{27,}"),
    ("supabase_key", "sbp_ sb_secret_", r"sbp_[0-9a-f]{40}|sb_secret_[\w\-]{20,}"),
    ("linear_key", "lin_api_", r"lin_api_[A-Za-z\d]{40}"),
    ("postman_key", "PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("newrelic_key", "NRAK-", r"NRAK-[A-Z\d]{27}"),
    ("atlassian_token", "ATATT3", r"ATATT3[\w\-=]{60,}"),
    ("figma_token", "figd_", r"figd_[\w\-]{36,}"),
    # Google, OAuth access tokens.
    ("google_token", "ya29.", r"ya29\.[\w\-]{20,}"),
    # Mercado Pago, access tokens of production.
    ("mercadopago_token", "APP_USR-", r"APP_USR-\d{10,20}-\d{6}-[0-9a-f]{32}-\d{5,12}"),
    # RFC 7519: header and payload are JSON objects, so both begin with eyJ.
    ("jwt", "eyJ", r"eyJ[\w\-]{10,}\.eyJ[\w\-]{10,}\.[\w\-]{10,}"),
)  # fmt: skip
KEY_PATTERNS = (
    *(
        KeyPattern(kind, tuple(markers.split()), re.compile(rf"(?:{pattern})(?!\w)"))
        for kind, markers, pattern in _PREFIXED_KEYS
    ),
    # RFC 7468 and OpenSSH: a private key in PEM, up to its end line, or what there is of it.
    KeyPattern(
        "private_key",
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN (?:[A-Z\d]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:.{0,20000}?-----END (?:[A-Z\d]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"|(?:(?:\s|\\[nr])*[A-Za-z\d+/=]{16,}){0,400})",
            re.DOTALL,
        ),
    ),
)

# Bits a character: prose and identifiers have less, 20 random base64 characters have about 4.
MIN_ENTROPY = 3.5
MIN_DISTINCT = 10  # characters: fewer are a placeholder, such as `ghp_xxxxxxxx`
MIN_PREFIX = 4  # characters: words end in shorter ones
_ASSIGNED = re.compile(
    r"(?i)(?:api[_-]?key|secret|token(?!iz)|passwd|auth|access[_-]?key|chave|credential)[\w-]{0,20}"
    r"[\"']?\s*[:=]\s*[\"']?(?P<v>[A-Za-z0-9+/_\-.=]{20,200})(?![\w+/])"
)
_KEY_WORDS = re.compile(r"secret|token|key|chave|passwd|auth|credential", re.IGNORECASE)

# Where a request carries a key, whatever the key looks like: user and password of an address, a
# parameter of its query (in another query: %3Fkey%3D), a header.
_SECRET_NAME = (
    r"(?:[\w\-]{0,30}?(?:api[_\-]?key|apikey|access[_\-]?key|token|secret|passwd|password|signature)"
    r"|(?:[\w\-]{0,30}?[_\-])?(?:key|sig|code|auth|pwd))"
)
_SENT = re.compile(
    r"://(?P<userinfo>[^\s/@\"':]{0,100}:[^\s/\"']{0,200})@"
    rf"|(?:[?&;]|%3F|%26){_SECRET_NAME}(?:=|%3D)(?P<query>[^\s&#%;\"'<>]{{4,}})"
    r"|\b(?:Bearer|Basic|Token) (?P<scheme>[\w.~+/\-]{6,}=*)"
    r"|\b(?:x-)?(?:api-key|auth-token|goog-api-key|functions-key|subscription-key)"
    r"[\"']?[:=] ?[\"']?(?P<header>[^\s\"',;}]{6,})",
    re.IGNORECASE,
)
# A word behind the prefix that vendors and local servers give to test keys: sk-local-1234.
_SHORT_KEY = re.compile(r"(?<![\w\-])(?:sk|rk|pk|api|key)-(?=[\w\-]*\d)[\w\-]{7,}")


def sent_key_spans(text: str) -> list[Span]:
    """Return what stands where a request carries a key: in an address, a query or a header.

    Behind `Bearer` and `Basic` a word that holds no digit, capital or sign is no key.
    """
    spans = [Span("key", *match.span()) for match in _SHORT_KEY.finditer(text)]
    for match in _SENT.finditer(text):
        group = str(match.lastgroup)
        if group != "scheme" or not re.fullmatch(r"[A-Z]?[a-z]+", match[group]):
            kind = "url_credentials" if group == "userinfo" else "key"
            spans.append(Span(kind, *match.span(group)))
    return spans


def key_spans(text: str) -> list[Span]:
    """Return the keys of known vendors in a text, in order; of overlapping ones the first."""
    matches: list[Span] = []
    for key in KEY_PATTERNS:
        if any(marker in text for marker in key.markers):
            group = "v" if "v" in key.pattern.groupindex else 0
            for match in key.pattern.finditer(text):
                if len(set(match[0].lower())) >= MIN_DISTINCT and _is_whole(match, key.markers):
                    matches.append(Span(key.kind, *match.span(group)))
    chosen: list[Span] = []
    for span in sorted(matches, key=lambda s: (s.start, -s.end)):
        if not chosen or chosen[-1].end <= span.start:
            chosen.append(span)
    return chosen


def _is_whole(match: re.Match[str], markers: tuple[str, ...]) -> bool:
    """Whether a match is a key, and no part of a longer word: `task-` ends in `sk-`.

    Glued to a word, as in `\\nghp_` or `%3Dsk-proj-`, it is a key where its prefix is too long to
    end a word and digits are strewn in its body, or where the body looks random.
    """
    before = match.string[max(match.start() - 1, 0) : match.start()]
    if match[0].startswith("-----") or not re.match(r"[\w\-]", before):
        return True
    prefix = max((match[0].find(m) + len(m) for m in markers if m in match[0]), default=0)
    body = match[0][prefix:]
    has_digits = any(map(str.isdigit, body)) and 12 * kind_changes(body) > len(body)
    return looks_random(body) or (prefix >= MIN_PREFIX and has_digits)


def looks_random(word: str) -> bool:
    """Whether small letters, capitals and digits alternate, as in keys without a prefix."""
    kinds = (str.islower, str.isupper, str.isdigit)
    return all(any(map(kind, word)) for kind in kinds) and 3 * kind_changes(word) > len(word)


def possible_key_spans(text: str) -> list[Span]:
    """Return the random-looking values that are assigned to a name such as key, token or secret.

    A value looks random if it has letters, digits and an entropy of at least MIN_ENTROPY.
    """
    if not _KEY_WORDS.search(text):
        return []
    spans = []
    for match in _ASSIGNED.finditer(text):
        value = match["v"]
        is_mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if is_mixed and entropy(value) >= MIN_ENTROPY:
            spans.append(Span("possible_secret", *match.span("v")))
    return spans


def entropy(value: str) -> float:
    """Return the Shannon entropy of a string's characters, in bits a character."""
    n = len(value)
    return -sum(c / n * math.log2(c / n) for c in Counter(value).values())


def mask_key(value: str) -> str:
    """Return the vendor's prefix of an API key, which says which key to revoke, and `***`."""
    prefix = re.match(r"-----BEGIN|[A-Za-z]{2,6}[-_](?:[a-z]{3,7}[-_])?|AKIA|ASIA|AIza|eyJ", value)
    return f"{prefix[0] if prefix and len(value) > 16 else ''}***"
