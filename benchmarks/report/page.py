"""Results as one page."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.page import (
    badge,
    colour,
    document,
    figure,
    legend,
    note,
    safe,
    table,
)
from benchmarks.records import AccuracyRecord, LatencyRecord, Record
from benchmarks.report.accuracy import accuracy_section
from benchmarks.report.distribution import ecdf_plot
from benchmarks.report.latency import latency_section
from benchmarks.report.machines import fingerprint_table
from benchmarks.report.named import Named, latencies
from benchmarks.report.rows import LATENCY_HEAD, latency_row
from benchmarks.report.stages import results_legend, results_plot
from benchmarks.report.tradeoff import find_points, points_legend, points_plot
from benchmarks.sweep import section as sweep_section
from edge.bundle import Bundle

__all__ = ["page"]


def page(
    results: Sequence[Named[Record]], *, bundles: Sequence[Bundle] = (), title: str = "Benchmark"
) -> str:
    """Return the page; whatever a file says is escaped.

    Args:
        results: at least one.
        bundles: whose evidence is set against the times.
        title: of the page.
    """
    body = [
        f"<header><h1>{safe(title)}</h1>{_badge(results)}</header>",
        _together(latencies(results)),
        _tradeoffs(results, bundles),
        *(_section(result) for result in results),
        f"<section><h2>Fingerprints</h2>{fingerprint_table(results)}</section>",
        _method(),
    ]
    return document(title, "".join(body))


def _badge(results: Sequence[Named[Record]]) -> str:
    bad = sum(1 for result in results if not getattr(result.record, "valid", True))
    return badge(f"{bad} of {len(results)} INVALID", "bad") if bad else ""


def _section(result: Named[Record]) -> str:
    record = result.record
    if isinstance(record, LatencyRecord):
        return latency_section(Named(result.name, record))
    if isinstance(record, AccuracyRecord):
        return accuracy_section(Named(result.name, record))
    return sweep_section(record, title=result.name)


def _together(results: Sequence[Named[LatencyRecord]]) -> str:
    """Set several latency results side by side."""
    if len(results) < 2:
        return ""
    rows = [latency_row(result) for result in results]
    kinds = ["" if result.record.valid else "weak" for result in results]
    keys = legend((colour(i), result.label) for i, result in enumerate(results))
    bad = [result.name for result in results if not result.record.valid]
    said = note("Marked invalid, and not to be compared:", "bad", bad) if bad else ""
    return (
        "<section><h2>Side by side</h2>"
        + said
        + table(LATENCY_HEAD, rows, words=(0, 1, 2), kinds=kinds)
        + figure("Done within a time", ecdf_plot(results, width=1100), keys)
        + figure("Where a frame's time goes", results_plot(results), results_legend(results))
        + "<p>Measured apart; to learn which is faster, run them in turn with "
        "<code>edge-bench compare</code>.</p></section>"
    )


def _tradeoffs(results: Sequence[Named[Record]], bundles: Sequence[Bundle]) -> str:
    plots = [
        figure(name, points_plot(points), points_legend(points))
        for name, points in find_points(results, bundles).items()
    ]
    return f"<section><h2>Accuracy against time</h2>{''.join(plots)}</section>" if plots else ""


def _method() -> str:
    return (
        "<footer><p>Percentiles are of single queries as they were measured, from the frame in "
        "memory to its result; intervals are 95 %. A stage's bar is its mean over all frames, so "
        "that the bars add up. A run on a busy, hot or throttled machine is marked invalid with "
        "the reason and says nothing of the networks.</p></footer>"
    )
