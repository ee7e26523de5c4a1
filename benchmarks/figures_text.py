"""Figures as a table on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.figures import Figures, Measure

__all__ = ["figures_text"]

_Row = tuple[str, ...]


def figures_text(figures: Figures) -> str:
    """Return the run's figures for people to read, a table of measures and what stands beside."""
    what = "pairs" if figures.task == "identity" else "pictures"
    lines = [f"{figures.task} on {figures.data}: {figures.n:,} {what} in {figures.seconds:.1f} s"]
    if figures.as_face:
        some = "1 picture" if figures.as_face == 1 else f"{figures.as_face:,} pictures"
        lines.append(f"{some} in which no face was found, taken as the face itself")
    lines += ["", *_aligned([("figure", "value", "95 %", "n"), *_measures(figures)])]
    for name, detail in figures.details.items():
        lines += ["", *_matrix(detail)] if name == "confusion" else []
    plain = {n: d for n, d in figures.details.items() if n != "confusion"}
    if plain:
        lines += ["", *(f"{name.replace('_', ' ')}: {_words(d)}" for name, d in plain.items())]
    return "\n".join(_printable(line) for line in lines)


def _measures(figures: Figures) -> Iterator[_Row]:
    for name, measure in figures.measures.items():
        if measure.n:
            yield _row(name.replace("_", " "), measure)
    for name, table in figures.tables.items():
        for key, measure in table.items():
            yield _row(f"{name.replace('_', ' ')} {key}", measure)


def _row(name: str, measure: Measure) -> _Row:
    low, high = measure.ci95
    if math.isnan(measure.value):
        return name, "-", "too few to tell", f"{measure.n:,}"
    return name, _number(measure.value), f"{_number(low)} to {_number(high)}", f"{measure.n:,}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if abs(value) < 2 else f"{value:.2f}"


def _matrix(table: object) -> list[str]:
    """Draw a confusion matrix: a row for each right label, a column for each that was said."""
    if not isinstance(table, Mapping):
        return []
    labels = list(table)
    rows = [(label, *(f"{table[label][said]:,}" for said in labels)) for label in labels]
    return ["right label below, what was said beside:", *_aligned([("", *labels), *rows])]


def _words(detail: object) -> str:
    if isinstance(detail, Mapping):
        return ", ".join(f"{name} {value}" for name, value in detail.items())
    return f"{detail:,}" if isinstance(detail, int) else str(detail)


def _aligned(rows: Sequence[_Row]) -> list[str]:
    """Set names to the left and numbers to the right, each column as wide as it must be."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _printable(line: str) -> str:
    """Write out what a terminal would obey: names come from files of strangers."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
