"""Which project a session belongs to."""

from pathlib import Path

from tunegate.pytest_plugin.plugin import choose_project


def test_an_expression_longer_than_a_path_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").write_text("")
    arguments = ["-k", " or ".join(["test_a"] * 1000)]
    assert choose_project(tmp_path, tmp_path, arguments) == tmp_path
