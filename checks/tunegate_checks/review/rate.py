"""Rate the answers of two models in the browser, blind.

Which of them wrote an answer is hidden; each key is saved. Several may rate. Ctrl-C ends it.

$ tunegate review rate latest --against baseline
"""

import argparse
from collections.abc import Mapping

from tunegate.config.data_files import find_data_files
from tunegate.config.project import current_project
from tunegate.config.schema import load
from tunegate.models.evaluation import find_judged, judged_answers, other_answers
from tunegate.storage.state_dir import StateDir

from ..judge.human import RATINGS_FOLDER, Ratings, win_rate
from .serve import PageServer, number_in


def arguments(parser: argparse.ArgumentParser) -> None:
    add, run_help = parser.add_argument, "or a model's spec; default: latest"
    add("run", nargs="?", default="latest", metavar="RUN", help=run_help)
    add("--against", default="baseline", metavar="RUN2", help="another; default: baseline")


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C; raises ConfigError, ValueError, OSError."""
    root = current_project()
    test = find_data_files(load(root), root, {}, root).get("test")
    run, folder = find_judged(StateDir(root), args.run), root / RATINGS_FOLDER
    answers = judged_answers(run, test)
    name, over = other_answers(run, args.against, answers, test)
    if not (ratings := Ratings(folder, answers, over)).asked:
        raise ValueError(f"no answers of {run} and {name} differ: there is nothing to rate")
    print(f"rate  {run} against {name}: {len(ratings.asked):,} pairs", *ratings.notes, sep="\n")
    with RatingServer(ratings) as server:
        server.serve_until_interrupted()
    score = win_rate(answers, over, folder=folder)
    interval = f"{score!r} ({score.low:.4f} to {score.high:.4f}): {score.detail}"
    print(f"\n{interval if score.detail else score.hints[0]}")


class RatingServer(PageServer):
    """Shows two answers side by side, in an order of its own for each rater and pair."""

    def __init__(self, ratings: Ratings) -> None:
        self.ratings, self.pairs = ratings, [*ratings.asked.values()]
        super().__init__("rate.html")

    def page(self, query: Mapping[str, str], nonce: str) -> str:
        """Return a pair of answers, by default the rater's first open one; raises ValueError."""
        who, total = query.get("who", "").strip(), len(self.pairs)
        self.ratings.read()
        said = self.ratings.said.get(who, {})
        left = [n for n, pair in enumerate(self.pairs) if pair.key not in said]
        n = number_in(query.get("row") or str([*left, total - 1][0] + 1), total)
        pair, after = self.pairs[n], min(left, key=lambda m: (m <= n, m), default=n)
        return str(self.template.render(
            who=who, n=n + 1, total=total, left=len(left), after=after + 1, said=said.get(pair.key),
            nonce=nonce, pair=pair, sides=pair.sides(who), facts=self.ratings.facts(),
            token=self.token,
        ))  # fmt: skip

    def save(self, form: Mapping[str, str]) -> None:
        """Save what the form says of a pair in the rater's file; raises ValueError."""
        who, pair = form["who"].strip(), self.pairs[number_in(form["row"], len(self.pairs))]
        choices = {**pair.sides(who), "tie": "tie"}
        if not 0 < len(who) <= 60 or form["better"] not in choices:
            raise ValueError(f"a name is needed, and one of {', '.join(choices)}")
        self.ratings.save(who, pair, choices[form["better"]])
