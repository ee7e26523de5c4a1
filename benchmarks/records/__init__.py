"""Result files of ``edge-bench``: what a run found, written once and read back as hostile input."""

from __future__ import annotations

from benchmarks.records.accuracy import AccuracyRecord, Figure
from benchmarks.records.check import ResultCheck
from benchmarks.records.facts import Facts
from benchmarks.records.file import SCHEMA, Record, parse_record, read_record, write_record
from benchmarks.records.latency import LatencyRecord, Point, Settings, StageMs
from benchmarks.records.sweep import Cell, Merit, SweepRecord, Times

__all__ = [
    "SCHEMA",
    "AccuracyRecord",
    "Cell",
    "Facts",
    "Figure",
    "LatencyRecord",
    "Merit",
    "Point",
    "Record",
    "ResultCheck",
    "Settings",
    "StageMs",
    "SweepRecord",
    "Times",
    "parse_record",
    "read_record",
    "write_record",
]
