"""A template of one's own, its arguments and the fold: in the run's id, the baseline, the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import CHATML, ticket

from tunegate.config.schema import Config
from tunegate.data.dataset import Dataset
from tunegate.interfaces.model import ModelUnknown, Request
from tunegate.interfaces.trainer import Plan
from tunegate.storage.state_dir import run_id
from tunegate.tokenization.chat_template import TemplateError, load_template, template_options
from tunegate.tokenization.encode import EncodedRow
from tunegate.tokenization.spec import tokenization_of
from tunegate_checks.data import tokens
from tunegate_qlora.config import Decoding
from tunegate_qlora.data.training_data import apply_overflow, make_job
from tunegate_qlora.model import folders
from tunegate_qlora.model.local_model import model_digest, open_folder
from tunegate_qlora.trainer import QLoRATrainer

OWN = CHATML.replace("<|im_end|>\n", "<|im_end|>{{ end }}") + "{{ '' if short else ' ' }}"


@pytest.fixture
def own(project: Path) -> Path:
    """A template in the project, with two variables."""
    path = project / "own.jinja"
    path.write_text(OWN)
    return path


def test_the_file_is_digested_into_the_run(own: Path, plan: Callable[..., Plan]) -> None:
    named = plan(chat_template="own.jinja")
    assert named.config["chat_template"].startswith("own.jinja@")
    assert run_id(named) == run_id(plan(chat_template=named.config["chat_template"]))
    args = plan(chat_template="own.jinja", template_args={"short": True})
    ids = {run_id(p) for p in (plan(), named, args, plan(system_role="fold"))}
    own.write_text(OWN + "!")
    ids.add(run_id(plan(chat_template="own.jinja")))
    assert len(ids) == 5
    with pytest.raises(ValueError, match="the file has changed since the run was planned"):
        make_job(named, Path("run")).load_template()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"chat_template": "gone.jinja"}, "chat_template = 'gone.jinja': No such file"),
        ({"system_role": "drop"}, "system_role = 'drop': the value should be 'own' or 'fold'"),
    ],
)
def test_a_value_that_is_not_valid_is_named(
    project: Path, plan: Callable[..., Plan], said: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        plan(**said)


def test_an_argument_that_the_template_does_not_read_is_named(base: Path, own: Path) -> None:
    said = {"chat_template": str(own), "template_args": {"shrt": True}}
    with pytest.raises(TemplateError, match=r"template_args: the chat template .* reads no 'shrt'"):
        load_template(base, template_options(said, own.parent))


def test_the_baseline_is_asked_with_the_same_template(
    own: Path, project: Path, plan: Callable[..., Plan]
) -> None:
    args = {"short": True, "end": "+ &%\n"}
    spec = plan(chat_template="own.jinja", template_args=args, system_role="fold").base
    scheme, _, path = (
        QLoRATrainer()
        .baseline(plan(chat_template="own.jinja", template_args=args, system_role="fold").config)
        .partition(":")
    )
    model: Any = open_folder(path, project)
    assert (scheme, spec) == ("folder", "base")
    assert (model.options.text, model.options.args, model.options.fold_system) == (OWN, args, True)
    assert model.digest not in (open_folder("base", project).digest, "")
    asked = [Request(0, ticket(0)["messages"][:-1])]
    (answer,) = open_folder(f"{path}&max_new_tokens=1", project).answers(asked)
    assert not answer.error
    own.write_text("another")
    with pytest.raises(ModelUnknown, match="has changed"):
        open_folder(path, project)


def test_a_model_brings_the_template_that_it_was_trained_with(
    own: Path, project: Path, base: Path, plan: Callable[..., Plan]
) -> None:
    job = make_job(plan(chat_template="own.jinja", template_args={"short": True}), project / "run")
    tuned = project / "tuned"
    tuned.mkdir()
    (tuned / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "base"}))
    folders.write_metadata(tuned, folders.metadata_of(job.settings, base, job.load_template()))
    assert (tuned / "chat_template.jinja").read_text() == OWN
    own.unlink()
    model: Any = open_folder("tuned", project)
    assert (model.options.text, model.options.args) == (OWN, {"short": True})


def test_digests_of_models_without_these_settings_stay(base: Path, project: Path) -> None:
    assert Decoding().identity == {
        "quantisation": "nf4", "compute": "bfloat16", "max_new_tokens": 256, "batch": 32
    }  # fmt: skip
    assert model_digest(base, None, Decoding(), project) != model_digest(
        base, None, Decoding(system_role="fold"), project
    )


def test_tokens_are_counted_with_the_same_template(own: Path, project: Path) -> None:
    table = {"base": "base", "chat_template": "own.jinja", "template_args": {"short": True}}
    config = Config.model_validate({"train": {"qlora": table}})
    spec = tokenization_of(config, project, {"qlora": QLoRATrainer})
    assert (spec.template.text, spec.template.args) == (OWN, {"short": True})
    counted, plain = (
        tokens.ChatTemplateCounter(spec.tokenizer, options)(Dataset.of([ticket(0)])[0]).length
        for options in (spec.template, None)
    )
    assert counted < plain


def test_truncation_keeps_what_stands_before_the_user_s_text() -> None:
    row = EncodedRow(1, [*range(10)], [-100] * 8 + [8, 9], head=3)
    (cut,) = apply_overflow([row], 6, "truncate")
    assert (cut.ids, cut.labels) == ([0, 1, 2, 7, 8, 9], [-100] * 4 + [8, 9])
    with pytest.raises(ValueError, match="10 tokens cannot be cut to 4 without cutting the answer"):
        apply_overflow([row], 4, "truncate")
