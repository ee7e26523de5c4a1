"""Compare two accuracy results, figure by figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.compare.machine import differences
from benchmarks.figures import better_when_smaller
from benchmarks.metrics import Interval
from benchmarks.records import AccuracyRecord, Figure
from edge.errors import DataError

__all__ = ["AccuracyContest", "FigureContest", "compare_accuracy"]


@dataclass(frozen=True, slots=True)
class FigureContest:
    """One figure of both.

    Attributes:
        a, b: values.
        difference: ``b - a``.
        ci95: of the difference; None where one has no interval.
        better: ``A``, ``B``, or empty where they cannot be told apart.
    """

    a: float
    b: float
    difference: float
    ci95: Interval | None
    better: str

    def to_json(self) -> dict[str, object]:
        """Return the fields; the interval as a list."""
        return {
            "a": self.a,
            "b": self.b,
            "difference": round(self.difference, 6),
            "ci95": None if self.ci95 is None else [round(end, 6) for end in self.ci95],
            "better": self.better,
        }


@dataclass(frozen=True, slots=True)
class AccuracyContest:
    """All figures that both have.

    Attributes:
        task: of both.
        figures: by name.
        remarks: what should be known before a figure is believed.
    """

    task: str
    figures: Mapping[str, FigureContest]
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the object that ``edge-bench compare --json`` prints."""
        return {
            "kind": "comparison",
            "what": f"accuracy of {self.task}",
            "paired": False,
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "remarks": list(self.remarks),
        }


def compare_accuracy(
    a: AccuracyRecord, b: AccuracyRecord, *, names: tuple[str, str]
) -> AccuracyContest:
    """Compare two results of one task.

    Raises:
        DataError: they are of two tasks, or have no figure in common.
    """
    shared = [name for name in a.figures if name in b.figures]
    if a.task != b.task or not shared:
        raise DataError(
            f"{names[0]} and {names[1]} do not compare: {a.task} and {b.task}, "
            f"{len(shared)} figures in common",
            hint="name two results of one task",
            code="bench.apart",
        )
    return AccuracyContest(
        task=a.task,
        figures={name: _figure(name, a.figures[name], b.figures[name]) for name in shared},
        remarks=tuple(_remarks(a, b)),
    )


def _figure(name: str, a: Figure, b: Figure) -> FigureContest:
    ends = _difference_interval(a, b)
    better = ""
    if ends is not None and not ends[0] <= 0 <= ends[1]:
        better = "B" if (ends[0] > 0) != better_when_smaller(name) else "A"
    return FigureContest(a.value, b.value, b.value - a.value, ends, better)


def _difference_interval(a: Figure, b: Figure) -> Interval | None:
    """Return the 95 % interval of ``b - a`` from those of the two.

    Newcombe (1998), method 10, for shares with Wilson's intervals; Zou and Donner (2008) show that
    it holds for any two intervals. The two are taken for independent: on the same pictures they
    go up and down together, and the true interval is narrower.
    """
    if a.ci95 is None or b.ci95 is None:
        return None
    middle = b.value - a.value
    low = middle - math.hypot(b.value - b.ci95[0], a.ci95[1] - a.value)
    high = middle + math.hypot(b.ci95[1] - b.value, a.value - a.ci95[0])
    return low, high


def _remarks(a: AccuracyRecord, b: AccuracyRecord) -> list[str]:
    remarks = []
    if (a.data, a.n) != (b.data, b.n):
        remarks.append(f"not the same data: {a.data}, n {a.n}, and {b.data}, n {b.n}")
    else:
        remarks.append("the intervals take the two for independent; they saw the same pictures")
    found = differences(a.fingerprint, b.fingerprint)
    if found:
        remarks.append(f"not the same setting: {'; '.join(map(str, found))}")
    return remarks
