"""Keys are put together here, never written out: no scanner should stumble over this file."""

import base64
import itertools
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate import Dataset, Finding
from tunegate_checks.data import secrets
from tunegate_checks.detect import api_keys
from tunegate_checks.detect.api_keys import KEY_FORMATS

MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 6
HEX = "0123456789abcdef" * 6
GUID = "01234567-89ab-cdef-0123-456789abcdef"
B64 = "kF3x9Qz7Lm2Vb8Nc4Rt6" * 5

KEYS = {
    "aws_key": "AKIA" + "Q3EXAMPLE7WZ2K5M",
    "aws_secret": "aws_secret_access_key = " + MIXED[:40],
    "github_token": "ghp" + "_" + MIXED[:36],
    "gitlab_token": "glpat" + "-" + MIXED[:20],
    "openai_key": "sk" + "-proj-" + MIXED[:80],
    "anthropic_key": "sk" + "-ant-api03-" + MIXED[:90] + "-AA",
    "slack_token": "xoxb" + "-123456789012-" + MIXED[:24],
    "slack_webhook": "https://hooks." + "slack.com/services/T0AB1CD2E/B0AB1CD2E/" + MIXED[:24],
    "google_key": "AIza" + "Sy" + MIXED[:33],
    "google_secret": "GOCSPX" + "-" + MIXED[:28],
    "stripe_key": "sk" + "_live_" + MIXED[:24],
    "stripe_webhook": "whsec" + "_" + MIXED[:32],
    "huggingface_token": "hf" + "_" + MIXED[:34],
    "npm_token": "npm" + "_" + MIXED[:36],
    "pypi_token": "pypi" + "-AgEIcHlwaS5vcmc" + MIXED[:80],
    "azure_key": "AccountName=shop;Account" + "Key=" + (B64 + B64)[:86] + "==",
    "twilio_key": "SK" + HEX[:32],
    "sendgrid_key": "SG" + "." + MIXED[:22] + "." + MIXED[:43],
    "digitalocean_token": "dop_v1" + "_" + HEX[:64],
    "telegram_token": "1234567890" + ":AA" + MIXED[:33],
    "mercadopago_token": "APP_USR" + "-1234567890123456-010203-" + HEX[:32] + "-123456789",
    "openrouter_key": "sk" + "-or-v1-" + HEX[:64],
    "groq_key": "gsk" + "_" + MIXED[:52],
    "xai_key": "xai" + "-" + MIXED[:80],
    "perplexity_key": "pplx" + "-" + MIXED[:48],
    "nvidia_key": "nvapi" + "-" + MIXED[:64],
    "replicate_token": "r8" + "_" + MIXED[:37],
    "fireworks_key": "fw" + "_" + MIXED[:22],
    "cerebras_key": "csk" + "-" + HEX[:48],
    "tavily_key": "tvly" + "-dev-" + MIXED[:32],
    "databricks_token": "dapi" + HEX[:32],
    "shopify_token": "shpat" + "_" + HEX[:32],
    "notion_token": "ntn" + "_" + MIXED[:46],
    "vault_token": "hvs" + "." + MIXED[:90],
    "grafana_token": "glsa" + "_" + MIXED[:32] + "_" + HEX[:8],
    "docker_token": "dckr" + "_pat_" + MIXED[:27],
    "supabase_key": "sbp" + "_" + HEX[:40],
    "linear_key": "lin" + "_api_" + MIXED[:40],
    "postman_key": "PMAK" + "-" + HEX[:24] + "-" + HEX[:34],
    "newrelic_key": "NRAK" + "-" + MIXED.upper()[:27],
    "atlassian_token": "ATATT3" + MIXED[:180],
    "figma_token": "figd" + "_" + MIXED[:40],
    "google_token": "ya29" + "." + MIXED[:120],
    "jwt": "eyJ" + MIXED[:20] + ".eyJ" + MIXED[:40] + "." + MIXED[:43],
    "private_key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + MIXED[:64] + "\n-----END RSA "
    "PRIVATE KEY-----",
    "aws_session_token": "aws_session_token = " + MIXED[:120] + "==",
    "pinecone_key": "pcsk" + "_" + MIXED[:6] + "_" + MIXED[:63],
    "langsmith_key": "lsv2" + "_pt_" + HEX[:32] + "_" + HEX[:10],
    "langfuse_key": "sk" + "-lf-01234567-89ab-cdef-0123-" + HEX[:12],
    "together_key": "tgp" + "_v1_" + MIXED[:43],
    "elevenlabs_key": "sk" + "_" + HEX[:48],
    "jina_key": "jina" + "_" + MIXED[:60],
    "firecrawl_key": "fc" + "-" + HEX[:32],
    "e2b_key": "e2b" + "_" + HEX[:40],
    "wandb_key": "wandb" + "_v1_" + MIXED[:27] + "_" + MIXED[:49],
    "discord_webhook": "https://discord" + ".com/api/webhooks/123456789012345678/" + MIXED[:68],
    "discord_token": "MTk4NjIyNDgz" + "NDcxOTI1MjQ4." + "Cl2FMQ." + MIXED[:27],
    "teams_webhook": "https://acme.webhook" + ".office.com/webhookb2/" + GUID + "@" + GUID
    + "/IncomingWebhook/" + HEX[:32] + "/" + GUID,
    "mailgun_key": "key" + "-" + HEX[:32],
    "brevo_key": "xkeysib" + "-" + HEX[:64] + "-" + MIXED[:16],
    "sentry_token": "sntrys" + "_" + MIXED[:100],
    "doppler_token": "dp" + ".pt." + MIXED[:43],
    "pulumi_token": "pul" + "-" + HEX[:40],
    "planetscale_token": "pscale" + "_tkn_" + MIXED[:43],
    "airtable_token": "pat" + MIXED[:14] + "." + HEX[:64],
    "rubygems_key": "rubygems" + "_" + HEX[:48],
    "netlify_token": "nfp" + "_" + MIXED[:40],
    "buildkite_token": "bkua" + "_" + HEX[:40],
    "onepassword_token": "ops" + "_eyJ" + (MIXED + MIXED)[:250],
    "asaas_key": "$aact" + "_prod_000" + MIXED[:150],
    "bearer_token": "Authorization: Bearer " + MIXED[:40],
    "basic_auth": "curl -u ana:s3cr3t" + "pw9",
    "seed_phrase": "seed phrase: ladder tiger velvet orphan cactus miracle goose winter planet "
    "robust lemon arch",
}  # fmt: skip
# Kinds with more than one format.
OTHER_KEYS = [
    ("github_token", "github" + "_pat_" + MIXED[:22] + "_" + MIXED[:59]),
    ("gitlab_token", "GR1348941" + MIXED[:20]),
    ("openai_key", "sk" + "-" + MIXED[:20] + "T3Blbk" + "FJ" + MIXED[:20]),
    ("openai_key", "sk" + "-" + MIXED[:48]),
    ("teams_webhook", "https://prod-01.westeurope.logic" + ".azure.com:443/workflows/" + HEX[:32]
     + "/triggers/manual/paths/invoke?api-version=2016-06-01&sig=" + MIXED[:43]),
    ("grafana_token", "glc" + "_" + MIXED[:90] + "=="),
    ("google_token", "1//0" + MIXED[:60]),
    ("basic_auth", "Authorization: Basic YW5hOnMz" + "Y3JldHB3OTk="),
]  # fmt: skip
GITLAB = "pat oas dt rt rtr cbt ptt ft imt agent wt soat ffct"
# The example begins with words that say what the key is, which are no part of it.
LABELLED = {
    "aws_secret", "azure_key", "aws_session_token", "bearer_token", "basic_auth", "seed_phrase",
}  # fmt: skip


