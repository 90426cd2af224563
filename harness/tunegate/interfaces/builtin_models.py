"""The models that come with tunegate: answers from a file, and a Python function."""

import importlib
import inspect
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..utils.files import sha256_bytes, sha256_file, sha256_json
from .model import Answer, ModelUnknown, Request


class FileModel:
    """The model `file:PATH`: answers of a JSON Lines file; before each in `lines`, to what, or "".

    Raises ModelUnknown where it is not a file of answers.
    """

    def __init__(self, rest: str, root: Path) -> None:
        path = root / rest
        if not path.is_file():
            raise ModelUnknown(f"file:{rest}: {path} is not a file")
        data = path.read_bytes()
        self.name = f"file:{path.name}"
        self.digest = sha256_bytes(data)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ModelUnknown(f"{path}: not UTF-8 at byte {error.start}") from None
        self.lines: list[tuple[str, Answer]] = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                answer = answer_of({"content": row["text"], **row} if "text" in row else row)
                asked = str(row.get("request") or row.get("prompt") or "").strip()
            except (ValueError, KeyError, TypeError, AttributeError):
                needed = 'need {"text": "the answer"}, one per line; tool_calls, reasoning'
                needed += ", and the request or prompt it answers may stand beside"
                raise ModelUnknown(f"{path}, line {number}: {needed}") from None
            self.lines.append((asked, answer))

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer in the order of the lines."""
        for request, (_, answer) in zip(requests, self.lines, strict=False):
            yield replace(answer, row=request.row)


def answer_of(reply: object) -> Answer:
    """Return a text, or a message of an assistant, as an answer; raises TypeError."""
    message = {"content": reply} if isinstance(reply, str) else reply
    fields: Mapping[str, Any] = message if isinstance(message, Mapping) else {}
    content, calls = fields.get("content"), fields.get("tool_calls")
    if not (isinstance(content, str) or (content is None and isinstance(calls, list))):
        needed = "a text or a message with content or tool_calls"
        raise TypeError(f"returned {type(reply).__name__}, not {needed}")
    reasoning = str(fields.get("reasoning_content") or fields.get("reasoning") or "")
    return Answer(0, content or "", tool_calls=calls or [], reasoning=reasoning)


class FunctionModel:
    """A Python function, or coroutine, from messages (and `tools`) to a text or a message."""

    def __init__(self, name: str, function: Callable[..., Any], digest: str) -> None:
        self.name, self.function, self.digest = name, function, digest
        self.takes_tools = "tools" in inspect.signature(function).parameters

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as the function returns it."""
        import asyncio

        with asyncio.Runner() as runner:
            for request in requests:
                start = time.perf_counter()
                try:
                    tools = {"tools": request.tools} if self.takes_tools else {}
                    reply = self.function(request.messages, **tools)
                    answer = answer_of(runner.run(reply) if inspect.iscoroutine(reply) else reply)
                except (Exception, SystemExit) as error:  # a user's function may raise anything
                    answer = Answer(0, error=" ".join(f"{type(error).__name__}: {error}".split()))
                yield replace(answer, row=request.row, latency=time.perf_counter() - start)


def open_function(rest: str, root: Path) -> FunctionModel:
    """Return the model `python:MODULE:FUNCTION`.

    Its digest is that of the function's name and of each file of the project that its module
    imports, if through others. Raises ModelUnknown where it cannot be imported, or has no source.
    """
    from modulefinder import ModuleFinder

    module_name, _, name = rest.partition(":")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, name)
        inspect.signature(function)  # raises TypeError for what is no function
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelUnknown(f"python:{rest}: {error}; write python:MODULE:FUNCTION") from None
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        frames = traceback.extract_tb(error.__traceback__)
        places = [f" ({f.filename}, line {f.lineno})" for f in frames if str(root) in f.filename]
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelUnknown(f"python:{rest}: {reason}{''.join(places[-1:])}") from None
    file = getattr(module, "__file__", None) or ""
    if not file.endswith(".py"):
        raise ModelUnknown(f"python:{rest}: {module_name} has no source to take a digest of")
    # Imports inside functions count; installed packages do not.
    own = [p for p in sys.path if Path(p).is_relative_to(root) and "-packages" not in p]
    finder = ModuleFinder(own)
    if Path(file).is_relative_to(root):
        finder.import_hook(module_name)
    paths = {Path(p) for m in finder.modules.values() if (p := getattr(m, "__file__", None))}
    files = {p.relative_to(root).as_posix(): sha256_file(p) for p in sorted(paths)}
    digest = sha256_file(file)
    # With one function in one file, the file is all that makes the answer.
    if len(files) > 1 or [n for n, value in vars(module).items() if callable(value)] != [name]:
        digest = sha256_json({"function": name, "module": digest, "files": files})
    return FunctionModel(f"python:{rest}", function, digest)
