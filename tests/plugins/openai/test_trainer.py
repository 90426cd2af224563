"""The trainer as tunegate calls it: settings, preflight, training, what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import pytest
from openai_parts import KEY, Provider

from tunegate import Dataset
from tunegate.interfaces.trainer import Plan, Trainer, TrainingFailed
from tunegate_openai.settings import Settings
from tunegate_openai.trainer import OpenAITrainer, count_tokens, find_problems

Out = pytest.CaptureFixture[str]


def told(plan: Plan, settings: Settings, today: date | None = None) -> str:
    return "\n".join(problem.what for problem in find_problems(plan, settings, today))


def test_it_is_a_trainer() -> None:
    assert isinstance(OpenAITrainer(), Trainer)


def test_a_preset_fills_in_what_is_not_said(tmp_path: Path) -> None:
    config = {"base": "small-1", "preset": "classification", "epochs": 1}
    got = OpenAITrainer().resolve(config, tmp_path)
    assert (got["epochs"], got["batch"], got["learning_rate_multiplier"]) == (1, 4, 1.8)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, 'base is missing: write base = "NAME", a model of the provider'),
        ({"base": "x", "epoch": 3}, "unknown key 'epoch', did you mean 'epochs'?; valid here: "),
        ({"base": "x", "epochs": 99}, "epochs = 99: the value should be less than or equal to 50"),
        ({"base": "x", "preset": "poetry"}, "preset = 'poetry': the value should be"),
    ],
)
def test_a_wrong_setting(config: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        OpenAITrainer().resolve(config, tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_provider_answers_for_the_base() -> None:
    usual = OpenAITrainer().baseline({"base": "gpt-x"})
    assert usual == "openai:gpt-x"
    own = {"base": "m", "base_url": "https://x.test/v1?api-version=3", "key_header": "api-key"}
    spec = OpenAITrainer().baseline(own)
    assert spec.startswith("openai:m?base_url=https%3A%2F%2Fx.test%2Fv1%3Fapi-version%3D3&")


def test_preflight_passes_and_says_what_it_will_cost(
    provider: Provider, plan: Plan, settings: Settings, capsys: Out
) -> None:
    priced = settings.model_copy(update={"price_per_million": 25.0, "epochs": 2})
    assert told(plan, priced) == ""
    assert capsys.readouterr().out.startswith("openai    about ")
    assert provider.jobs == []
    assert provider.uploads == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": "small-2"}, "has no model 'small-2'; it has: fading-1, old-1, small-1"),
        ({"base": "old-1"}, "old-1 was shut down on 2020-01-01"),
        ({"max_cost": 1.0}, "max_cost is set and no price"),
        ({"max_cost": 1e-6, "price_per_million": 100.0}, "; max_cost is $0.00"),
        ({"key_env": "NO_SUCH_KEY"}, "set the environment variable NO_SUCH_KEY"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1 does not answer"),
    ],
    ids=str,
)
def test_preflight_refuses(
    plan: Plan, settings: Settings, changes: dict[str, object], said: str
) -> None:
    assert said in told(plan, settings.model_copy(update=changes))


def test_a_model_that_ends_soon(plan: Plan, settings: Settings, capsys: Out) -> None:
    fading = settings.model_copy(update={"base": "fading-1"})
    assert told(plan, fading, date(2098, 12, 1)) == ""
    assert "fading-1 is shut down on 2099-01-01, in 31 days" in capsys.readouterr().out
    assert "was shut down" in told(plan, fading, date(2099, 1, 1))


def test_training(provider: Provider, plan: Plan, folder: Path) -> None:
    made = OpenAITrainer().train(plan, folder)
    at = "?" + urlencode({"base_url": provider.url, "key_env": "OPENAI_API_KEY"})
    assert made.model == f"openai:ft:small-1:org::ftjob-1{at}"
    assert made.figures == {"job": "ftjob-1", "trained_tokens": 1234}
    assert list(made.checkpoints) == ["step-2", "step-4"]
    assert made.checkpoints["step-2"] == f"openai:ft:small-1:org::ftjob-1:ckpt-step-2{at}"
    curves = [json.loads(line) for line in (folder / "curves.jsonl").read_text().splitlines()]
    assert curves[-1] == {"step": 4, "train_loss": 0.25, "validation_loss": 0.5}
    assert (folder / "results").is_dir()
    everything = [path for path in folder.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in path.read_bytes() for path in everything)


def test_a_data_error_names_our_line(
    provider: Provider, plan: Plan, keep: Callable[[str], Path], folder: Path
) -> None:
    lines = plan.train.read_text().splitlines()
    lines[3:4] = ["", lines[3].replace("parcel", "BROKEN")]
    with pytest.raises(TrainingFailed, match="line 4 there is line 5 of the training data"):
        OpenAITrainer().train(replace(plan, train=keep("\n".join(lines))), folder)


def test_what_is_not_chat_jsonl_goes_up_as_it(
    provider: Provider, plan: Plan, keep: Callable[[str], Path], folder: Path
) -> None:
    rows = [{"instruction": f"say {n}", "output": "yes", "source": "me"} for n in range(12)]
    OpenAITrainer().train(replace(plan, train=keep(json.dumps(rows))), folder)
    sent = (provider.folder / provider.jobs[0]["training_file"]).read_text().splitlines()
    asked, replied = {"role": "user", "content": "say 3"}, {"role": "assistant", "content": "yes"}
    assert json.loads(sent[3]) == {"messages": [asked, replied]}


# --- preferences ----------------------------------------------------------------------------------


TOOLS = [{"type": "function", "function": {"name": "track"}}]


def pair(n: int, **more: object) -> dict[str, object]:
    """Return a row of the provider's own form."""
    asked = [{"role": "user", "content": f"parcel late number{n}"}]
    good, bad = ([{"role": "assistant", "content": c}] for c in ("shipping", "billing"))
    told = {"messages": asked, **more}
    return {"input": told, "preferred_output": good, "non_preferred_output": bad}


