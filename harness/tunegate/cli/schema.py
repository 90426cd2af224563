"""Write a first pandera schema, which the present rows pass.

The suites hold rows and answers to it: types, allowed labels, lengths.

$ tunegate data schema
"""

import argparse
import keyword
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ..config.data_files import find_data_files
from ..config.project import current_project
from ..config.schema import load
from ..data.comparison import MAX_LABEL_LETTERS
from ..data.row_schema import flat_names, flat_row
from ..errors import ConfigError
from ..utils.files import atomic_write
from ..utils.masking import mask
from ..utils.optional_deps import require
from ..utils.text import counted

HEAD = Path(__file__).with_name("schema_head.txt")
MOST_VALUES, ROWS_A_VALUE = 100, 5  # of a column that has a list of allowed values


def run(args: argparse.Namespace) -> None:
    """Write the file of data.schema; raises ConfigError where it is there, or there are no rows."""
    config = load(root := current_project())
    spec = config.data.row_schema or "suites/data/schema.py:Row"
    file, _, model = spec.rpartition(":")
    if (root / file).exists():
        raise ConfigError(f"{file} is there, and is not written over: name another in data.schema")
    splits = find_data_files(config, root, {}, root)
    if not (rows := [flat_row(e) for e in chain.from_iterable(map(splits.get, splits.paths))]):
        raise ConfigError("no rows to describe: set data.train")
    atomic_write(root / file, schema_text(rows, model).encode())
    print(f'wrote  {file}, of {counted(len(rows), "row")}\nnext   under [data]: schema = "{spec}"')


def schema_text(rows: Sequence[Mapping[str, Any]], model: str) -> str:
    """Return the text of a schema of this name, which these flat rows pass."""
    taken = {*dir(require("pandera.pandas", "pandera").DataFrameModel), *keyword.kwlist}
    columns = {name: [row.get(name) for row in rows] for name in flat_names(rows)}
    left_out = ["line", "system", *["label"] * (columns["label"] == columns["reply"])]
    text = HEAD.read_text("utf-8").replace("class Row", f"class {model}")
    for name in (name for name in columns if name not in left_out):
        values, field = [value for value in columns[name] if value is not None], name
        kind, rules, facts = _rules(values)
        while not (field.isascii() and field.isidentifier()) or field[0] == "_" or field in taken:
            field = "field_" + re.sub(r"\W", "_", field, flags=re.ASCII)
        taken.add(field)
        rules[:0] = [f"alias={name!r}"] * (name != field)
        rules += ["nullable=True"] * (len(values) < len(rows))
        text += f"    # {facts}; in {len(values):,} of {counted(len(rows), 'row')}\n"
        text += f"    {field}: Series[{kind}] = pa.Field({', '.join(rules)})\n"
    return text


def _rules(values: Sequence[Any]) -> tuple[str, list[str], str]:
    """Return the type of values, the rules that they keep, and what a comment says of them."""
    if (kinds := {type(value) for value in values}) == {str}:
        known, lengths = sorted({*values}), sorted(map(len, values))
        is_short = len(known) <= MOST_VALUES and lengths[-1] <= MAX_LABEL_LETTERS
        if is_short and len(known) * ROWS_A_VALUE <= len(values) and known == [*map(mask, known)]:
            return "str", [f"isin={known!r}"], counted(len(known), "value")
        digit = 10 ** (len(str(2 * lengths[-1])) - 1)
        most = (2 * lengths[-1] // digit + 1) * digit
        rule = f"str_length={{'min_value': {min(1, lengths[0])}, 'max_value': {most}}}"
        return "str", [rule], f"{lengths[0]:,} to {lengths[-1]:,} letters"
    if kinds and kinds <= {int, float}:
        facts = f"{min(values):g} to {max(values):g}"
        return "float" if float in kinds else "int", ["ge=0"] * (min(values) >= 0), facts
    return ("bool", [], "true or false") if kinds == {bool} else ("object", [], "of several types")
