"""Makes the pictures and samples of READMEs and tutorial from real sessions.

    python tools/pictures.py            # the samples: a few seconds
    python tools/pictures.py DEMO       # the pictures too, of a folder in which `tunegate demo` ran

A sample is the fenced block below a line `<!-- sample: NAME -->`; it is written anew, in every page
of PAGES. Lines are left out of what a session printed, none is changed: `shorten` says which.
DEMO's registry.jsonl is removed first, since the picture shows a first promotion.
"""

from __future__ import annotations

import argparse
import html
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "README.pt-BR.md", "docs/tutorial.md", "docs/tutorial.pt-BR.md")
PICTURES = ROOT / "docs" / "pictures"
TRIAGE = ROOT / "examples" / "triage"
WIDTH = 88  # columns: that of the longest line of the samples
DATA = ("suites/data", "--train-with", "qlora")
PROMOTION = ("suites/model", "--model", "latest", "--promote", "production")
Run = Callable[[Path, Sequence[str]], str]
MARKED = r"(?ms)^<!-- sample: (\w+) -->\n```\n(.*?)^```$"


def make_project(root: Path, scenario: int, test: str) -> None:
    """Make a project of the files that the tutorial shows, with one of the shipped tests."""
    page = (ROOT / "docs" / "tutorial.md").read_text("utf-8")

    def blocks(language: str) -> list[str]:
        return re.findall(rf"(?ms)^```{language}\n(.*?)^```", page)

    (root / "suites" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "suites" / "data" / test, root / "suites" / "data")
    (root / "tunegate.toml").write_text(blocks("toml")[scenario], "utf-8")
    (root / "rows.py").write_text(blocks("python")[scenario], "utf-8")
    (root / "checks").mkdir()
    (root / "checks" / "house.mjs").write_text(blocks("js")[0], "utf-8")
    demo = root.parent / "tunegate-demo"
    if not demo.exists():
        demo.symlink_to(TRIAGE)
    subprocess.run([sys.executable, "rows.py"], cwd=root, check=True)


def environment() -> dict[str, str]:
    """Return the environment of a session, without what changes what it prints."""
    hidden = ("PYTEST", "CI", "BUILD_N", "COLUMNS")
    env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    return env | {
        "COLUMNS": str(WIDTH), "HF_HUB_OFFLINE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"
    }  # fmt: skip


def session(root: Path, arguments: Sequence[str]) -> str:
    """Run pytest in a project, and return what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "tunegate", "-q", *arguments]
    done = subprocess.run(
        command, cwd=root, env=environment(), check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def plain(line: str) -> str:
    """Return a line without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", line)


def shorten(printed: str) -> list[str]:
    """Return the lines that show a failure, its table or the scores, and the verdict."""
    kept: list[str] = []
    inside, is_verdict = False, False
    for line in printed.splitlines():
        text = plain(line)
        if text.startswith(">  ") or re.match(r"-{5,} .* -{5,}$", text):
            inside = True
        elif re.match(r"\S+\.py:\d+: |=+ ", text):
            inside = " scores " in text
        # A decision that takes several lines is indented from the second one on.
        goes_on = is_verdict and re.match(r" {12}\S", text)
        is_verdict = bool(goes_on or re.match(r"(gate|promotion) +\S", text))
        is_noise = bool(re.match(r"E +\+ |known, and right|.* none set |$", text))
        is_noise |= text.startswith(">") and len(text) > WIDTH
        if (inside or is_verdict) and not is_noise:
            kept.append(line)
    return kept


