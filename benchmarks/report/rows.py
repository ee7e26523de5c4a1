"""A latency result as one row, for the page and for Markdown."""

from __future__ import annotations

from benchmarks.page import interval_text, number_text
from benchmarks.records import LatencyRecord
from benchmarks.report.named import Named

__all__ = ["LATENCY_HEAD", "latency_row"]

#: Titles of the cells.
LATENCY_HEAD = (
    "result", "what", "valid", "threads", "p50 ms", "95 %", "p90 ms", "p99 ms", "a second",
    "faces a frame",
)  # fmt: skip


def latency_row(named: Named[LatencyRecord]) -> tuple[str, ...]:
    """Return the cells, in the order of ``LATENCY_HEAD``."""
    record = named.record
    ms = record.latency_ms
    return (
        named.name,
        f"{record.subject}, {record.scenario}",
        "yes" if record.valid else "INVALID",
        "" if record.settings.threads is None else str(record.settings.threads),
        number_text(ms["p50"]),
        interval_text(record.latency_ms_ci95.get("p50"), digits=3),
        number_text(ms["p90"]),
        number_text(ms["p99"]),
        number_text(record.fps),
        number_text(record.faces_per_frame, digits=3),
    )
