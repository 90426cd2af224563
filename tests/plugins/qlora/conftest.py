"""Fixtures: a project with a tiny random Llama as its base."""

from qlora_fixtures import base, finished_project, folder, plan, project, second, template

__all__ = ["base", "finished_project", "folder", "plan", "project", "second", "template"]
