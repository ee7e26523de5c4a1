"""The result of a latency run: everything that was seen, and what follows from it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from benchmarks.latency.live import Traffic
from benchmarks.latency.quantiles import percentile, percentile_interval, rate_interval
from benchmarks.latency.scenarios import FEWEST, HEADLINE, Run
from edge.results import StageTime

__all__ = ["LatencyResult", "Settings", "few"]

#: Stages that say something of every face.
_EVERY_FACE = ("mask", "identify", "emotion")
_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
#: Points of the timeline that are kept; the raw latencies are all kept.
_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run was set up; all of it stands in the result.

    Attributes:
        scenario: one of ``scenarios.SCENARIOS``.
        subject: see ``subjects.open_subject``.
        source: where the frames come from.
        threads: of each engine.
        workers: subjects that work at once.
        streams: frames a query.
        seconds, count: the least that is timed.
        warm_up: runs of each worker before the clock counts.
        fps: pace of a live run over pictures in memory.
        engine: instead of the bundle's own, or None.
    """

    scenario: str
    subject: str
    source: str
    threads: int = 1
    workers: int = 1
    streams: int = 1
    seconds: float = 10.0
    count: int = 64
    warm_up: int = 5
    fps: float = 30.0
    engine: str | None = None


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """What one run saw.

    Attributes:
        settings: of the run.
        run: query by query.
        frames: different frames that were taken in turn.
        date: ISO 8601, with the offset from UTC.
        harness_ms: median of the same with an engine that computes nothing: the harness's own
            cost on a frame in which nothing is found; None where it was not asked for.
        traffic: of a live run.
        invalid: why the figures cannot be trusted; empty for a valid run.
        facts: what was seen of the machine, by name, as it stands in the result's JSON.
        temperature_c: (seconds since the run began, degrees) in the order of time.
    """

    settings: Settings
    run: Run
    frames: int
    date: str = field(default_factory=_now)
    harness_ms: float | None = None
    traffic: Traffic | None = None
    invalid: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    temperature_c: Sequence[tuple[float, float]] = ()

    @property
    def valid(self) -> bool:
        """Whether the figures can be trusted."""
        return not self.invalid

    @property
    def stages(self) -> dict[str, StageTime]:
        """The sum of each stage over the whole run, in the order of the river."""
        total: dict[str, StageTime] = {}
        for answer in self.run.answers:
            for name, spent in answer.stage_ns.items():
                total[name] = total.get(name, StageTime()) + spent
        return total

    @property
    def faces(self) -> int:
        """Faces that were looked at in the whole run."""
        return sum(answer.faces for answer in self.run.answers)

    @property
    def latency_ms(self) -> dict[str, float]:
        """Percentiles, greatest and mean of a query's time."""
        raw = np.array(self.run.raw_ns) / 1e6
        shares = {name: percentile(raw, share) for name, share in _SHARES.items()}
        return {**shares, "mean": float(raw.mean())}

    @property
    def fps(self) -> float:
        """Frames a second, end to end."""
        return len(self.run.answers) / (self.run.elapsed_ns / 1e9)

    @property
    def inside_ms(self) -> float:
        """Median of a frame's time inside the engines: their runs, with the copies in and out."""
        inside = [sum(s.infer_ns for s in a.stage_ns.values()) for a in self.run.answers]
        return float(np.median(inside) / 1e6)

    @property
    def overhead_ms(self) -> float:
        """Median of a frame's time outside the engines."""
        return float(
            np.median(
                [
                    answer.total_ns - sum(spent.infer_ns for spent in answer.stage_ns.values())
                    for answer in self.run.answers
                ]
            )
            / 1e6
        )

    @property
    def between_ms(self) -> float:
        """Median of a frame's time outside all stages: what the pipeline itself costs."""
        return float(
            np.median(
                [
                    answer.total_ns - sum(spent.total_ns for spent in answer.stage_ns.values())
                    for answer in self.run.answers
                ]
            )
            / 1e6
        )

    @property
    def reused(self) -> float | None:
        """Share of what is said of faces that no stage looked at anew for it; None without any.

        Mask, identity and emotion are said of every face; what a live run carries on from earlier
        frames is the rest of the looks. Elsewhere every stage looks at every face: 0.
        """
        said = [spent.runs for name, spent in self.stages.items() if name in _EVERY_FACE]
        if not self.faces or not any(said):
            return None
        return 1 - sum(said) / (self.faces * sum(runs > 0 for runs in said))

    def to_json(self) -> dict[str, object]:
        """Return the result of docs/bench.md; milliseconds to the tenth of a microsecond."""
        raw = np.array(self.run.raw_ns) / 1e6
        n = len(self.run.answers)
        low, high = rate_interval(self.run.ends_ns, self.settings.streams)
        report: dict[str, object] = {
            "kind": "latency",
            "date": self.date,
            "scenario": self.settings.scenario,
            "subject": self.settings.subject,
            "valid": self.valid,
            "invalid": list(self.invalid),
            "settings": asdict(self.settings),
            "count": len(raw),
            "frames": self.frames,
            "faces": self.faces,
            "faces_per_frame": _plain(self.faces / n),
            "reused": _plain(self.reused),
            "latency_ms": {name: _plain(value) for name, value in self.latency_ms.items()},
            "latency_ms_ci95": {
                name: [_plain(end) for end in percentile_interval(raw, share)]
                for name, share in _SHARES.items()
                if share < 1
            },
            "fps": _plain(self.fps),
            "fps_ci95": [_plain(low), _plain(high)],
            "stages": {name: _stage_ms(spent, n) for name, spent in self.stages.items()},
            "overhead_ms": _plain(self.overhead_ms),
            "between_ms": _plain(self.between_ms),
            "harness_ms": _plain(self.harness_ms),
        }
        if self.traffic is not None:
            report["live"] = _traffic(self.traffic)
        return {
            **report,
            **self.facts,
            "timeline": self._timeline(),
            "raw_ns": list(self.run.raw_ns),
        }

    def _timeline(self) -> list[list[float | None]]:
        """Return [seconds, milliseconds, degrees or None] of queries evenly spread."""
        n = len(self.run.raw_ns)
        kept = range(0, n, max(1, math.ceil(n / _POINTS)))
        times = np.array([at for at, _ in self.temperature_c])
        points: list[list[float | None]] = []
        for i in kept:
            at = self.run.ends_ns[i] / 1e9
            near = int(np.searchsorted(times, at, side="right")) - 1
            degrees = self.temperature_c[near][1] if near >= 0 else None
            points.append([round(at, 4), _plain(self.run.raw_ns[i] / 1e6), degrees])
        return points