def of(*texts: str) -> Dataset:
    return Dataset.of([{"messages": [{"role": "user", "content": t}]} for t in texts])


@pytest.mark.parametrize(("kind", "key"), KEYS.items())
@pytest.mark.parametrize("sentence", ["{}", "use {} here", 'key="{}"', "({})", "a\n{}\nb"])
def test_a_vendors_key_is_found_and_not_shown(kind: str, key: str, sentence: str) -> None:
    (finding,) = secrets.find(of(sentence.format(key)))
    assert finding.kind == kind
    assert finding.evidence.startswith("messages[0] ")
    assert finding.evidence.endswith("***")
    assert len(finding.evidence) < 35
    assert "\n" not in finding.evidence


GLUED = ["\\n{}", "token{}", "%3D{}", "my_{}", "id-{}", "9{}"]


@pytest.mark.parametrize("glued", GLUED)
def test_a_key_glued_to_a_word_is_found(glued: str) -> None:
    """All but those whose body is hexadecimal behind a short prefix, as in TASK and DISK."""
    for kind, key in KEYS.items():
        if kind not in {"twilio_key", "elevenlabs_key", "firecrawl_key", "airtable_token"}:
            text = glued.format(key)
            (span,) = api_keys.key_spans(text)
            assert span.kind == kind
            if kind not in LABELLED:
                assert text[span.start : span.end] == key


@pytest.mark.parametrize(
    "text",
    [
        "task-" + HEX[:32],
        "disk-" + "7f" * 4 + HEX[:24],
        "TASK" + HEX[:32],
        "nsfw_" + HEX[:32],
        "pdf_hf_" + "averylongfilenamewithoutanydigits",
        "configd_a_long_name_of_a_setting_of_version_2_in_all",
        "MALAYSIA" + "AUSTRALASIA" + "INTERNATIONALCUP",
    ],
)
def test_a_word_that_ends_in_a_prefix_is_no_key(text: str) -> None:
    assert not api_keys.key_spans(text)


