"""Review a random sample of rows in the browser; each key is saved in a sheet as it is pressed.

Several people may review, each in a sheet of their own. Ctrl-C ends it.

$ tunegate review serve data/train.jsonl
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.data.dataset import Example
from tunegate.utils.hashing import sha256_bytes
from tunegate.utils.masking import unmasked

from . import draw
from .sample import row_id
from .server import PageServer
from .sheet import MAX_CELL_LETTERS, VERDICTS, SheetEntry, read_sheet, write_filled


def arguments(parser: argparse.ArgumentParser) -> None:
    draw.sample_arguments(parser)
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1 (a free one)")


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C; raises ValueError, ConfigError for bad input."""
    sample = draw.Sample.draw(args.file, args.share, args.seed)
    with PageServer(ReviewDesk(sample), args.port) as server:
        # The token would be masked as the key that it is.
        print(f"open  {server.address}", file=unmasked(sys.stdout), flush=True)
        print(
            f"      {len(sample.rows):,} of {sample.n:,} rows; saved in {sample.folder}", flush=True
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nnext  tunegate review status")


@dataclass(frozen=True)
class ReviewDesk:
    """Shows a sample row by row to each reviewer, and saves what they say."""

    sample: draw.Sample

    def sheet_path(self, who: str) -> Path:
        """Return the path of a reviewer's sheet."""
        name = "".join(c for c in who if c.isalnum())[:20]
        return self.sample.path(f"-{name}-{sha256_bytes(who.encode())[:6]}")

    def said(self, who: str) -> dict[str, SheetEntry]:
        """Return what a reviewer has said so far, by the ids of the rows; raises ValueError."""
        path = self.sheet_path(who)
        entries = read_sheet(path).entries if path.exists() else ()
        return {e.id: e for e in entries if e.verdict or e.note or e.correction}

    def view(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return a reviewer's row, by default the first that is open, or what asks for a name."""
        who, rows = query.get("who", "").strip(), self.sample.rows
        said = self.said(who) if who else {}
        open_rows = [i for i, e in enumerate(rows, 1) if not said.get(row_id(e), NOTHING).verdict]
        number = query.get("row") or str([*open_rows, len(rows)][0])
        example = self.row(number)
        return {
            "file": self.sample.dataset.path.name, "who": who, "n": int(number),
            "total": len(rows), "left": len(open_rows), "example": example,
            "said": said.get(row_id(example), NOTHING),
        }  # fmt: skip

    def row(self, number: str) -> Example:
        """Return the row with this number, from 1; raises ValueError."""
        rows = {str(n): example for n, example in enumerate(self.sample.rows, start=1)}
        if number not in rows:
            raise ValueError(f"row {number!r}: 1 to {len(rows)} is valid")
        return rows[number]

    def save(self, form: Mapping[str, str]) -> None:
        """Write the reviewer's sheet anew with this row's verdict, correction and note."""
        who, verdict, example = form["who"].strip(), form.get("verdict", ""), self.row(form["row"])
        note, correction = (form[k].replace("\r\n", "\n") for k in ("note", "correction"))
        correction = "" if correction.strip() == example.reply.strip() else correction
        verdict = "wrong" if correction else verdict
        if not who or verdict not in ("", *VERDICTS):
            raise ValueError(f"a name is needed, and of {', '.join(VERDICTS)} one or none")
        if max(map(len, (who, note, correction))) > MAX_CELL_LETTERS:
            raise ValueError(f"a cell of a sheet holds {MAX_CELL_LETTERS:,} characters")
        sample, said = self.sample, self.said(who)
        said[row_id(example)] = SheetEntry(
            0, "", "", verdict, who if verdict else "", note, correction
        )
        write_filled(self.sheet_path(who), sample.dataset, sample.rows, sample.seed, said)


NOTHING = SheetEntry(0, "", "")
