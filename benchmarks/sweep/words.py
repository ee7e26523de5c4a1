"""A sweep as a table for the terminal, and as cells for any other."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.page import clean, interval_text, number_text
from benchmarks.records import Cell, SweepRecord

__all__ = ["HEAD", "lines", "row"]

#: Titles of a row's cells.
HEAD = ("", "bundle", "way", "threads", "p50 ms", "95 %", "p90 ms", "a second", "figure", "95 %")
_WIDTHS = (3, 14, 30, 8, 9, 18, 9, 10, 18, 18)
_LEFT = frozenset([0, 1, 2])


def row(cell: Cell) -> tuple[str, ...]:
    """Return a cell's texts, in the order of ``HEAD``; what is not known is empty."""
    merit, times = cell.merit, cell.times
    figures: tuple[str, ...] = ("", "", "", "")
    if times is not None:
        figures = (
            number_text(times.p50_ms),
            interval_text(times.p50_ci95, digits=3),
            number_text(times.p90_ms),
            number_text(times.fps),
        )
    judged = ("", "")
    if merit is not None:
        ends = "" if merit.ci95 is None else interval_text(merit.ci95, digits=3)
        judged = (f"{clean(merit.metric, most=24)} {number_text(merit.value)}", ends)
    name = cell.bundle.rstrip("/").rpartition("/")[2]
    return ("*" * cell.front, name, cell.kind, str(cell.threads), *figures, *judged)


def lines(record: SweepRecord) -> Iterator[str]:
    """Write the whole sweep, subject by subject."""
    subject = None
    for cell in record.cells:
        if cell.subject != subject:
            subject = cell.subject
            yield from ("", clean(subject), _line(HEAD))
        yield f"{_line(row(cell))}{'  ' + clean(cell.unavailable) if cell.unavailable else ''}"
    yield ""
    yield "* no other way of this network is as quick and as good: Pareto's front"
    for reason in record.invalid:
        yield f"INVALID: {clean(reason, most=2000)}"


def _line(texts: tuple[str, ...]) -> str:
    cells = []
    for i, (text, width) in enumerate(zip(texts, _WIDTHS, strict=True)):
        kept = clean(text, most=width - 2) if i in _LEFT else text
        cells.append(kept.ljust(width) if i in _LEFT else kept.rjust(width))
    return "".join(cells).rstrip()