@given(st.text(string.ascii_letters + string.digits + "_-", max_size=9))
def test_what_stands_before_a_key_does_not_hide_it(before: str) -> None:
    key = KEYS["openai_key"]
    (span,) = api_keys.key_spans(f"{before}{key} is mine")
    assert span.end == len(before) + len(key)


def test_every_format_has_a_key_here() -> None:
    keys = [*KEYS.items(), *OTHER_KEYS]
    for key in KEY_FORMATS:
        examples = [text for kind, text in keys if kind == key.kind]
        matched = [text for text in examples if re.search(key.pattern, text, re.DOTALL)]
        assert matched, key
        assert any(word in text for word in key.keywords.split() for text in matched), key
        (span,) = api_keys.key_spans(matched[0])
        assert span.kind == key.kind


def test_a_key_in_base64_is_found_whole() -> None:
    encoded = base64.b64encode(KEYS["github_token"].encode()).decode()
    text = f"data:\n  token: {encoded}\n  other: {base64.b64encode(b'x' * 40).decode()}\n"
    assert [(s.kind, text[s.start : s.end]) for s in api_keys.key_spans(text)] == [
        ("github_token", encoded)
    ]


@pytest.mark.parametrize(("kind", "key"), OTHER_KEYS)
def test_another_format_of_a_kind_is_found(kind: str, key: str) -> None:
    (span,) = api_keys.key_spans(f"use {key} here")
    assert span.kind == kind


def test_every_kind_of_gitlabs_tokens_is_found() -> None:
    for kind in GITLAB.split():
        for routable in ("", ".0a1b2c3d4", ".01.1b2c3d4e5"):
            key = f"gl{kind}-{MIXED[:27]}{routable}"
            (span,) = api_keys.key_spans(f"push with {key}")
            assert (span.kind, span.end) == ("gitlab_token", 10 + len(key))


@pytest.mark.parametrize(
    "text",
    [
        "Set OPENAI_API_KEY to your key, which begins with sk-.",
        "ghp_" + "x" * 36,
        "sk-" + "X" * 40,
        "task-force-for-the-proj-of-the-year-and-many-more-words-in-a-row",
        "AKIA is the prefix of AWS keys",
        "-----BEGIN " + "PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "pk_" + "live_" + MIXED[:24],
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "pedido BR123456789BR, protocolo 20240012345678",
        "the token is a word, the secret is to try",
        "password: hunter2",
    ],
)
def test_what_is_no_key_stays_silent(text: str) -> None:
    found = secrets.find(of(text))
    assert not found
    assert not found.hints


def test_a_random_looking_value_is_a_hint_and_closes_no_gate() -> None:
    value = "q8Zx3Lw0vT7nB5mK2jH9"
    found = secrets.find(of(f'client_secret = "{value}"'))
    assert not found
    (hint,) = found.hints
    assert hint == Finding(0, 1, "possible_secret", "messages[0] ***", hint=True)


def test_public_keys_are_allowed() -> None:
    key, hint = KEYS["github_token"], "q8Zx3Lw0vT7nB5mK2jH9"
    data = of(f"use {key} or client_secret = {hint}")
    assert not secrets.find(data, allow=[key, hint]).hints
    assert not secrets.find(data, allow=[key])
    assert secrets.find(data, allow=[key[:-1], key.upper()]).kinds == {"github_token": 1}


def test_a_known_key_is_no_hint_besides() -> None:
    found = secrets.find(of("api_key=" + KEYS["github_token"]))
    assert [f.kind for f in found] == ["github_token"]
    assert not found.hints


def test_an_unclosed_private_key_is_found() -> None:
    text = KEYS["private_key"].partition("\n-----END")[0]
    assert [s.kind for s in api_keys.key_spans(text)] == ["private_key"]


def test_a_key_in_a_system_prompt_is_reported_once() -> None:
    system = {"role": "system", "content": "Use " + KEYS["npm_token"]}
    rows = [{"messages": [system, {"role": "user", "content": str(i)}]} for i in range(3)]
    assert [f.row for f in secrets.find(Dataset.of(rows))] == [0]


@given(st.text(string.ascii_letters + string.digits, min_size=36, max_size=36))
def test_the_key_itself_is_never_printed(body: str) -> None:
    found = secrets.find(of("ghp" + "_" + body))
    assert body[:5] not in repr(found) + "".join(f.evidence for f in [*found, *found.hints])


@given(st.text())
def test_any_text_gives_spans_in_order_and_apart(text: str) -> None:
    spans = api_keys.key_spans(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def test_entropy_is_that_of_shannon() -> None:
    assert api_keys.entropy("aaaa") == 0
    assert api_keys.entropy("abcd") == 2