def picture(blocks: Sequence[tuple[str, list[str]]], dark: bool) -> str:
    """Return an SVG of commands and the lines that they printed, with their colours."""
    from rich.console import Console
    from rich.terminal_theme import SVG_EXPORT_THEME, TerminalTheme
    from rich.text import Text

    light = TerminalTheme(
        (255, 255, 255), (36, 41, 47),
        [(36, 41, 47), (188, 28, 38), (20, 110, 50), (133, 87, 0), (9, 90, 190), (125, 55, 175),
         (20, 110, 120), (90, 98, 106)],
    )  # fmt: skip
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for number, (command, lines) in enumerate(blocks):
        console.print("\n" if number else "", end="")
        console.print(Text.assemble(("$ ", "bold green"), (f"pytest {command}", "bold")))
        for line in lines:
            console.print(Text.from_ansi(line))
    theme = SVG_EXPORT_THEME if dark else light
    made = console.export_svg(title="tunegate", theme=theme, unique_id="t")
    made = re.sub(r"(?s)@font-face \{.*?\n    \}\n", "", made)  # a picture fetches nothing
    fonts = "ui-monospace, SFMono-Regular, Menlo, Consolas, Liberation Mono, monospace"
    edge = 'stroke="rgba(255,255,255,0.35)"'
    return made.replace("Fira Code, monospace", fonts).replace(edge, 'stroke="#8b949e"')


def words(svg: str) -> list[str]:
    """Return the lines of text of such a picture."""
    rows: dict[float, dict[float, str]] = {}
    for x, y, text in re.findall(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', svg):
        rows.setdefault(float(y), {})[float(x)] = html.unescape(text).replace("\xa0", " ")
    return ["".join(t for _, t in sorted(rows[y].items())).rstrip() for y in sorted(rows)]


def samples(folder: Path, run: Run) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each sample, from sessions in projects of their own."""
    make_project(folder / "tickets", 0, "test_personal_data.py")
    arguments: dict[str, Sequence[str]] = {"tickets": DATA}
    if shutil.which("node"):
        make_project(folder / "house", 1, "test_programs.py")
        arguments["house"] = DATA[:1]
    for name, words in arguments.items():
        yield name, "".join(f"{line}\n" for line in shorten(run(folder / name, words)))


def write_samples(made: dict[str, str]) -> None:
    """Write the samples into the pages."""
    for page in PAGES:
        path = ROOT / page
        text = re.sub(
            MARKED,
            lambda found: f"<!-- sample: {found[1]} -->\n```\n{made.get(found[1], found[2])}```",
            path.read_text("utf-8"),
        )
        path.write_text(text, "utf-8")


def photograph(page: Path, out: Path, size: tuple[int, int], dark: bool) -> None:
    """Write a picture of a page, as chromium shows it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("no chromium")
    quiet = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
    with tempfile.TemporaryDirectory() as profile:
        options = [f"--user-data-dir={profile}", "--hide-scrollbars", f"--screenshot={out}"]
        scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
        window = f"--window-size={size[0]},{size[1]}"
        subprocess.run(
            [browser, *quiet.split(), *options, *scheme, window, page.as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("demo", nargs="?", type=Path, metavar="DEMO")
    demo: Path | None = parser.parse_args().demo
    with tempfile.TemporaryDirectory() as folder:
        write_samples(dict(samples(Path(folder), session)))
        closed = shorten(session(Path(folder, "tickets"), [*DATA, "--color=yes"]))
    if demo is None:
        return
    (demo / "registry.jsonl").unlink(missing_ok=True)
    promoted = shorten(session(demo, [*PROMOTION, "--color=yes"]))
    PICTURES.mkdir(exist_ok=True)
    blocks = [(" ".join(DATA), closed), (" ".join(PROMOTION), promoted)]
    report = Path(tempfile.mkdtemp(), "report.html")
    tunegate = [sys.executable, "-m", "tunegate", "report", "-o", str(report)]
    subprocess.run(tunegate, cwd=demo, check=True)
    for name, dark in (("light", False), ("dark", True)):
        (PICTURES / f"terminal-{name}.svg").write_text(picture(blocks, dark), "utf-8")
        photograph(report, PICTURES / f"report-{name}.png", (1000, 720), dark)
    shutil.rmtree(report.parent)


if __name__ == "__main__":
    main()
