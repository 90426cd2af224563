"""The flat view of a row, its columns, and `data.schema`, a pandera DataFrameModel of them.

`Dataset.frame` has these columns:

- `line`, `system`, `prompt`, `reply` and `label`, as `Example` has them;
- `turns`: how many messages there are beside those of the system, the reply included;
- each field of the row under its own name, in the place of `turns` too, but of no other of these;
- `reply.FIELD`, where the reply is a JSON object: its fields, those of inner objects with dots.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..utils.masking import hide_values, mask
from ..utils.optional_deps import require
from ..utils.strict_json import Unreadable, parse_strict
from ..utils.text import did_you_mean, shorten

if TYPE_CHECKING:
    from .dataset import Example

FROM_MESSAGES = ("line", "system", "prompt", "reply", "label", "turns")
WHOLE_ROW = "whole row"  # the column of a fault that several columns make
CHUNK_ROWS = 10_000
MODULE_NAME = "_tunegate_data_schema"  # annotations that are texts are looked up in `sys.modules`
_TYPES = {"is_string": str, "is_bool": bool, "is_int": int, "is_float": float}  # by pandera.dtypes
_NOT_BY_ROW = ("unique_values_eq", "is_monotonic", "one_sample_ttest", "two_sample_ttest")


def flat_row(example: Example) -> dict[str, Any]:
    """Return a row by its columns."""
    roles = [message["role"] for message in example.messages]
    turns = sum(role not in ("system", "developer") for role in roles)
    derived = {name: getattr(example, name) for name in FROM_MESSAGES[:-1]}
    own = {k: v for k, v in example.fields.items() if k != "messages" and k not in derived}
    row = {**derived, "turns": turns, **own}
    leaves = _leaves("reply", json_object(example.target.text) or {})
    return row | {name: value for name, value in leaves if name not in own}


def json_object(reply: str) -> dict[str, Any] | None:
    """Return the JSON object that a reply is, or None."""
    with suppress(Unreadable):
        return parse_strict(reply) if reply.lstrip()[:1] == "{" else None
    return None


def _leaves(path: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        inner = isinstance(item, dict) and item
        yield from _leaves(f"{path}.{key}", inner) if inner else [(f"{path}.{key}", item)]


def flat_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns that any of the flat rows has."""
    return [*dict.fromkeys(chain(FROM_MESSAGES, chain.from_iterable(rows)))]


@dataclass(frozen=True)
class RowSchema:
    """A schema of pandera, whose types and missing values are judged here: that names the rows."""

    schema: Any = field(repr=False)
    # Of the values of a column, and whether one may lack.
    types: Mapping[str, tuple[type, bool]] = field(repr=False)
    is_strict: bool  # other fields than its own are faults
    by_row: bool  # no rule looks at several rows

    def faults(self, examples: Sequence[Example]) -> Iterator[tuple[Example | None, str, str]]:
        """Yield example (None: a rule on all the rows), column and fault for all that is wrong."""
        import pandas as pd
        from pandera.config import CONFIG, ValidationDepth, config_context
        from pandera.errors import SchemaErrors

        if getattr(CONFIG, "use_narwhals_backend", False):  # with it, faults are lost
            raise ConfigError("data.schema: unset PANDERA_USE_NARWHALS_BACKEND, it loses faults")
        if self.by_row and len(examples) > CHUNK_ROWS:
            for start in range(0, len(examples), CHUNK_ROWS):
                yield from self.faults(examples[start : start + CHUNK_ROWS])
            return
        rows = list(map(flat_row, examples))
        patterns = {name for name, column in self.schema.columns.items() if column.regex}
        needs_all = patterns or self.is_strict or not self.by_row
        names = {*self.schema.columns, *(flat_names(rows) if needs_all else ())} - patterns
        columns = {name: [row.get(name) for row in rows] for name in sorted(names)}
        for name, values in columns.items():
            known = [k for k, c in self.schema.columns.items() if _names(k, c, [name])]
            is_known = known or not self.is_strict or name in FROM_MESSAGES
            wanted, may_lack = self.types.get(known[0] if known else "", (object, True))
            for row, value in enumerate(values):
                fault = _type_fault(value, wanted, may_lack) if is_known else "not in the schema"
                if fault and (is_known or value is not None):
                    yield examples[row], name, f"{_shown(value)}: {fault}"
                    values[row] = None
        series = {k: pd.Series(v, dtype=object).infer_objects() for k, v in columns.items()}
        try:
            # Whatever the environment says of pandera; lazy: all faults at once.
            with config_context(True, ValidationDepth.SCHEMA_AND_DATA):
                self.schema.validate(pd.DataFrame(series), lazy=True)
        except SchemaErrors as errors:
            cases = errors.failure_cases
            is_wide = cases["schema_context"] == "DataFrameSchema"  # a case for each column
            cases.loc[is_wide, "column"] = WHOLE_ROW
            for case in cases.drop_duplicates(["column", "check", "index"]).itertuples():
                example, value = None, case.failure_case
                if not pd.isna(case.index):
                    example, flat = examples[int(case.index)], rows[int(case.index)]
                    value = flat["prompt"] if case.column == WHOLE_ROW else flat.get(case.column)
                told = f"{_shown(value)}: {shorten(mask(str(case.check)), 60)}"
                yield example, str(case.column), told


