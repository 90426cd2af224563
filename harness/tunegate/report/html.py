"""The page as HTML: one file that fetches nothing and runs nothing."""

from __future__ import annotations

from .page import Page


def render_html(page: Page) -> bytes:
    """Render a page; every value is escaped, and text that no UTF-8 can hold is spelt out."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tunegate", "report"),
        autoescape=True,  # of every file, whatever it is called
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html").render(page=page)
    return text.encode("utf-8", "backslashreplace")
