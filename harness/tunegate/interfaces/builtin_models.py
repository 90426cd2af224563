"""The models that come with tunegate: answers from a file, and a Python function."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..utils.hashing import sha256_bytes
from .model import Answer, ModelUnknown, Request


class FileModel:
    """Answers from a JSON Lines file: line n answers example n of the test set."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.name = f"file:{path.name}"
        self.digest = sha256_bytes(data)
        try:
            lines = [line for line in data.decode("utf-8").splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            raise ModelUnknown(f"{path}: not UTF-8 at byte {error.start}") from None
        self.texts: list[str] = []
        for number, line in enumerate(lines, start=1):
            try:
                text = json.loads(line)["text"]
            except (ValueError, KeyError, TypeError):
                text = None
            if not isinstance(text, str):
                raise ModelUnknown(
                    f'{path}, line {number}: need {{"text": "the answer"}}, one per line'
                )
            self.texts.append(text)

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer; an example without a line in the file has an error instead."""
        for request in requests:
            if request.row < len(self.texts):
                yield Answer(request.row, self.texts[request.row])
            else:
                yield Answer(request.row, error=f"the file ends at line {len(self.texts)}")


class FunctionModel:
    """A Python function from messages (role, content) to a reply; an exception is an error."""

    def __init__(self, name: str, function: Callable[..., str], digest: str) -> None:
        self.name, self.function, self.digest = name, function, digest

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as the function returns it."""
        for request in requests:
            start = time.perf_counter()
            try:
                text, error = str(self.function(request.messages)), ""
            except Exception as raised:  # a user's function may raise anything
                text, error = "", " ".join(f"{type(raised).__name__}: {raised}".split())
            yield Answer(request.row, text, time.perf_counter() - start, error=error)


def open_file(rest: str, root: Path) -> FileModel:
    """Return the model `file:PATH`; raises ModelUnknown where it is not a file of answers."""
    path = root / rest
    if not path.is_file():
        raise ModelUnknown(f"file:{rest}: {path} is not a file")
    return FileModel(path)


def open_function(rest: str, root: Path) -> FunctionModel:
    """Return the model `python:MODULE:FUNCTION`, whose digest is that of the module's source.

    Raises ModelUnknown where it cannot be imported, or has no source.
    """
    module_name, _, name = rest.partition(":")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelUnknown(f"python:{rest}: {error}; write python:MODULE:FUNCTION") from None
    try:
        source = inspect.getsource(module).encode()
    except (OSError, TypeError):
        raise ModelUnknown(
            f"python:{rest}: {module_name} has no source to take a digest of"
        ) from None
    return FunctionModel(f"python:{rest}", function, sha256_bytes(source))
