"""Turns requests into prompts, and generates greedy answers: here in batches, or by vLLM.

vLLM's batch mode, `vllm run-batch`, is a child process in an environment of its own. Prompts are
rendered here, and vLLM is given a template that passes them on. With each answer it returns the
token ids of both (tried with vLLM 0.32): a prompt that it read otherwise is an error.
"""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tunegate.interfaces.model import Answer, ModelUnknown, Request
from tunegate.storage.state_dir import StateDir
from tunegate.tokenization.chat_template import TemplateError, TemplateOptions, load_template
from tunegate.utils.processes import end_session

from ..config import Decoding, VLLMTable
from ..runtime.libraries import quiet_libraries
from . import folders
from .weights import hf, load_tuned, new_token_ids

VLLM_POLL_SECONDS = 0.2
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that --max-lora-rank takes
SERVED_NAME = "tunegate"  # of the model, in the requests to vLLM
INSTALL = "python -m venv vllm-env && vllm-env/bin/pip install vllm; then set "
INSTALL += '[models.vllm] command = ["vllm-env/bin/vllm"]'
ERROR_LINE = re.compile(r"\w*(?:Error|Exception): .+")


class Prompt(NamedTuple):
    """A request as the text and token ids that a model is given."""

    request: Request
    text: str
    ids: list[int]


class PromptEncoder:
    """The chat template of a model, and how long its prompts and answers may be.

    `tuned` is the folder of an adapter, if there is one, and `folder` then that of its base. Raises
    ModelUnknown where the template renders something else than in training.
    """

    def __init__(
        self, folder: Path, tuned: Path | None, decoding: Decoding, options: TemplateOptions | None
    ) -> None:
        self.chat_template = load_template(folder, options)
        # What the template writes before a reply is no part of it, but must be generated.
        before = self.chat_template.token_ids(self.chat_template.written_before)
        self.max_new_tokens = decoding.max_new_tokens + len(before)
        try:
            folders.check_same(self.chat_template, folders.read_metadata(tuned or folder).rendered)
        except ValueError as error:
            raise ModelUnknown(f"folder:{tuned or folder}: {error}") from None
        self.context = folders.context_length(folder)

    def encode(self, requests: Sequence[Request]) -> tuple[list[Prompt], list[Answer]]:
        """Return the prompts, and the errors of requests that cannot be put to the model."""
        prompts, errors = [], []
        for request in requests:
            try:
                text = self.chat_template.render(request.messages, prompt=True, tools=request.tools)
            except TemplateError as error:
                errors.append(Answer(request.row, error=str(error)))
                continue
            ids = self.chat_template.token_ids(text)
            if len(ids) < self.context:
                prompts.append(Prompt(request, text, ids))
            else:
                message = f"a prompt of {len(ids):,} tokens fills the context of {self.context:,}"
                errors.append(Answer(request.row, error=message))
        return prompts, errors

    def answer(
        self, prompt: Prompt, ids: list[int], *, seconds: float = 0.0, served_by: str = ""
    ) -> Answer:
        """Return the answer that generated token ids are; what follows the end is no part of it."""
        stop_ids, request = self.chat_template.stop_ids, prompt.request
        end = next((i for i, token in enumerate(ids) if token in stop_ids), None)
        new = ids if end is None else ids[: end + 1]
        text, reasoning, calls = self.chat_template.read_answer(new, request.tools)
        return Answer(
            request.row, text, seconds, len(new), prompt_tokens=len(prompt.ids),
            finish="length" if end is None else "stop", tool_calls=calls, reasoning=reasoning,
            served_by=served_by,
        )  # fmt: skip


class Generator(PromptEncoder):
    """A model in memory, ready to answer; raises ModelUnknown as `PromptEncoder` does."""

    def __init__(
        self, folder: Path, tuned: Path | None, decoding: Decoding,
        options: TemplateOptions | None = None,
    ) -> None:  # fmt: skip
        self.size = decoding.generation_batch
        super().__init__(folder, tuned, decoding, options)
        self.model = load_tuned(folder, tuned, decoding)
        # It replaces the base's own generation settings, such as a repetition penalty.
        ends, pad = sorted(self.chat_template.stop_ids), self.chat_template.pad_id
        settings = hf.GenerationConfig(do_sample=False, eos_token_id=ends, pad_token_id=pad)
        self.model.generation_config = settings

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield the answers whose prompts cannot be read, then those of each batch in turn."""
        prompts, errors = self.encode(requests)
        yield from errors
        prompts.sort(key=lambda prompt: len(prompt.ids))
        while prompts:
            try:
                yield from self.answer_batch(prompts[: self.size])
                del prompts[: self.size]
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise
                self.size //= 2
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def answer_batch(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Answer prompts together, padded on the left to the width of the longest."""
        started = time.perf_counter()
        width = max(len(prompt.ids) for prompt in prompts)
        ids = [[self.chat_template.pad_id] * (width - len(p.ids)) + p.ids for p in prompts]
        mask = [[0] * (width - len(p.ids)) + [1] * len(p.ids) for p in prompts]
        with quiet_libraries():
            generated = self.model.generate(
                input_ids=torch.tensor(ids, device=self.model.device),
                attention_mask=torch.tensor(mask, device=self.model.device),
                max_new_tokens=min(self.max_new_tokens, self.context - width),
            )
        rows = generated[:, width:].tolist()
        seconds = time.perf_counter() - started
        # After the end of a turn stands padding.
        return [self.answer(p, row, seconds=seconds) for p, row in zip(prompts, rows, strict=True)]


