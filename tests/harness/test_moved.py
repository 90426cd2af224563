"""An import by a name before 0.2 is one line that names the new one."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import tunegate

TABLE = Path(tunegate.__file__).with_name("moved_modules.toml")
REPLACEMENTS = tomllib.loads(TABLE.read_text("utf-8"))


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_an_old_import_names_the_new_one(name: str) -> None:
    package, _, attribute = name.rpartition(".")
    with pytest.raises(ImportError) as raised:
        exec(f"from {package} import {attribute}")
    assert str(raised.value) == f"{name} has moved; write: {REPLACEMENTS[name]}"
    new_import = REPLACEMENTS[name].partition("#")[0]
    exec(new_import)  # and that one works


def test_any_other_name_is_unknown_as_before() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'tunegate\.nothing'"):
        import_module("tunegate.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from tunegate.config import nothing")