def jsonl(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def preferring(plan: Plan, keep: Callable[[str], Path]) -> Plan:
    """A plan of a dozen preferences, to be learnt from as such."""
    rows = [pair(n, tools=TOOLS) for n in range(12)]
    config = {**plan.config, "method": "dpo", "beta": 0.1}
    return replace(plan, train=keep(jsonl(rows)), validation=None, config=config)


def sent(provider: Provider) -> bytes:
    return (provider.folder / provider.jobs[0]["training_file"]).read_bytes()


def test_preferences_go_up_byte_for_byte(
    provider: Provider, preferring: Plan, folder: Path
) -> None:
    OpenAITrainer().train(preferring, folder)
    assert sent(provider) == preferring.train.read_bytes()
    (job,) = provider.jobs
    assert (job["method"]["type"], job["status"]) == ("dpo", "succeeded")
    assert job["method"]["dpo"]["hyperparameters"]["beta"] == 0.1


def test_preferences_of_another_form_go_up_as_the_providers(
    provider: Provider, preferring: Plan, keep: Callable[[str], Path], folder: Path
) -> None:
    rows: list[dict[str, object]] = [
        {"prompt": f"parcel late number{n}", "chosen": "shipping", "rejected": "billing", "id": n}
        for n in range(12)
    ]
    OpenAITrainer().train(replace(preferring, train=keep(jsonl(rows))), folder)
    assert sent(provider).decode() == jsonl([pair(n) for n in range(12)])


def test_supervised_learns_the_preferred_reply_alone(
    provider: Provider, preferring: Plan, plan: Plan, folder: Path
) -> None:
    supervised = replace(preferring, config=plan.config)
    assert OpenAITrainer().preflight(supervised) == []
    OpenAITrainer().train(supervised, folder)
    row = json.loads(sent(provider).splitlines()[0])
    assert [m["content"] for m in row.pop("messages")] == ["parcel late number0", "shipping"]
    assert row == {"tools": TOOLS}


def test_dpo_without_preferences_is_refused_before_anything_is_paid_for(
    provider: Provider, preferring: Plan, plan: Plan, keep: Callable[[str], Path], folder: Path
) -> None:
    assert OpenAITrainer().preflight(preferring) == []
    mixed = jsonl([pair(0), *(json.loads(line) for line in plan.train.read_text().splitlines())])
    wrong = replace(preferring, train=keep(mixed), validation=plan.validation)
    first, second = (problem.what for problem in OpenAITrainer().preflight(wrong))
    assert first.startswith("training data: line 2 has no rejected reply (12 of 13 rows have none)")
    assert second.startswith(
        "validation data: line 1 has no rejected reply (4 of 4 rows have none)"
    )
    assert second.endswith('needs one in each row: add them, or set method = "supervised"')
    with pytest.raises(TrainingFailed, match="line 2 has no rejected reply"):
        OpenAITrainer().train(wrong, folder)
    assert provider.uploads == []


def test_the_estimate_of_dpo_counts_the_prompt_with_each_of_the_replies(preferring: Plan) -> None:
    train = Dataset.read(preferring.train)
    one, two = (
        count_tokens(train, Settings(base="small-1", method=method))[0]
        for method in ("supervised", "dpo")
    )
    assert 1.9 * one < two < 2.1 * one
