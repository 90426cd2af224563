"""`program:NAME`: a program in any language that answers requests; `[models.NAME]` names it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunegate.config import schema
from tunegate.config.schema import parse_settings
from tunegate.interfaces.builtin_models import answer_of
from tunegate.interfaces.model import Answer, ModelUnknown, Request
from tunegate.interfaces.programs import Program, ProgramFailed
from tunegate.utils.files import sha256_file, sha256_json
from tunegate.utils.text import did_you_mean


class ProgramModel:
    """A program that answers; its digest is that of its command and of its files."""

    def __init__(self, program: Program) -> None:
        self.program, self.name = program, f"program:{program.name}"
        files = {str(path): sha256_file(path) for path in program.source_files()}
        relative = {path.removeprefix(f"{program.root}/"): files[path] for path in files}
        self.digest = sha256_json({"command": program.command, "files": relative})

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as it is written; a failure is the error of all that are missing."""
        missing = {r.row: f"{self.program} did not answer this row" for r in requests}
        lines = ({"row": r.row, "messages": [*r.messages], "tools": [*r.tools]} for r in requests)
        try:
            for line in self.program.exchange(lines):
                row = line.get("row")
                if type(row) is not int or row not in missing:
                    raise ProgramFailed(f"{self.program}: row {row!r} was not asked, or twice")
                answer = self._answer(line)
                del missing[row]
                yield replace(answer, row=row)
        except ProgramFailed as error:
            missing = dict.fromkeys(missing, str(error))
        yield from (Answer(row, error=reason) for row, reason in missing.items())

    def _answer(self, line: dict[str, Any]) -> Answer:
        if isinstance(error := line.get("error"), str) and error:
            return Answer(0, error=error)
        try:
            latency, tokens = float(line.get("latency", 0)), int(line.get("tokens", 0))
            return replace(answer_of(line), latency=latency, tokens=tokens)
        except (TypeError, ValueError, OverflowError) as problem:
            raise ProgramFailed(f"{self.program}, row {line['row']}: {problem}") from None


def open_program(rest: str, root: Path) -> ProgramModel:
    """Open `program:NAME`; raises ModelUnknown where no table `[models.NAME]` has its command."""
    tables = schema.load(root).models
    if rest not in tables:
        hint = did_you_mean(rest, [name for name in tables if "command" in tables[name]])
        raise ModelUnknown(f"program:{rest}: no table [models.{rest}] with a `command`{hint}")
    try:
        return ProgramModel(parse_settings(schema.ProgramTable, tables[rest]).program(rest, root))
    except (ValueError, ProgramFailed) as error:
        raise ModelUnknown(f"[models.{rest}] {error}") from None


def pytest_tunegate_models(register: Callable[..., Any]) -> None:
    """Offer `program:NAME`, the command of `[models.NAME]`."""
    register("program", open_program)
