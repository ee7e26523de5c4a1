"""Several ways of doing one thing, timed in turn so that all meet the same load of the machine."""

from __future__ import annotations

from benchmarks.race.choice import Choice, as_choice, restricted
from benchmarks.race.ratio import (
    Ratio,
    Statistic,
    blocks_of,
    drawn,
    independent_ratio,
    median,
    paired_quotient,
    paired_ratio,
    percentile_of,
)
from benchmarks.race.rounds import Opener, Rounds, even, take_rounds
from benchmarks.race.turns import Turns, take_turns

__all__ = [
    "Choice",
    "Opener",
    "Ratio",
    "Rounds",
    "Statistic",
    "Turns",
    "as_choice",
    "blocks_of",
    "drawn",
    "even",
    "independent_ratio",
    "median",
    "paired_quotient",
    "paired_ratio",
    "percentile_of",
    "restricted",
    "take_rounds",
    "take_turns",
]
