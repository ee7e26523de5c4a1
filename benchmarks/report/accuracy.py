"""One accuracy result as a part of the page."""

from __future__ import annotations

from benchmarks.page import (
    Axis,
    Field,
    colour,
    fact_cards,
    figure,
    interval_text,
    moment_text,
    number_text,
    safe,
    table,
)
from benchmarks.records import AccuracyRecord
from benchmarks.report.named import Named

__all__ = ["accuracy_section", "shares_plot"]

_ROW = 24
_LEFT = 190


def accuracy_section(named: Named[AccuracyRecord]) -> str:
    """Return the part, HTML."""
    record = named.record
    rows = [
        (name, number_text(f.value), interval_text(f.ci95), str(f.n or ""))
        for name, f in record.figures.items()
    ]
    cards = [("task", record.task), ("data", record.data), ("n", str(record.n))]
    if record.date:
        cards.append(("date", moment_text(record.date)))
    return (
        f"<section><h2>{safe(named.name)}</h2>{fact_cards(cards)}<h3>Figures</h3>"
        + figure("Figures from 0 to 1, with their 95 % intervals", shares_plot(record))
        + table(("figure", "value", "95 %", "n"), rows)
        + "</section>"
    )


def shares_plot(record: AccuracyRecord) -> str:
    """Draw the figures that lie between 0 and 1, each with its interval.

    Returns:
        One ``<svg>`` element; empty without such figures.
    """
    shares = {
        name: f
        for name, f in record.figures.items()
        if f.ci95 is not None and 0 <= f.ci95[0] <= f.ci95[1] <= 1 and 0 <= f.value <= 1
    }
    if not shares:
        return ""
    ends = [end for f in shares.values() for end in (*(f.ci95 or ()), f.value)]
    field = Field(
        Axis.around(ends, ""),
        Axis(0.0, 1.0),
        width=1100,
        height=_ROW * len(shares) + 58,
        left=_LEFT,
    )
    parts = list(field.grid(across=False))
    for number, (name, f) in enumerate(shares.items()):
        y = field.top + _ROW * (number + 0.6)
        low, high = (field.at(end) for end in f.ci95 or (f.value, f.value))
        said = f"{name}: {number_text(f.value)} ({interval_text(f.ci95)})"
        parts.append(
            f'<g class="hit"><title>{safe(said)}</title>'
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{colour(0)}" stroke-width="3" opacity=".45"/>'
            f'<circle cx="{field.at(f.value):.1f}" cy="{y:.1f}" r="5" fill="{colour(0)}"/></g>'
            + field.text(field.left - 8, y + 4, name[:32], "end strong")
        )
    return field.svg("Figures from 0 to 1, with their 95 % intervals", parts)