def few(settings: Settings, run: Run) -> tuple[str, ...]:
    """Return why a run has too few queries for the percentile that it is judged by."""
    need = FEWEST[settings.scenario]
    if len(run.raw_ns) >= need:
        return ()
    what = f"p{HEADLINE[settings.scenario]}" if settings.scenario in HEADLINE else "a rate"
    return (f"{len(run.raw_ns)} queries are too few for {what}, which takes {need}",)


def _stage_ms(spent: StageTime, frames: int) -> dict[str, float | None]:
    """Return milliseconds a frame, the mean over the run: they add up to the whole."""
    return {
        "pre_ms": _plain(spent.pre_ns / frames / 1e6),
        "infer_ms": _plain(spent.infer_ns / frames / 1e6),
        "post_ms": _plain(spent.post_ns / frames / 1e6),
        "runs": _plain(spent.runs / frames),
    }


def _traffic(traffic: Traffic) -> dict[str, object]:
    age = np.array(traffic.age_ns) / 1e6
    return {
        "offered": traffic.offered,
        "processed": traffic.processed,
        "dropped": traffic.dropped,
        "age_ms": {name: _plain(percentile(age, share)) for name, share in _SHARES.items()},
    }


def _plain(value: float | None) -> float | None:
    """Round for a reader; JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else round(value, 4)
