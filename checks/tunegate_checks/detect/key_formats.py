"""The formats of API keys and tokens as data: each from its vendor's documentation.

Each pattern begins with the vendor's fixed prefix; where a vendor says that the length may change,
the length is a lower bound. The last formats have no prefix: a header or a label names the value.
"""

from typing import NamedTuple


class KeyFormat(NamedTuple):
    """A format of keys: one of its keywords stands in every text that holds such a key."""

    kind: str
    keywords: str  # separated by spaces
    pattern: str  # the key is its group `v`, or the whole match
    least_entropy: float = 3.0  # bits a character, case ignored: `ghp_xxxxxxxx` has fewer


# A word that may stand in a seed phrase: BIP 39 has no articles and prepositions.
_WORD = (
    r"(?!(?:the|and|for|from|with|your|are|was|not|has|our|que|com|uma|por|para|seu)\b)[a-z]{3,8}"
)
_FORMATS: tuple[tuple[str, str, str] | tuple[str, str, str, float], ...] = (
    # AWS, IAM identifiers: AKIA (long-lived) and ASIA (temporary) access key ids.
    ("aws_key", "AKIA ASIA ABIA ACCA", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z\d]{16}"),
    ("aws_secret", "aws_secret AWS_SECRET SecretAccessKey secretAccessKey",
     r"(?i:aws_secret(?:_access)?_key|SecretAccessKey)[\"']?\s*[:=]\s*[\"']?(?P<v>[A-Za-z\d/+]{40})"),
    # GitHub, "Behind GitHub's new authentication token formats" (2021); fine-grained tokens (2022).
    ("github_token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z\d]{36,251}"),
    ("github_token", "github_pat_", r"github_pat_[A-Za-z\d]{22}_[A-Za-z\d]{59}"),
    ("aws_session_token", "ession_token ESSION_TOKEN essionToken",
     r"(?i:session_?token)[\"']?\s*[:=]\s*[\"']?(?P<v>[A-Za-z\d+/]{100,}={0,2})", 4.0),
    # GitLab, "Token prefixes" in its documentation; the old one of runners. A routable token has
    # its length and checksum behind a dot.
    ("gitlab_token",
     "glpat- gloas- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glwt- glsoat- "
     "glffct-", r"gl(?:pat|oas|dt|rtr?|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[\w\-]{20,}"
     r"(?:\.[\da-z]{2}\.?[\da-z]{7,9}\b)?"),
    ("gitlab_token", "GR1348941", r"GR1348941[\w\-]{20,}"),
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
    # Pinecone, LangSmith, Langfuse, Together, ElevenLabs, Jina, Firecrawl, E2B, Weights & Biases.
    ("pinecone_key", "pcsk_", r"pcsk_[A-Za-z\d]{4,8}_[A-Za-z\d]{40,}"),
    ("langsmith_key", "lsv2_", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    ("langfuse_key", "sk-lf-", r"sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("together_key", "tgp_v1_", r"tgp_v1_[\w\-]{40,}"),
    ("elevenlabs_key", "sk_", r"sk_[0-9a-f]{48}"),
    ("jina_key", "jina_", r"jina_[\w\-]{40,}"),
    ("firecrawl_key", "fc-", r"fc-[0-9a-f]{32}"),
    ("e2b_key", "e2b_", r"e2b_[0-9a-f]{40}"),
    ("wandb_key", "wandb_v1_", r"wandb_v1_[A-Za-z\d]{27}_[A-Za-z\d]{49}"),
    ("tavily_key", "tvly-", r"tvly-(?:dev-|prod-)?[A-Za-z\d]{28,}"),
    # Anthropic, console keys (api) and administrators' (admin).
    ("anthropic_key", "sk-ant-", r"sk-ant-(?:api|admin|oat|ort)\d\d-[\w\-]{20,}"),
    # Slack, "Token types"; incoming webhooks.
    ("slack_token", "xoxa xoxb xoxe xoxo xoxp xoxr xoxs xapp-",
     r"xox[abeoprs](?:\.xox[bp])?-[\w\-]{10,}|xapp-\d-[\w\-]{10,}"),
    ("slack_webhook", "hooks.slack.com",
     r"https://hooks\.slack\.com/(?:services|workflows)/[\w/]{20,}"),
    # Discord and Microsoft Teams (connectors, and workflows of Power Automate), incoming webhooks.
    ("discord_webhook", "/api/webhooks/",
     r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w\-]{60,}"),
    # Discord, a bot: its number in base64, the time, a signature.
    ("discord_token", "MD MT Mj Mz ND NT Nj Nz OD OT",
     r"[MNO][A-Za-z\d]{23,27}\.[\w\-]{6}\.[\w\-]{27,45}", 4.0),
    ("teams_webhook", ".webhook.office.com",
     r"https://[\w\-]+\.webhook\.office\.com/webhookb2/[\w@\-/]{80,}"),
    ("teams_webhook", "sig=",
     r"https://[\w.\-]+\.(?:logic\.azure|api\.powerplatform)\.com[\w:/.\-]{1,200}\?[^\s\"'<>]{0,200}?"
     r"sig=[\w\-]{30,}"),
    # Google Cloud, API keys: 39 characters; OAuth client secrets.
    ("google_key", "AIza", r"AIza[\w\-]{35}"),
    ("google_secret", "GOCSPX-", r"GOCSPX-[\w\-]{28}"),
    # Stripe, "API keys": secret and restricted; publishable (pk_) ones are public by design.
    ("stripe_key", "sk_live_ rk_live_ sk_test_ rk_test_", r"[sr]k_(?:live|test)_[A-Za-z\d]{16,}"),
    ("stripe_webhook", "whsec_", r"whsec_[A-Za-z\d+/=]{24,}"),
    # Hugging Face, user access tokens and organisations' (api_org_).
    ("huggingface_token", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z\d]{30,}"),
    # npm, "About access tokens" (2021); PyPI, macaroons that begin with pypi-AgEIcHlwaS5vcmc.
    ("npm_token", "npm_", r"npm_[A-Za-z\d]{36}"),
    ("pypi_token", "pypi-AgE", r"pypi-AgE[\w\-]{50,}"),
    # Azure storage and Service Bus connection strings: the key is 32 or 64 bytes in base64.
    ("azure_key", "AccountKey= SharedAccessKey=",
     r"(?:AccountKey|SharedAccessKey)=(?P<v>[A-Za-z\d+/]{42,86}={0,2})"),
    # Twilio, SendGrid, Mailgun, Brevo, DigitalOcean, Telegram bots: each vendor's documentation.
    ("twilio_key", "SK", r"SK[0-9a-f]{32}"),
    ("sendgrid_key", "SG.", r"SG\.[\w\-]{22}\.[\w\-]{43}"),
    ("mailgun_key", "key-", r"key-[0-9a-f]{32}"),
    ("brevo_key", "xkeysib-", r"xkeysib-[0-9a-f]{64}-[A-Za-z\d]{16}"),
    ("digitalocean_token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    ("telegram_token", ":AA", r"\d{8,10}:AA[\w\-]{33}"),
    # Databricks, Shopify, Notion, HashiCorp Vault, Grafana, Docker, Supabase, Linear, Postman,
    # New Relic, Atlassian, Figma: each vendor's documentation of its tokens.
    ("databricks_token", "dapi dose dkea", r"d(?:api|ose|kea)[0-9a-f]{32}(?:-\d)?"),
    ("shopify_token", "shpat_ shpss_ shpca_ shppa_ shptka_",
     r"shp(?:at|ss|ca|pa|tka)_[0-9a-fA-F]{32}"),
    ("notion_token", "ntn_ secret_", r"(?:ntn_[A-Za-z\d]{40,}|secret_[A-Za-z\d]{43})"),
    ("vault_token", "hvs. hvb. hvr.", r"hv[sbr]\.[\w\-]{24,}"),
    ("grafana_token", "glsa_", r"glsa_[A-Za-z\d]{32}_[0-9a-f]{8}"),
    ("grafana_token", "glc_ eyJrIjoi", r"(?:glc_|eyJrIjoi)[A-Za-z\d+/]{32,}={0,2}"),
    ("docker_token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w\-]{27,}"),
    ("supabase_key", "sbp_ sb_secret_", r"sbp_[0-9a-f]{40}|sb_secret_[\w\-]{20,}"),
    ("linear_key", "lin_api_ lin_oauth_", r"lin_(?:api_[A-Za-z\d]{40}|oauth_[0-9a-f]{64})"),
    ("postman_key", "PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("newrelic_key", "NRAK-", r"NRAK-[A-Z\d]{27}"),
    ("atlassian_token", "ATATT3", r"ATATT3[\w\-=]{60,}"),
    ("figma_token", "figd_", r"figd_[\w\-]{36,}"),
    # Sentry, Doppler, Pulumi, PlanetScale, Airtable, RubyGems, Netlify, Buildkite, 1Password.
    ("sentry_token", "sntrys_ sntryu_", r"sntry(?:s_[\w+/=\-]{60,}|u_[0-9a-f]{64})"),
    ("doppler_token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w\-.]{40,}"),
    ("pulumi_token", "pul-", r"pul-[0-9a-f]{40}"),
    ("planetscale_token", "pscale_", r"pscale_(?:tkn|pw|oauth)_[\w\-.=]{32,}"),
    ("airtable_token", "pat", r"pat[A-Za-z\d]{14}\.[0-9a-f]{64}"),
    ("rubygems_key", "rubygems_", r"rubygems_[0-9a-f]{48}"),
    ("netlify_token", "nfp_", r"nfp_[A-Za-z\d]{36,}"),
    ("buildkite_token", "bkua_", r"bkua_[0-9a-f]{40}"),
    ("onepassword_token", "ops_eyJ", r"ops_eyJ[\w+/\-]{200,}={0,2}"),
    # Google, OAuth access and refresh tokens.
    ("google_token", "ya29.", r"ya29\.[\w\-]{20,}"),
    ("google_token", "1//0", r"1//0[\w\-]{40,}"),
    # Asaas, production and sandbox; Mercado Pago, access tokens of production.
    ("asaas_key", "$aact_", r"\$aact_[\w+/:=\-]{40,}"),
    ("mercadopago_token", "APP_USR-", r"APP_USR-\d{10,20}-\d{6}-[0-9a-f]{32}-\d{5,12}"),
    # RFC 7519: header and payload are JSON objects, so both begin with eyJ.
    ("jwt", "eyJ", r"eyJ[\w\-]{10,}\.eyJ[\w\-]{10,}\.[\w\-]{10,}"),
    # RFC 7468 and OpenSSH: a private key in PEM, up to its end line, or what there is of it.
    ("private_key", "PRIVATE", r"-----BEGIN (?:[A-Z\d]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
     r"(?=(?:(?!-----).){0,300}?[A-Za-z\d+/=]{16})"
     r"(?:.{0,20000}?-----END (?:[A-Z\d]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
     r"|(?:(?:\s|\\[nr])*[A-Za-z\d+/=]{16,}){0,400})"),
    # RFC 6750 and 7617: what an HTTP request carries, whatever the vendor; curl's --user.
    ("bearer_token", "Bearer bearer BEARER",
     r"(?i:bearer) (?=[^\s\"']{0,99}\d)(?P<v>[\w.~+/\-]{15,}\w=*)", 3.5),
    ("basic_auth", "uthorization UTHORIZATION",
     r"(?i:authorization[\"']?\s?[:=,]\s?[\"']?basic) (?=[A-Za-z+/]{0,99}(?:\d|[a-z][A-Z]))"
     r"(?P<v>[A-Za-z\d+/]{6,}={0,2})", 2.5),
    ("basic_auth", "curl",
     r"curl\b[^\n|;]{0,300}?\s(?:-u|--user)[ =]?[\"']?(?P<v>[^\s\"':]{1,64}:[^\s\"']{3,64})", 2.0),
    # BIP 39: 12 to 24 words of three to eight letters, behind a name for them.
    ("seed_phrase", "seed Seed SEED ecovery nemonic semente ecupera",
     r"(?i:(?:seed|recovery|mnemonic)[ _](?:phrase|words)|mnemonic"
     r"|(?:frase|palavras) (?:semente|mnem[oô]nicas?|de recupera[cç][aã]o))"
     r"(?:[\"']?\s?[:=]|\s(?:is|are|é|são))?[\s\"']{1,3}"
     rf"(?P<v>{_WORD}(?:\s{_WORD}){{11}}(?:(?:\s{_WORD}){{3}}){{0,4}})"),
)  # fmt: skip

KEY_FORMATS = tuple(KeyFormat(*row) for row in _FORMATS)
