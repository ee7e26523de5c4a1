"""What ``edge-bench sweep`` found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.metrics import Interval
from benchmarks.records.check import ResultCheck
from benchmarks.records.facts import Facts
from edge.evidence import Evidence

__all__ = ["Cell", "Merit", "SweepRecord", "Times"]

MAX_CELLS = 1000
_PERCENTILES = ("p50", "p90")


@dataclass(frozen=True, slots=True)
class Times:
    """How long one run of a cell takes.

    Attributes:
        count: timed runs.
        p50_ms, p90_ms, fps: with their 95 % intervals.
    """

    count: int
    p50_ms: float
    p50_ci95: Interval
    p90_ms: float
    p90_ci95: Interval
    fps: float
    fps_ci95: Interval


@dataclass(frozen=True, slots=True)
class Merit:
    """What a bundle's evidence says of an artefact.

    Attributes:
        metric: name of the figure.
        value: of the artefact.
        float_value: of the float network.
        ci95: of ``value``; may be None.
        n: samples.
        data: pack and split.
    """

    metric: str
    value: float
    float_value: float
    ci95: Interval | None
    n: int
    data: str

    @classmethod
    def stated(cls, proof: Evidence) -> Merit:
        """Return what a bundle's evidence says."""
        return cls(
            metric=proof.metric,
            value=proof.artefact_value,
            float_value=proof.float_value,
            ci95=proof.ci95,
            n=proof.n,
            data=proof.data,
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One way of doing one thing.

    Attributes:
        subject: ``pipeline``, or the task whose network runs alone.
        bundle: as it was named.
        engine, precision: of the artefacts.
        height, width: pixels that go into the network; a pipeline has those of its detector.
        threads: of each engine.
        faces_per_frame: that a pipeline found; None for a network alone.
        times: None where it could not run.
        unavailable: why; else empty.
        merit: None for a pipeline, which no one figure judges.
        front: whether no other cell of its subject is as quick and as good.
    """

    subject: str
    bundle: str
    engine: str
    precision: str
    height: int
    width: int
    threads: int
    faces_per_frame: float | None = None
    times: Times | None = None
    unavailable: str = ""
    merit: Merit | None = None
    front: bool = False

    @property
    def kind(self) -> str:
        """Precision, engine and size in one word or two."""
        return f"{self.precision} {self.engine} {self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """All cells of one sweep.

    Attributes:
        date: ISO date and time.
        source: of the frames that the pipelines saw.
        seconds: of timed runs a cell, at least.
        rounds: in which every cell had its turn.
        cells: in the order of the table.
        valid, invalid: whether the machine was fit, and why not.
        fingerprint: of the machine.
    """

    date: str
    source: str
    seconds: float
    rounds: int
    cells: tuple[Cell, ...]
    valid: bool
    invalid: tuple[str, ...]
    fingerprint: Facts

    @classmethod
    def from_json(cls, check: ResultCheck, table: Mapping[str, Any]) -> SweepRecord:
        """Check and build from parsed JSON; keys that are not known are passed over.

        Raises:
            DataError: a key is missing or holds what cannot be.
        """
        cells = check.items(table.get("cells"), "cells", 0, MAX_CELLS)
        return cls(
            date=check.note(table, "date"),
            source=check.note(table, "source"),
            seconds=check.figure(table, "seconds"),
            rounds=check.count(table, "rounds"),
            cells=tuple(_cell(check, raw) for raw in cells),
            valid=check.truth(table, "valid"),
            invalid=check.notes(table, "invalid"),
            fingerprint=Facts.from_json(check, table.get("fingerprint"), "fingerprint"),
        )

    def to_json(self) -> dict[str, object]:
        """Return the file's object without schema and kind."""
        table = asdict(self)
        table["fingerprint"] = self.fingerprint.to_json()
        return table


def _cell(check: ResultCheck, raw: object) -> Cell:
    table = check.mapping(raw, "cells")
    times, merit = table.get("times"), table.get("merit")
    return Cell(
        subject=check.text(table, "subject"),
        bundle=check.note(table, "bundle"),
        engine=check.text(table, "engine"),
        precision=check.text(table, "precision"),
        height=check.count(table, "height"),
        width=check.count(table, "width"),
        threads=check.count(table, "threads"),
        faces_per_frame=check.known(table, "faces_per_frame"),
        times=None if times is None else _times(check, times),
        unavailable=check.note(table, "unavailable"),
        merit=None if merit is None else _merit(check, merit),
        front=check.truth(table, "front"),
    )


def _times(check: ResultCheck, raw: object) -> Times:
    table = check.mapping(raw, "times")

    def ends(key: str) -> Interval:
        return check.interval(table, key) or check.fail(key, "is missing")

    return Times(
        count=check.count(table, "count"),
        p50_ms=check.figure(table, "p50_ms"),
        p50_ci95=ends("p50_ci95"),
        p90_ms=check.figure(table, "p90_ms"),
        p90_ci95=ends("p90_ci95"),
        fps=check.figure(table, "fps"),
        fps_ci95=ends("fps_ci95"),
    )


def _merit(check: ResultCheck, raw: object) -> Merit:
    table = check.mapping(raw, "merit")
    value, float_value = check.known(table, "value"), check.known(table, "float_value")
    if value is None or float_value is None:
        check.fail("merit", "has no figures")
    return Merit(
        metric=check.text(table, "metric"),
        value=value,
        float_value=float_value,
        ci95=check.interval(table, "ci95"),
        n=check.count(table, "n"),
        data=check.note(table, "data"),
    )
