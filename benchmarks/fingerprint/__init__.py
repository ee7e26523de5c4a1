"""What a figure was measured on, in what state, at what cost of energy, and whether it counts."""

from __future__ import annotations

from benchmarks.fingerprint.conditions import Conditions, read_conditions
from benchmarks.fingerprint.energy import Energy, Meter, open_meter
from benchmarks.fingerprint.facts import Fingerprint, machine, take_fingerprint
from benchmarks.fingerprint.load import Load
from benchmarks.fingerprint.verdict import remarks, verdict
from benchmarks.fingerprint.watch import Sample, Watch
from benchmarks.fingerprint.witness import Witness
from edge.board.thermal import Zone
from edge.board.throttling import Throttling

__all__ = [
    "Conditions",
    "Energy",
    "Fingerprint",
    "Load",
    "Meter",
    "Sample",
    "Throttling",
    "Watch",
    "Witness",
    "Zone",
    "machine",
    "open_meter",
    "read_conditions",
    "remarks",
    "take_fingerprint",
    "verdict",
]
