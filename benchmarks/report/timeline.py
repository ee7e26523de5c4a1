"""Latency and temperature along a run: whether it warmed up, slowed down or met somebody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.page import Axis, Field, colour, legend, number_text
from benchmarks.records import LatencyRecord, Point

__all__ = ["timeline_legend", "timeline_plot"]

#: Columns that the marks are gathered in; each shows its lowest, median and highest latency.
_COLUMNS = 220


def timeline_plot(record: LatencyRecord) -> str:
    """Draw latency against the run's seconds, and the temperature on an axis of its own.

    Returns:
        One ``<svg>`` element; empty without a timeline.
    """
    marks = [mark for mark in record.timeline if mark.latency_ms is not None]
    if not marks:
        return ""
    ends = [record.timeline[0].seconds, max(mark.seconds for mark in record.timeline)]
    tail = max(m.latency_ms or 0.0 for m in marks) > 4 * record.latency_ms["p50"] > 0
    values = [m.latency_ms or 0.0 for m in marks]
    y = Axis.around(values, "ms, logarithmic" if tail else "ms", log=tail, zero=not tail)
    x = Axis(min(0.0, *ends), max(*ends, 1e-3), "s into the run")
    field = Field(x, y, width=1100, height=260)
    parts = [*field.grid(), *_latency(field, marks), *_temperature(field, record.timeline)]
    return field.svg("Latency and temperature along the run", parts)


def timeline_legend(record: LatencyRecord) -> str:
    """Return what the colours of ``timeline_plot`` mean."""
    keys = [(colour(0), "latency: median, and from lowest to highest")]
    if any(mark.celsius is not None for mark in record.timeline):
        keys.append((colour(1), "temperature, °C, at the right"))
    return legend(keys)


def _latency(field: Field, marks: Sequence[Point]) -> list[str]:
    groups: dict[int, list[float]] = {}
    for mark in marks:
        column = int(field.x.share(mark.seconds) * _COLUMNS)
        groups.setdefault(column, []).append(mark.latency_ms or 0.0)
    parts, medians = [], []
    span = field.x.high - field.x.low
    for column, values in sorted(groups.items()):
        seconds = field.x.low + (column + 0.5) / _COLUMNS * span
        at = field.at(seconds)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{field.up(min(values)):.1f}" '
            f'y2="{field.up(max(values)):.1f}" stroke="{colour(0)}" stroke-width="2" '
            'opacity=".35"/>'
        )
        medians.append((seconds, float(np.median(values))))
    return [*parts, field.line(medians, colour(0))]


def _temperature(field: Field, marks: Sequence[Point]) -> list[str]:
    known = [(mark.seconds, mark.celsius) for mark in marks if mark.celsius is not None]
    if not known:
        return []
    degrees = [celsius for _, celsius in known]
    # At least ten degrees high, so that a sensor's single step does not look like a fire.
    middle = (min(degrees) + max(degrees)) / 2
    half = max(5.0, 0.6 * (max(degrees) - min(degrees)))
    warm = Field(
        field.x, Axis(middle - half, middle + half), width=field.width, height=field.height
    )
    edge = field.width - field.right
    words = [
        field.text(edge, warm.up(value) - 4, f"{number_text(value, digits=3)} °C", "end")
        for value in dict.fromkeys((min(degrees), max(degrees)))
    ]
    return [warm.line(known, colour(1)), *words]
