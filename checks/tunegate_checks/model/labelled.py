"""Predictions as labels: `tunegate.labelled`, for the metrics beside it."""

from __future__ import annotations

from tunegate.labelled import Labelled as Labelled
from tunegate.labelled import labelled as labelled
from tunegate.labelled import misses as misses
from tunegate.labelled import shortened as shortened
