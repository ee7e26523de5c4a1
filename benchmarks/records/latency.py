"""What ``edge-bench latency`` found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.metrics import Interval
from benchmarks.records.check import ResultCheck
from benchmarks.records.facts import Facts

__all__ = ["PERCENTILES", "SCENARIOS", "LatencyRecord", "Live", "Point", "Settings", "StageMs"]

SCENARIOS = ("single-stream", "multi-stream", "offline", "live")
#: Keys of ``latency_ms``.
PERCENTILES = ("p50", "p90", "p95", "p99", "max", "mean")

MAX_RAW = 2_000_000
_MAX_TIMELINE = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What the run was asked for; texts may be empty, and a number is None where none was given.

    Attributes:
        source, bundle, engine: as the command was given them.
        threads, workers, streams, count, warm_up: whole numbers.
        seconds: at least so long.
    """

    source: str = ""
    bundle: str = ""
    engine: str = ""
    threads: int | None = None
    workers: int | None = None
    streams: int | None = None
    seconds: float | None = None
    count: int | None = None
    warm_up: int | None = None

    @classmethod
    def from_json(cls, check: ResultCheck, raw: object) -> Settings:
        """Check and build from parsed JSON; what is missing is unknown."""
        table = check.mapping({} if raw is None else raw, "settings")

        def whole(key: str) -> int | None:
            return None if table.get(key) is None else check.count(table, key)

        return cls(
            source=check.note(table, "source"),
            bundle=check.note(table, "bundle"),
            engine=check.note(table, "engine"),
            threads=whole("threads"),
            workers=whole("workers"),
            streams=whole("streams"),
            seconds=check.known(table, "seconds"),
            count=whole("count"),
            warm_up=whole("warm_up"),
        )


@dataclass(frozen=True, slots=True)
class StageMs:
    """Milliseconds of one stage, the mean over all frames of the run.

    Attributes:
        pre_ms, infer_ms, post_ms: pre-processing, inference, post-processing.
        runs: a frame.
    """

    pre_ms: float
    infer_ms: float
    post_ms: float
    runs: float

    @property
    def total_ms(self) -> float:
        """The three together."""
        return self.pre_ms + self.infer_ms + self.post_ms

    @classmethod
    def from_json(cls, check: ResultCheck, raw: object, name: str) -> StageMs:
        """Check and build from parsed JSON."""
        table = check.mapping(raw, f"stages.{name}")
        pre, infer, post, runs = (
            check.figure(table, key) for key in ("pre_ms", "infer_ms", "post_ms", "runs")
        )
        return cls(pre, infer, post, runs)


@dataclass(frozen=True, slots=True)
class Live:
    """How a camera's pace was kept.

    Attributes:
        offered, processed, dropped: frames.
        age_ms: from capture to result, by percentile.
    """

    offered: int
    processed: int
    dropped: int
    age_ms: Mapping[str, float]

    @classmethod
    def from_json(cls, check: ResultCheck, raw: object) -> Live:
        """Check and build from parsed JSON."""
        table = check.mapping(raw, "live")
        ages = check.named(table.get("age_ms", {}), "live.age_ms")
        offered, processed, dropped = (
            check.count(table, key) for key in ("offered", "processed", "dropped")
        )
        return cls(offered, processed, dropped, {name: check.figure(ages, name) for name in ages})


@dataclass(frozen=True, slots=True)
class Point:
    """One mark of the timeline; ``celsius`` is None where no sensor was read."""

    seconds: float
    latency_ms: float | None
    celsius: float | None


