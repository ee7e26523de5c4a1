"""A sweep as a page: for every network accuracy against time, and the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from benchmarks.page import (
    Axis,
    Field,
    badge,
    clean,
    colour,
    document,
    fact_cards,
    figure,
    interval_text,
    legend,
    moment_text,
    note,
    number_text,
    safe,
    table,
)
from benchmarks.records import Cell, SweepRecord
from benchmarks.sweep.words import HEAD, row

__all__ = ["PRECISIONS", "front_plot", "page", "section"]

#: Precisions in the order of their colours.
PRECISIONS = ("int8", "fp32", "fp16", "dynamic")
_RADIUS = 5.0


def page(record: SweepRecord) -> str:
    """Return the whole page."""
    return document("edge-bench sweep", section(record, title="Sweep"))


def section(record: SweepRecord, *, title: str) -> str:
    """Return a sweep's part of a page, HTML."""
    kind = ("valid", "good") if record.valid else ("INVALID", "bad")
    parts = [f"<section><header><h2>{safe(title)}</h2>{badge(*kind)}</header>"]
    if record.invalid:
        parts.append(note("This sweep does not count:", "bad", record.invalid))
    facts = record.fingerprint.leaves
    cards = [
        ("date", moment_text(record.date)),
        ("source", record.source),
        ("a cell", f"{record.seconds:g} s in {record.rounds} rounds"),
        *((key, str(facts[key])) for key in ("board", "processor", "cores") if key in facts),
    ]
    parts.append(fact_cards(cards))
    for subject, group in groupby(record.cells, key=lambda cell: cell.subject):
        parts.append(_subject(subject, list(group)))
    parts.append(
        "<footer><p>Every cell had its turn in every round; intervals are 95 %, from drawing whole "
        "rounds. A network is timed alone, on noise; its figure is the evidence that its bundle "
        "carries. A pipeline is timed from the frame in memory to its result. Starred rows are "
        "Pareto's front: no other way is as quick and as good.</p></footer></section>"
    )
    return "".join(parts)


def _subject(subject: str, cells: Sequence[Cell]) -> str:
    plots = [
        figure(f"{metric} on {data} against time", front_plot(judged), _legend(judged))
        for (metric, data), judged in _judged(cells)
    ]
    rows = []
    for cell in cells:
        texts = list(row(cell))
        if cell.unavailable:
            texts[2] += f": {cell.unavailable}"
        rows.append(texts)
    kinds = ["strong" if cell.front else "weak" * bool(cell.unavailable) for cell in cells]
    return (
        f"<h3>{safe(subject)}</h3>{''.join(plots)}"
        f"{table(HEAD, rows, words=(0, 1, 2), long=(2,), kinds=kinds)}"
    )


def _judged(cells: Sequence[Cell]) -> Iterator[tuple[tuple[str, str], list[Cell]]]:
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.merit is not None and cell.times is not None:
            groups.setdefault((cell.merit.metric, cell.merit.data), []).append(cell)
    yield from groups.items()


def front_plot(cells: Sequence[Cell]) -> str:
    """Draw accuracy against time of cells that were timed and judged by one figure.

    Returns:
        One ``<svg>`` element.
    """
    times = [cell.times for cell in cells if cell.times is not None]
    merits = [cell.merit for cell in cells if cell.merit is not None]
    values = [merit.value for merit in merits]
    values += [end for merit in merits for end in merit.ci95 or ()]
    values += [merit.float_value for merit in merits]
    field = Field(
        Axis.around([end for t in times for end in t.p50_ci95], "p50, ms", log=True),
        Axis.around(values, merits[0].metric),
        width=1100,
        height=300,
    )
    parts = list(field.grid())
    # The front runs from the quickest to the best.
    best = sorted((c for c in cells if c.front), key=lambda c: c.times.p50_ms if c.times else 0.0)
    if len(best) > 1:
        path = " ".join(
            f"{field.at(c.times.p50_ms):.1f},{field.up(c.merit.value):.1f}"
            for c in best
            if c.times is not None and c.merit is not None
        )
        parts.append(f'<polyline class="front" points="{path}"/>')
    # Those on the front come last, so that nothing covers them.
    parts += [_point(field, cell) for cell in sorted(cells, key=lambda cell: cell.front)]
    return field.svg(f"{merits[0].metric} against time", parts)


def _point(field: Field, cell: Cell) -> str:
    assert cell.times is not None and cell.merit is not None
    x, y = field.at(cell.times.p50_ms), field.up(cell.merit.value)
    left, right = (field.at(end) for end in cell.times.p50_ci95)
    spans = f'<line class="span" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    if cell.merit.ci95 is not None:
        low, high = (field.up(end) for end in cell.merit.ci95)
        spans += f'<line class="span" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    shade = _shade(cell.precision)
    fill = "var(--card)" if cell.engine == "onnxruntime" else shade
    radius = _RADIUS + 1.5 * cell.front
    said = (
        f"{cell.kind}, {cell.threads} threads: {number_text(cell.times.p50_ms)} ms "
        f"({interval_text(cell.times.p50_ci95)}), {cell.merit.metric} "
        f"{number_text(cell.merit.value)}"
    )
    count = field.text(x + radius + 2, y - radius, str(cell.threads), "strong" * cell.front)
    return (
        f'<g class="hit"><title>{safe(said)}</title>{spans}<circle cx="{x:.1f}" cy="{y:.1f}" '
        f'r="{radius:.1f}" fill="{fill}" stroke="{shade}" stroke-width="2"/>{count}</g>'
    )


def _legend(cells: Sequence[Cell]) -> str:
    kinds = dict.fromkeys(cell.precision for cell in cells)
    keys = [(_shade(kind), kind) for kind in kinds]
    engines = dict.fromkeys(clean(cell.engine) for cell in cells)
    said = "filled: tflite, hollow: onnxruntime; " if len(engines) > 1 else ""
    return legend([*keys, ("none", f"{said}the number is threads; dashed: Pareto's front")])


def _shade(precision: str) -> str:
    return colour(PRECISIONS.index(precision)) if precision in PRECISIONS else "#8A8F98"
