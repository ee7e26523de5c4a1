"""Every way of running a bundle's networks, timed in turn, and which are worth having."""

from __future__ import annotations

from benchmarks.sweep.measure import sweep
from benchmarks.sweep.page import page, section
from benchmarks.sweep.pareto import mark_front
from benchmarks.sweep.ways import Way, Wish, find_ways
from benchmarks.sweep.words import lines

__all__ = ["Way", "Wish", "find_ways", "lines", "mark_front", "page", "section", "sweep"]