@dataclass(frozen=True, slots=True)
class LatencyRecord:
    """One run, as its file has it.

    Attributes:
        date: ISO date and time.
        scenario: one of ``SCENARIOS``.
        subject: ``pipeline``, ``stage:NAME`` or ``engine:TASK``.
        valid: whether the run counts.
        invalid: why it does not.
        settings: what was asked for.
        count: queries.
        frames: different ones.
        faces: found in all.
        faces_per_frame: of them; None where it makes no sense.
        reused: 0..1, faces whose stages were not run anew; None without faces.
        latency_ms: by percentile, one of ``PERCENTILES``.
        latency_ms_ci95: 95 % intervals of those that have one.
        fps: results a second; with its interval.
        stages: by name.
        overhead_ms: median of the whole less all inference; None where unknown.
        harness_ms: the same with the engine that computes nothing.
        live: of the scenario ``live`` alone.
        joules_per_frame, watts: where the board can tell.
        fingerprint: of the machine and what ran.
        before, after: state of the machine.
        timeline: marks in order.
        raw_ns: every latency in order.
    """

    date: str
    scenario: str
    subject: str
    valid: bool
    invalid: tuple[str, ...]
    settings: Settings
    count: int
    frames: int
    faces: int
    faces_per_frame: float | None
    reused: float | None
    latency_ms: Mapping[str, float]
    latency_ms_ci95: Mapping[str, Interval]
    fps: float
    fps_ci95: Interval | None
    stages: Mapping[str, StageMs]
    overhead_ms: float | None
    harness_ms: float | None
    live: Live | None
    joules_per_frame: float | None
    watts: float | None
    fingerprint: Facts
    before: Facts
    after: Facts
    timeline: tuple[Point, ...]
    raw_ns: tuple[int, ...]

    @classmethod
    def from_json(cls, check: ResultCheck, table: Mapping[str, Any]) -> LatencyRecord:
        """Check and build from parsed JSON; keys that are not known are passed over.

        Raises:
            DataError: a key is missing or holds what cannot be.
        """
        latencies = check.mapping(table.get("latency_ms"), "latency_ms")
        intervals = check.mapping(table.get("latency_ms_ci95") or {}, "latency_ms_ci95")
        stages = check.named(table.get("stages") or {}, "stages")
        live, energy = table.get("live"), check.mapping(table.get("energy") or {}, "energy")
        ends = {name: check.interval(intervals, name) for name in PERCENTILES}
        return cls(
            date=check.note(table, "date"),
            scenario=check.one_of(table, "scenario", SCENARIOS),
            subject=check.text(table, "subject"),
            valid=check.truth(table, "valid"),
            invalid=check.notes(table, "invalid"),
            settings=Settings.from_json(check, table.get("settings")),
            count=check.count(table, "count"),
            frames=check.count({"frames": 0, **table}, "frames"),
            faces=check.count({"faces": 0, **table}, "faces"),
            faces_per_frame=check.known(table, "faces_per_frame"),
            reused=check.known(table, "reused"),
            latency_ms={name: check.figure(latencies, name) for name in PERCENTILES},
            latency_ms_ci95={name: pair for name, pair in ends.items() if pair is not None},
            fps=check.figure(table, "fps"),
            fps_ci95=check.interval(table, "fps_ci95"),
            stages={name: StageMs.from_json(check, stages[name], name) for name in stages},
            overhead_ms=check.known(table, "overhead_ms"),
            harness_ms=check.known(table, "harness_ms"),
            live=None if live is None else Live.from_json(check, live),
            joules_per_frame=check.known(energy, "joules_per_frame"),
            watts=check.known(energy, "watts"),
            fingerprint=Facts.from_json(check, table.get("fingerprint"), "fingerprint"),
            before=Facts.from_json(check, table.get("before"), "before"),
            after=Facts.from_json(check, table.get("after"), "after"),
            timeline=_timeline(check, table.get("timeline", [])),
            raw_ns=_raw(check, table.get("raw_ns", [])),
        )

    def to_json(self) -> dict[str, object]:
        """Return the file's object without schema and kind."""
        table = asdict(self)
        for key in ("fingerprint", "before", "after"):
            table[key] = getattr(self, key).to_json()
        table["timeline"] = [[p.seconds, p.latency_ms, p.celsius] for p in self.timeline]
        joules, watts = table.pop("joules_per_frame"), table.pop("watts")
        if joules is not None or watts is not None:
            table["energy"] = {"joules_per_frame": joules, "watts": watts}
        return table


def _timeline(check: ResultCheck, raw: object) -> tuple[Point, ...]:
    points = []
    for mark in check.items(raw, "timeline", 0, _MAX_TIMELINE):
        seconds, latency, celsius = check.items(mark, "timeline", 3, 3)
        named = {"seconds": seconds, "latency_ms": latency, "celsius": celsius}
        points.append(
            Point(
                check.figure(named, "seconds"),
                check.known(named, "latency_ms"),
                check.known(named, "celsius"),
            )
        )
    return tuple(points)


def _raw(check: ResultCheck, raw: object) -> tuple[int, ...]:
    values = check.items(raw, "raw_ns", 0, MAX_RAW)
    if not all(type(value) is int and 0 < value < 10**15 for value in values):
        check.fail("raw_ns", "must be whole nanoseconds from 1 on")
    return tuple(values)
