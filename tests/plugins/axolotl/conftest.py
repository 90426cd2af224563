"""Fixtures: a project with a tiny random Llama as its base."""

from qlora_fixtures import base, project, template

__all__ = ["base", "project", "template"]
