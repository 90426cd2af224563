"""`new_tokens`: tokens that the base has no embedding for are trained, saved and merged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_llama import ticket

from tunegate.tokenization.chat_template import load_template
from tunegate_qlora.config import Method, Settings, resolve_settings
from tunegate_qlora.model import weights
from tunegate_qlora.model.folders import metadata_of
from tunegate_qlora.model.local_model import open_folder
from tunegate_qlora.preflight import token_problems
from tunegate_qlora.trainer import QLoRATrainer

pytestmark = pytest.mark.filterwarnings("ignore")  # of peft and transformers, on their own names
NEW = 259  # the base knows bytes and three control tokens
IDS = torch.tensor([[5, 9, NEW + 1, 7, NEW, 9, 200, NEW]])


@pytest.fixture(scope="module", params=["tied", "untied"])
def grown(
    request: pytest.FixtureRequest, base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A base whose tokenizer has two tokens more than its embedding, one of them ends a turn."""
    import transformers

    hf: Any = transformers
    folder = Path(shutil.copytree(base, tmp_path_factory.mktemp("grown") / "base"))
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    more = {"eos_token": "<|stop|>", "additional_special_tokens": ["<|im_start|>", "<|note|>"]}
    tokenizer.add_special_tokens(more)
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "<|stop|>")
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    if request.param == "untied":
        config = hf.AutoConfig.from_pretrained(folder)
        config.tie_word_embeddings = False
        torch.manual_seed(1)
        hf.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def settings_of(method: Method, **said: Any) -> Settings:
    return resolve_settings(
        {"base": "base", "method": method, "compute": "float32", "new_tokens": True, **said}
    )


def trained(folder: Path, settings: Settings) -> Any:
    """Return a model after a few steps on the new tokens."""
    torch.manual_seed(0)
    model = weights.load_trainable(folder, settings)
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(3):
        model.train()
        model(input_ids=IDS, labels=IDS).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    output: torch.Tensor = model.eval()(input_ids=IDS).logits.float()
    return output


@pytest.mark.parametrize("method", ["qlora", "lora"])
def test_an_adapter_brings_its_tokens(grown: Path, tmp_path: Path, method: Method) -> None:
    from peft import AutoPeftModelForCausalLM

    settings = settings_of(method, dropout=0.0)
    outline = weights.read_architecture(grown, settings)
    model = trained(grown, settings)
    expected, untuned = logits(model), logits(weights.load_base(grown, settings.decoding))
    assert expected.shape[-1] == NEW + 2
    assert torch.equal(untuned[..., NEW], untuned[..., NEW + 1])  # both began as the mean
    assert not torch.equal(expected[..., NEW], expected[..., NEW + 1])
    # Preflight counts what is trained, the rows of the new tokens included.
    assert outline.trainable_parameters(settings) == weights.count_parameters(model)[0]

    tuned = tmp_path / "adapter"
    tuned.mkdir()
    metadata = metadata_of(settings, grown, load_template(grown))
    weights.save_trained(model, tuned, grown, settings, metadata)
    rows = {
        k: len(w)
        for k, w in load_file(tuned / "adapter_model.safetensors").items()
        if "tokens" in k
    }
    assert [*rows.values()] == [2] * (1 if model.config.tie_word_embeddings else 2)
    assert torch.allclose(logits(weights.load_tuned(grown, tuned, settings.decoding)), expected)
    if method == "lora":  # with the tokenizer beside it, plain peft makes room for the tokens
        (tuned / "adapter_config.json").write_text(
            (tuned / "adapter_config.json").read_text().replace('"base"', f'"{grown}"')
        )
        plain = AutoPeftModelForCausalLM.from_pretrained(str(tuned), dtype=torch.float32)
        assert torch.allclose(logits(plain), expected, atol=1e-5)

    weights.merge_adapter(tuned, grown, settings, tmp_path / "merged")
    whole = settings.decoding.model_copy(update={"quantisation": "none"})
    merged = weights.load_base(tmp_path / "merged", whole)
    assert torch.allclose(logits(merged), expected, atol=0.1)  # its weights are in bfloat16
    assert token_names(tmp_path / "merged", new_tokens=False) == []


def test_all_weights_are_trained_with_the_tokens(grown: Path, tmp_path: Path) -> None:
    settings = settings_of("full")
    model = trained(grown, settings)
    outline = weights.read_architecture(grown, settings)
    assert outline.trainable_parameters(settings) == weights.count_parameters(model)[0]
    metadata = metadata_of(settings, grown, load_template(grown))
    (tmp_path / "model").mkdir()
    weights.save_trained(model, tmp_path / "model", grown, settings, metadata)
    weights.round_to_saved_dtype(model, grown, settings)
    loaded = weights.load_trained(tmp_path / "model", grown, settings)
    assert torch.allclose(logits(loaded), logits(model), atol=1e-5)


def token_names(folder: Path, **said: Any) -> list[str]:
    settings = settings_of("lora", **said)
    outline = weights.describe_architecture(folder, settings)
    return [*token_problems(load_template(folder), outline, settings)]


def test_tokens_are_refused_unless_they_are_wanted(grown: Path, base: Path) -> None:
    (problem,) = token_names(grown, new_tokens=False)
    assert problem == (
        "the tokenizer has 2 tokens that the base has no embedding for: <|note|>, <|stop|>; "
        "set new_tokens = true, or take the base's own tokenizer"
    )
    assert token_names(grown) == []
    (problem,) = token_names(base)
    assert problem.endswith("has an embedding of every token already: leave it out")
    with pytest.raises(ValueError, match="new_tokens cannot be shared out"):
        settings_of("qlora", sharding="fsdp", processes=2)


def test_the_base_is_asked_with_them_too(
    grown: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "base").unlink()
    (project / "base").symlink_to(grown)
    spec = QLoRATrainer().baseline(settings_of("lora", max_new_tokens=2).model_dump())
    assert spec == "folder:base?quantisation=none&compute=float32&max_new_tokens=2&new_tokens=true"
    from tunegate.interfaces.model import Request

    model = open_folder(spec.removeprefix("folder:"), project)
    (answer,) = model.answers([Request(0, ticket(0)["messages"][:-1])])
    assert (answer.error, answer.tokens) == ("", 2)