def _shown(value: Any) -> str:
    """Return a value cut to a width, private values masked before: a part of one is not seen."""
    return shorten(mask(repr(hide_values(value))), 60)


def _names(name: str, column: Any, names: Iterable[str]) -> bool:
    """Tell whether a column of a schema is one of these, or its pattern matches one."""
    return any(re.match(name, n) if column.regex else name == n for n in names)


def _type_fault(value: Any, wanted: type, may_lack: bool) -> str:
    if value is None:
        return "" if may_lack else "missing"
    is_right = isinstance(value, (int, float) if wanted is float else wanted)
    is_right &= not (isinstance(value, bool) and wanted in (int, float))
    return "" if is_right else f"no {wanted.__name__}"


def load_row_schema(spec: str, root: Path, examples: Iterable[Example]) -> RowSchema:
    """Return schema `FILE.py:CLASS`; ConfigError: none, no row has a column; MissingDependency."""
    pandera, dtypes = require("pandera.pandas", "pandera"), require("pandera.dtypes", "pandera")
    file, _, name = spec.rpartition(":")
    wrong, module = f"data.schema = {spec!r}", ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME], module.__file__ = module, str(root / file)
    try:
        exec(compile((root / file).read_bytes(), root / file, "exec"), vars(module))
        classes: dict[str, Any] = {k: v for k, v in vars(module).items() if isinstance(v, type)}
        models = {k: v for k, v in classes.items() if issubclass(v, pandera.DataFrameModel)}
        schema = models[name].to_schema() if name in models else None
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"{wrong} cannot be imported: {reason}") from None
    if schema is None:
        known = f"{did_you_mean(name, [*models])}; {file} has {', '.join(models) or 'none'}"
        raise ConfigError(f"{wrong}: {name} is no DataFrameModel of pandera{known}")
    required = {name for name, column in schema.columns.items() if column.required}
    row, names = dict[str, Any](), dict.fromkeys(FROM_MESSAGES)
    for row in map(flat_row, examples):
        names |= dict.fromkeys(row)
        required -= {k for k in required if _names(k, schema.columns[k], names)}
        if not required:  # mostly after the first row
            break
    if not row:
        raise ConfigError(f"{wrong}: no row of the data could be read")
    for name in sorted(required):
        lacking = f"no row has a column {name!r}{did_you_mean(name, [*names])}"
        raise ConfigError(f"{wrong}: {lacking}; valid: {', '.join(names)}")
    types, changes = {}, {}
    for name, column in schema.columns.items():
        kinds = (kind for test, kind in _TYPES.items() if getattr(dtypes, test)(column.dtype))
        if not (column.coerce or schema.coerce) and (kind := next(kinds, None)):
            types[name] = kind, column.nullable or not column.required
            changes[name] = {"dtype": None, "nullable": True}
        elif str(column.dtype) == "object":  # anything: pandas may have found a narrower type
            changes[name] = {"dtype": None}
    parts = [schema, *schema.columns.values()]
    checks = [check for part in parts for check in part.checks]
    if any(part.drop_invalid_rows for part in parts) or any(c.raise_warning for c in checks):
        advice = "leave out drop_invalid_rows and raise_warning, by which faulty rows pass"
        raise ConfigError(f"{wrong}: {advice}")
    by_row = not any(part.unique or part.parsers for part in parts)
    by_row &= not any(column.regex and column.required for column in schema.columns.values())
    for check in checks:
        is_known = pandera.Check.is_builtin_check(check.name) and check.name not in _NOT_BY_ROW
        by_row &= bool(check.element_wise or is_known) and check.groupby is None
    is_strict, schema = schema.strict is True, schema.update_columns(changes)
    schema.strict = False
    return RowSchema(schema, types, is_strict, by_row)
