"""Which of two is faster, or better, and whether that can be told at all."""

from __future__ import annotations

from benchmarks.compare.accuracy import AccuracyContest, FigureContest, compare_accuracy
from benchmarks.compare.baseline import Held, hold_to, percent
from benchmarks.compare.bundles import compare_choices
from benchmarks.compare.contest import Contest, Side, StageContest
from benchmarks.compare.latency import compare_latency
from benchmarks.compare.machine import MACHINE, Difference, differences, same_machine

__all__ = [
    "MACHINE",
    "AccuracyContest",
    "Contest",
    "Difference",
    "FigureContest",
    "Held",
    "Side",
    "StageContest",
    "compare_accuracy",
    "compare_choices",
    "compare_latency",
    "differences",
    "hold_to",
    "percent",
    "same_machine",
]
