"""The answers keep the house style, by the rules that hold for the rows."""

from house_style import faults

from tunegate import Limits, Predictions
from tunegate.results.finding import Findings
from tunegate_checks.stats import share


def test_house_style(clean: Predictions, limits: Limits) -> None:
    """The share of answers without a fault; the limit is `house_style` of [limits.own]."""
    found = [p.finding(kind, text) for p in clean for kind, text in faults(p.got)]
    hits = [bool(p.got.strip()) and not any(faults(p.got)) for p in clean]
    misses = Findings("house style", found, split="test", n=len(clean))
    assert share("house style", hits, clean, misses=misses) >= limits.own.house_style
