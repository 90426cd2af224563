"""The page in a real browser, where there is one: it complains of nothing and fetches nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import BROWSER, FLAGS

if TYPE_CHECKING:
    from conftest import Project


def shown(page: Path) -> tuple[str, str]:
    """Return the page as the browser understood it, and what it had to say of it."""
    options = [f"--user-data-dir={page.parent / 'profile'}", "--enable-logging=stderr"]
    done = subprocess.run(
        [str(BROWSER), *FLAGS, *options, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout, "\n".join(ln for ln in done.stderr.splitlines() if "CONSOLE" in ln)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
def test_a_browser_has_no_complaint_and_would_fetch_nothing(trained: Project) -> None:
    printed = trained.python("-m", "tunegate", "report", "-o", "page.html")
    assert printed.code == 0, printed.out
    page = trained.root / "page.html"
    text, complaints = shown(page)
    assert "Never judged" in text
    assert complaints == ""
    page.write_text(page.read_text().replace("<nav", '<img src="http://127.0.0.1:9/x.png"><nav'))
    assert "Content Security Policy" in shown(page)[1]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
def test_a_browser_runs_the_script_of_the_page_of_answers_and_no_other(trained: Project) -> None:
    assert trained.judge().code == 0
    assert trained.python("-m", "tunegate", "report", "-o", "page.html").code == 0
    page = trained.root / "page-answers.html"
    text, complaints = shown(page)
    assert "1 to 6 of 6 answers" in text  # the script has counted them
    assert complaints == ""
    page.write_text(page.read_text().replace("</main>", "<script>document.title = ''</script>"))
    assert "Content Security Policy" in shown(page)[1]
