"""A race as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.page import clean, interval_text, number_text
from export.race.entry import Entry, times_as_long
from export.race.record import Heat, Race

__all__ = ["lines"]

_HEAD = ("way", "ms", "95 %", "times", "MiB", "figure", "")
_WIDTHS = (30, 8, 18, 8, 8, 20)


def lines(race: Race) -> Iterator[str]:
    """Write every network's ways, the quickest first, and what was chosen."""
    for heat in race.heats:
        yield from ("", clean(heat.task), _line(("", *_HEAD)))
        yield from _ways(heat)
    yield from ("", "times: as long as the chosen way takes, round by round")
    for remark in race.remarks:
        yield f"note: {clean(remark, most=1000)}"
    for reason in race.invalid:
        yield f"not sure: {clean(reason, most=1000)}"


def _ways(heat: Heat) -> Iterator[str]:
    order = sorted(
        zip(heat.entries, heat.verdict.reasons, strict=True),
        key=lambda pair: pair[0].times.p50_ms if pair[0].times else float("inf"),
    )
    for entry, reason in order:
        mark = "*" if entry is heat.winner else ""
        yield _line((mark, str(entry), *_figures(entry, heat.winner), clean(reason, most=200)))


def _figures(entry: Entry, winner: Entry | None) -> tuple[str, ...]:
    merit = f"{clean(entry.merit.metric, most=10)} {number_text(entry.merit.value)}"
    memory = "" if entry.memory_mib is None else f"{entry.memory_mib:.1f}"
    if entry.times is None:
        return "", "", "", memory, merit
    times = "" if winner is None else f"{times_as_long(entry, winner).value:.2f}"
    ms, ends = number_text(entry.times.p50_ms, digits=3), entry.times.p50_ci95
    return ms, interval_text(ends, digits=3), times, memory, merit


def _line(texts: tuple[str, ...]) -> str:
    mark, way, *figures, reason = texts
    cells = [f"{text:>{width}}" for text, width in zip(figures, _WIDTHS[1:], strict=True)]
    return f"{mark:<2}{way:<{_WIDTHS[0]}}{''.join(cells)}  {reason}".rstrip()
