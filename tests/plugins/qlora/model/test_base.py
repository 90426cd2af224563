from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tunegate_qlora.model import folders as bases


def test_a_base_is_found_under_the_first_root_that_holds_it(project: Path, tmp_path: Path) -> None:
    assert bases.locate_base("base", project / "elsewhere", project) == project / "base"
    assert bases.locate_base(str(project / "base"), project / "elsewhere") == project / "base"


def test_a_base_that_is_not_there_says_where_was_looked(project: Path) -> None:
    with pytest.raises(ValueError, match=r"no folder .*/models/it.*`hf download models/it`"):
        bases.locate_base("models/it", project)


def test_the_digest_is_of_what_answers_depend_on(base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "renamed"
    shutil.copytree(base, copy)
    assert bases.folder_digest(copy) == bases.folder_digest(base)
    (copy / "README.md").write_text("a model card")
    assert bases.folder_digest(copy) == bases.folder_digest(base)
    (copy / "chat_template.jinja").write_text("another template")
    assert bases.folder_digest(copy) != bases.folder_digest(base)


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no model"):
        bases.read_config(tmp_path)
