"""A result with the name that the report calls it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from benchmarks.records import AccuracyRecord, LatencyRecord, Record, SweepRecord

__all__ = ["Named", "accuracies", "latencies", "name_all", "sweeps"]

_Record = TypeVar("_Record", LatencyRecord, AccuracyRecord, SweepRecord, Record)


@dataclass(frozen=True, slots=True)
class Named(Generic[_Record]):
    """A result and its short name."""

    name: str
    record: _Record

    @property
    def label(self) -> str:
        """The name as a plot has it: an invalid run says so wherever it is drawn."""
        return self.name if getattr(self.record, "valid", True) else f"{self.name} (INVALID)"


def name_all(paths: Sequence[Path], records: Sequence[Record]) -> list[Named[Record]]:
    """Name every result by its file; by its whole path where two files have one name."""
    stems = [path.stem for path in paths]
    return [
        Named(stem if stems.count(stem) == 1 else str(path), record)
        for path, stem, record in zip(paths, stems, records, strict=True)
    ]


def latencies(results: Sequence[Named[Record]]) -> list[Named[LatencyRecord]]:
    """Return the latency results."""
    return [Named(r.name, r.record) for r in results if isinstance(r.record, LatencyRecord)]


def accuracies(results: Sequence[Named[Record]]) -> list[Named[AccuracyRecord]]:
    """Return the accuracy results."""
    return [Named(r.name, r.record) for r in results if isinstance(r.record, AccuracyRecord)]


def sweeps(results: Sequence[Named[Record]]) -> list[Named[SweepRecord]]:
    """Return the sweeps."""
    return [Named(r.name, r.record) for r in results if isinstance(r.record, SweepRecord)]
