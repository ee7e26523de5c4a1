"""How latencies are spread: a histogram, and the share that is done within a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.page import Axis, Field, colour, number_text, safe
from benchmarks.records import LatencyRecord
from benchmarks.report.named import Named

__all__ = ["ecdf_plot", "histogram_plot"]

#: Percentiles that are marked, each in a row of its own so that no two words meet.
_MARKED = ("p50", "p90", "p99")
_MOST_BINS = 64
#: Points of a curve; more would not be seen.
_POINTS = 240
#: A tail so many times as long as the median makes the axis logarithmic.
_LONG_TAIL = 4.0


def histogram_plot(record: LatencyRecord) -> str:
    """Draw how many queries took how long.

    Returns:
        One ``<svg>`` element; empty if the result has no single latencies.
    """
    ms = _ms(record)
    if not len(ms):
        return ""
    x = _axis([ms])
    edges = _edges(ms, log=x.log)
    counts, _ = np.histogram(ms, edges)
    field = Field(x, Axis(0.0, 1.18 * float(counts.max()), "queries"))
    parts = list(field.grid())
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            parts.append(_bar(field, float(low), float(high), int(count)))
    parts += _marks(field, record, field.top + 8)
    return field.svg("How many queries took how long", parts)


def ecdf_plot(records: Sequence[Named[LatencyRecord]], *, width: int = 560) -> str:
    """Draw the share of queries that are done within a time, a line a result.

    A single result has its percentiles marked.

    Args:
        records: those without single latencies are left out.
        width: of the plot.

    Returns:
        One ``<svg>`` element; empty if no result has single latencies.
    """
    known = [(i, named) for i, named in enumerate(records) if named.record.raw_ns]
    if not known:
        return ""
    curves = [np.sort(_ms(named.record)) for _, named in known]
    field = Field(_axis(curves), Axis(0.0, 104.0, "% done"), width=width)
    parts = list(field.grid())
    for (i, named), ms in zip(known, curves, strict=True):
        shares = np.unique(np.linspace(0, len(ms) - 1, min(_POINTS, len(ms))).astype(int))
        points = [(float(ms[k]), 100 * (k + 1) / len(ms)) for k in shares]
        parts.append(
            f'<g class="hit"><title>{safe(named.label)}</title>{field.line(points, colour(i))}</g>'
        )
    if len(known) == 1:
        parts += _marks(field, known[0][1].record, field.foot - 34)
    return field.svg("Share of queries that are done within a time", parts)


def _ms(record: LatencyRecord) -> NDArray[np.float64]:
    return np.array(record.raw_ns, np.float64) / 1e6


def _axis(curves: Sequence[NDArray[np.float64]]) -> Axis:
    """Return an axis for all latencies, logarithmic where a tail would press the rest together."""
    log = any(float(ms.max()) > _LONG_TAIL * float(np.median(ms)) for ms in curves)
    ends = [float(end) for ms in curves for end in (ms.min(), ms.max())]
    return Axis.around(ends, "ms, logarithmic" if log else "ms", log=log)


def _edges(ms: NDArray[np.float64], *, log: bool) -> NDArray[np.float64]:
    """Return the bins' edges: Freedman and Diaconis (1981), on logarithms where the axis is."""
    values = np.log(ms) if log else ms
    low, high = float(values.min()), float(values.max())
    quartiles = np.percentile(values, [25, 75])
    width = 2 * float(quartiles[1] - quartiles[0]) / len(values) ** (1 / 3)
    count = math.ceil((high - low) / width) if width > 0 else 1
    edges = np.linspace(low, high, min(max(count, 1), _MOST_BINS) + 1)
    return np.exp(edges) if log else edges


def _bar(field: Field, low: float, high: float, count: int) -> str:
    left, right, top = field.at(low), field.at(high), field.up(count)
    said = f"{number_text(low)} to {number_text(high)} ms: {count}"
    width = max(right - left - 0.6, 0.6)
    return (
        f'<rect class="hit" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{field.foot - top:.1f}" fill="{colour(0)}"><title>{safe(said)}</title></rect>'
    )


def _marks(field: Field, record: LatencyRecord, row: float) -> list[str]:
    """Mark the percentiles, the first one's words in this row and the others' below."""
    return [
        field.upright(
            record.latency_ms[name],
            f"{name} {number_text(record.latency_ms[name], digits=3)}",
            row=row + 13 * number,
        )
        for number, name in enumerate(_MARKED)
    ]
