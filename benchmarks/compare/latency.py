"""Compare two latency results that were measured apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare.contest import Contest, Side, StageContest
from benchmarks.compare.machine import differences, same_machine
from benchmarks.race import Ratio, blocks_of, independent_ratio, percentile_of
from benchmarks.records import LatencyRecord
from edge.errors import DataError

__all__ = ["compare_latency", "slow_down"]

#: Fewer latencies make no interval.
_FEWEST = 16


def compare_latency(a: LatencyRecord, b: LatencyRecord, *, names: tuple[str, str]) -> Contest:
    """Compare two results.

    Args:
        a, b: of one scenario and one subject.
        names: of their files.

    Raises:
        DataError: they are of different scenarios or subjects, or too short.
    """
    refuse_different(a, b, names=names)
    ratio, figure = slow_down(a, b, names=names)
    stages = [name for name in a.stages if name in b.stages]
    return Contest(
        a=_side(a, names[0]),
        b=_side(b, names[1]),
        what=f"{a.subject}, {a.scenario}",
        figure=figure,
        ratio=ratio,
        p90=None
        if figure == "fps"
        else independent_ratio(_blocks(b), _blocks(a), statistic=percentile_of(90)),
        stages={
            name: StageContest(a.stages[name].total_ms, b.stages[name].total_ms, None)
            for name in stages
        },
        paired=False,
        remarks=tuple(_remarks(a, b)),
    )


def refuse_different(a: LatencyRecord, b: LatencyRecord, *, names: tuple[str, str]) -> None:
    """Refuse results of which one figure does not answer the other's question.

    Raises:
        DataError: scenario, subject, workers or streams differ.
    """
    pairs = {
        "scenario": (a.scenario, b.scenario),
        "subject": (a.subject, b.subject),
        "workers": (a.settings.workers, b.settings.workers),
        "streams": (a.settings.streams, b.settings.streams),
    }
    wrong = [f"{name} {x} and {y}" for name, (x, y) in pairs.items() if x != y]
    if wrong:
        raise DataError(
            f"{names[0]} and {names[1]} do not compare: {', '.join(wrong)}",
            hint="measure both with the same options",
            code="bench.apart",
        )


def slow_down(a: LatencyRecord, b: LatencyRecord, *, names: tuple[str, str]) -> tuple[Ratio, str]:
    """Return how many times as long B takes as A, and by which figure.

    The figure is the median latency; of offline runs, whose workers share the work, it is frames
    a second.

    Raises:
        DataError: a run is too short for an interval.
    """
    if a.scenario == "offline":
        return _rates(a, b, names), "fps"
    for record, name in zip((a, b), names, strict=True):
        if len(record.raw_ns) < _FEWEST:
            _too_short(name, f"{len(record.raw_ns)} single latencies")
    return independent_ratio(_blocks(b), _blocks(a)), "p50"


def _rates(a: LatencyRecord, b: LatencyRecord, names: tuple[str, str]) -> Ratio:
    """Return the quotient of two rates with the interval that theirs give.

    The method of variance estimates recovery (Zou and Donner, 2008) on logarithms, where the
    quotient is a difference.
    """
    logs = []
    for record, name in zip((a, b), names, strict=True):
        ends = record.fps_ci95
        if ends is None or not 0 < ends[0] <= record.fps <= ends[1]:
            _too_short(name, "no interval of its frames a second")
        logs.append((math.log(record.fps), math.log(ends[0]), math.log(ends[1])))
    (x, x_low, x_high), (y, y_low, y_high) = logs
    low = x - y - math.hypot(x - x_low, y_high - y)
    high = x - y + math.hypot(x_high - x, y - y_low)
    return Ratio(math.exp(x - y), (math.exp(low), math.exp(high)))


def _too_short(name: str, what: str) -> NoReturn:
    raise DataError(
        f"{name}: has {what}, which is too little to compare",
        hint="measure longer, with: edge-bench latency --seconds 20",
        code="bench.short",
    )


def _blocks(record: LatencyRecord) -> NDArray[np.float64]:
    """Return the single latencies in blocks of whole turns through the frames."""
    return blocks_of(record.raw_ns, period=max(1, record.frames))


def _side(record: LatencyRecord, name: str) -> Side:
    return Side(
        name=name,
        count=record.count,
        p50_ms=record.latency_ms["p50"],
        p90_ms=record.latency_ms["p90"],
        faces_per_frame=record.faces_per_frame,
    )


def _remarks(a: LatencyRecord, b: LatencyRecord) -> Iterator[str]:
    for name, record in (("A", a), ("B", b)):
        if not record.valid:
            yield f"{name} is marked invalid: {'; '.join(record.invalid) or 'no reason given'}"
    found = differences(a.fingerprint, b.fingerprint)
    machines = same_machine(found)
    if machines:
        yield f"two machines: {'; '.join(map(str, machines))}"
    others = [difference for difference in found if difference not in machines]
    if others:
        yield f"not the same setting: {'; '.join(map(str, others))}"
    if a.settings.source != b.settings.source:
        yield "not the same source: the frames may be other ones"
    if (
        None not in (a.faces_per_frame, b.faces_per_frame)
        and a.faces_per_frame != b.faces_per_frame
    ):
        yield (
            f"A looked at {a.faces_per_frame} faces a frame and B at {b.faces_per_frame}: they did "
            "not do the same work"
        )
    yield "measured apart: what differs from run to run by chance is not in the interval"
