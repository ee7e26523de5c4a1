"""Accuracy against time: what the results say together, and with the evidence of bundles.

A point is a figure of merit and a time of the same network: of a latency and an accuracy result
with one bundle and one engine in their fingerprints, or of a latency result and the evidence in the
bundle that it ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.metrics import Interval
from benchmarks.page import Axis, Field, colour, interval_text, legend, number_text, safe
from benchmarks.records import AccuracyRecord, LatencyRecord, Record
from benchmarks.report.named import Named, accuracies, latencies
from edge.bundle import Bundle
from edge.errors import BundleError

__all__ = ["Point", "find_points", "points_legend", "points_plot"]

#: Task and the stage that runs its network, and no other one.
_STAGES = {
    "detect": "detect",
    "mask": "mask",
    "identity": "identify",
    "emotion": "emotion",
    "gender": "gender",
    "landmarks": "landmarks",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One mark.

    Attributes:
        title: of the plot that it belongs to.
        unit: of the time.
        metric: of the value.
        name: of the result, with engine and precision where they are known.
        ms: time.
        value: figure of merit, with its interval.
    """

    title: str
    unit: str
    metric: str
    name: str
    ms: float
    value: float
    ci95: Interval | None


def find_points(
    results: Sequence[Named[Record]], bundles: Sequence[Bundle]
) -> dict[str, list[Point]]:
    """Return the points by plot; plots with a single point are left out."""
    found = [*_pairs(results), *_proven(results, bundles)]
    plots: dict[str, list[Point]] = {}
    for point in found:
        plots.setdefault(point.title, []).append(point)
    return {title: points for title, points in plots.items() if len(points) > 1}


def points_plot(points: Sequence[Point]) -> str:
    """Draw the points of one plot.

    Returns:
        One ``<svg>`` element.
    """
    values = [point.value for point in points]
    values += [end for point in points for end in point.ci95 or ()]
    times = [point.ms for point in points]
    field = Field(
        Axis.around(times, points[0].unit, log=max(times) > 4 * min(times) > 0),
        Axis.around(values, points[0].metric),
        width=1100,
        height=300,
    )
    parts = [*field.grid(), *(_mark(field, i, point) for i, point in enumerate(points))]
    return field.svg(points[0].title, parts)


def points_legend(points: Sequence[Point]) -> str:
    """Return which colour is which point."""
    return legend((colour(i), point.name) for i, point in enumerate(points))


def _mark(field: Field, number: int, point: Point) -> str:
    x, y = field.at(point.ms), field.up(point.value)
    span = ""
    if point.ci95 is not None:
        low, high = (field.up(end) for end in point.ci95)
        span = f'<line class="span" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    said = (
        f"{point.name}: {number_text(point.ms)} ms, {point.metric} {number_text(point.value)} "
        f"({interval_text(point.ci95)})"
    )
    side = " end" if x > 0.75 * field.width else ""
    words = field.text(x + (-9 if side else 9), y - 6, point.name, f"strong{side}")
    return (
        f'<g class="hit"><title>{safe(said)}</title>{span}<circle cx="{x:.1f}" cy="{y:.1f}" r="6" '
        f'fill="{colour(number)}"/>{words}</g>'
    )


def _pairs(results: Sequence[Named[Record]]) -> Iterator[Point]:
    """Join latency and accuracy results of one bundle on one engine."""
    for latency in latencies(results):
        for accuracy in accuracies(results):
            if not _same_networks(latency.record, accuracy.record):
                continue
            metric = next(iter(accuracy.record.figures), None)
            timed = _time(latency.record, accuracy.record.task)
            if metric is None or timed is None:
                continue
            figure, (ms, unit) = accuracy.record.figures[metric], timed
            yield Point(
                title=f"{metric} of {accuracy.record.task} on {accuracy.record.data} against time",
                unit=unit,
                metric=metric,
                name=latency.label,
                ms=ms,
                value=figure.value,
                ci95=figure.ci95,
            )


def _proven(results: Sequence[Named[Record]], bundles: Sequence[Bundle]) -> Iterator[Point]:
    """Join latency results with the evidence of the artefacts that ran."""
    by_digest = {bundle.digest: bundle for bundle in bundles}
    for named in latencies(results):
        facts = named.record.fingerprint.leaves
        bundle = by_digest.get(str(facts.get("bundle")))
        if bundle is None:
            continue
        engine = facts.get("engine") or named.record.settings.engine
        for task in bundle.tasks:
            timed = _time(named.record, task)
            try:
                artefact = bundle.artefact(task, str(engine) if engine else None)
            except BundleError:
                continue  # Of this engine there is none, so it did not run.
            if timed is None:
                continue
            proof, (ms, unit) = artefact.evidence, timed
            yield Point(
                title=f"{proof.metric} of {task} on {proof.data} against time (evidence)",
                unit=unit,
                metric=proof.metric,
                name=f"{named.label}: {artefact.precision} {artefact.engine}",
                ms=ms,
                value=proof.artefact_value,
                ci95=proof.ci95,
            )


def _same_networks(latency: LatencyRecord, accuracy: AccuracyRecord) -> bool:
    """Tell whether both ran the same bundle on the same engine."""
    mine, theirs = latency.fingerprint.leaves, accuracy.fingerprint.leaves
    digest = mine.get("bundle")
    return (
        bool(digest)
        and digest == theirs.get("bundle")
        and mine.get("engine") == theirs.get("engine")
    )


def _time(record: LatencyRecord, task: str) -> tuple[float, str] | None:
    """Return what one run of a task's network took, and what that is called; None if unknown."""
    if record.subject == f"engine:{task}":
        return record.latency_ms["p50"], "p50 of the engine, ms"
    name = _STAGES.get(task, task)
    stage = record.stages.get(name)
    if stage is None or not stage.runs:
        return None
    return stage.total_ms / stage.runs, f"the stage {name}, ms a run, mean"