class VLLMBatch(PromptEncoder):
    """A model that vLLM loads for each batch, of the project in `root`; raises ModelUnknown."""

    def __init__(
        self, folder: Path, tuned: Path | None, decoding: Decoding, options: TemplateOptions,
        root: Path,
    ) -> None:  # fmt: skip
        if new_token_ids(folder, decoding):
            why = "vLLM reads no adapter with new_tokens: `tunegate run merge`, then RUN@merged"
            raise ModelUnknown(f"{tuned or folder}: {why}")
        super().__init__(folder, tuned, decoding, options)
        table = VLLMTable.read(root)
        self.root, self.log, self.program = root, StateDir(root).path("vllm.log"), table.command
        self.options = ["--dtype", decoding.compute, "--generation-config", "vllm"]
        self.options += ["--quantization", "bitsandbytes"] * (decoding.quantisation == "nf4")
        # The last one of an option counts: none of the table's names another model.
        self.options += [*table.options, "--model", str(folder.resolve())]
        self.options += ["--served-model-name", f"{SERVED_NAME}-base" if tuned else SERVED_NAME]
        if tuned:
            rank = json.loads((tuned / folders.ADAPTER_CONFIG).read_bytes())["r"]
            most = next((n for n in LORA_RANKS if n >= rank), rank)
            self.options += ["--enable-lora", "--max-lora-rank", str(most)]
            self.options += ["--lora-modules", f"{SERVED_NAME}={tuned}"]

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as vLLM writes it; a failure is the error of all that are missing."""
        prompts, errors = self.encode(requests)
        yield from errors
        if not (missing := {str(prompt.request.row): prompt for prompt in prompts}):
            return
        with tempfile.TemporaryDirectory(prefix="tunegate-") as name, open(self.log, "wb") as log:
            folder = Path(name)
            lines = [json.dumps(self._request(prompt)) + "\n" for prompt in prompts]
            (folder / "requests.jsonl").write_text("".join(lines), "utf-8")
            (folder / "prompt.jinja").write_text("{{ messages[0]['content'] }}", "utf-8")
            process = self._start(folder, log)
            try:
                for line in written_lines(folder / "answers.jsonl", process):
                    result = json.loads(line)
                    if prompt := missing.pop(result["custom_id"], None):
                        yield self._answer(prompt, result)
            finally:
                end_session(process)
        if missing:
            reason = f"{self.program[0]} run-batch ended with status {process.returncode}"
            if found := ERROR_LINE.findall(self.log.read_text("utf-8", "replace")):
                reason += f": {found[-1].strip()}"
            reason += f"; see {self.log}"
            yield from (Answer(p.request.row, error=reason) for p in missing.values())

    def _start(self, folder: Path, log: Any) -> subprocess.Popen[bytes]:
        """Start `vllm run-batch` on the requests of a folder; raises ModelUnknown without vLLM."""
        (folder / "answers.jsonl").touch()
        files = ["-i", str(folder / "requests.jsonl"), "-o", str(folder / "answers.jsonl")]
        files += ["--chat-template", str(folder / "prompt.jinja")]
        files += ["--chat-template-content-format", "string"]
        quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        try:
            return subprocess.Popen(
                [*self.program, "run-batch", *files, *self.options], cwd=self.root,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | quiet,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            what = f"{self.program[0]}: {error.strerror}"
            raise ModelUnknown(f"{what}; vLLM has an environment of its own: {INSTALL}") from None

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        rest = self.context - len(prompt.ids)
        body = {
            "model": SERVED_NAME, "messages": [{"role": "user", "content": prompt.text}],
            "temperature": 0, "max_tokens": min(self.max_new_tokens, rest),
            "stop_token_ids": sorted(self.chat_template.stop_ids),
            "add_special_tokens": False, "return_token_ids": True,
        }  # fmt: skip
        row = str(prompt.request.row)
        return {"custom_id": row, "method": "POST", "url": "/v1/chat/completions", "body": body}

    def _answer(self, prompt: Prompt, result: dict[str, Any]) -> Answer:
        """Return the answer in a line of the output, or its error."""
        row, error = prompt.request.row, result.get("error")
        if error:
            while isinstance(error, dict):
                error = error.get("error") or error.get("message")
            return Answer(row, error=f"vLLM: {error}")
        body = result["response"]["body"]
        ids = body["choices"][0].get("token_ids")
        if ids is None or body.get("prompt_token_ids") != prompt.ids:
            what = "no token ids: it is too old" if ids is None else "another prompt than was asked"
            return Answer(row, error=f"vLLM returns {what}")
        return self.answer(prompt, ids, served_by=body.get("system_fingerprint") or "")


def written_lines(path: Path, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield the whole lines of a file that a process writes, until it has ended."""
    with open(path, "rb") as file:
        rest, has_ended = b"", False
        while not has_ended:
            with suppress(subprocess.TimeoutExpired):
                process.wait(VLLM_POLL_SECONDS)
                has_ended = True
            *lines, rest = (rest + file.read()).split(b"\n")
            yield from lines
