"""An inspection as text: with colours where rich is installed and a terminal listens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from export.cards.names import clean, shorten
from export.inspection.artefact import Inspection
from export.report.words import HEAD, columns, counted, facts

__all__ = ["show", "text"]

_NAME = 2
#: Width of the column of names, and of a name in a line of its own.
_WIDTH, _NOTED = 44, 80
#: So many operators are spelled out in a line.
_SPELLED = 5
#: Words stand left and numbers right.
_WORDS = frozenset([1, 2, 3])
#: What is worth a look has a colour: precision, SQNR below so many dB, left outside.
_PRECISION, _DECIBEL, _PIECE = 3, 4, 11
_POOR_DB = 20.0
#: Beginnings of lines that nobody may overlook.
_ALARMS = ("  SILENT FAILURE", "  TENSORRT")


def show(found: Inspection, stream: TextIO) -> None:
    """Print an inspection.

    Args:
        found: what to print.
        stream: gets colours if it is a terminal and rich is installed.
    """
    if not (stream.isatty() and _show_in_colour(found, stream)):
        stream.write(text(found) + "\n")


def text(found: Inspection) -> str:
    """Return an inspection as plain text, a line a layer."""
    return "\n".join([*_above(found), "", *_table(found), "", *_below(found)]).rstrip()


def _above(found: Inspection) -> list[str]:
    lines = [f"{clean(found.name)}: {clean(found.audit.label)}"]
    lines += [f"  {what}: {how}" for what, how in facts(found)]
    lines += [f"  SILENT FAILURE ({f.kind}): {clean(str(f))}" for f in found.findings]
    lines += [f"  TENSORRT: {clean(str(broken))}" for broken in found.rules]
    return lines


def _below(found: Inspection) -> list[str]:
    lines = []
    for layer in found.costliest:
        lines.append(
            f"adds most noise: {layer.op} {shorten(clean(layer.name), _NOTED)}: "
            f"{layer.added_noise or 0.0:.2%} of its output's power"
        )
    lines += [*_activations(found), *_exceptions(found)]
    return lines


def _activations(found: Inspection) -> Iterator[str]:
    """Tell what all activations of a kind cost together."""
    for kind in dict.fromkeys(a.kind for a in found.activations):
        mine = [a for a in found.activations if a.kind == kind]
        times = [a.ms for a in mine if a.ms is not None]
        lost = [a.lost_db for a in mine if a.lost_db is not None]
        said = [
            f"{kind}, {len(mine)} of them: {counted(sum(a.operators for a in mine), 'operator')}"
        ]
        if times and found.total_ms:
            said.append(f"{sum(times):.3f} ms of {found.total_ms:.3f}")
        if lost:
            said.append(f"up to {max(lost):.1f} dB lost at one")
        if outside := sum(a.outside or 0 for a in mine):
            said.append(f"{outside} left outside the delegate")
        yield ", ".join(said)


def _exceptions(found: Inspection) -> Iterator[str]:
    """Tell which operators are not in integers and why, a few by name."""
    exceptions = found.audit.exceptions
    for op, reason in dict.fromkeys((o.op, o.reason) for o in exceptions):
        mine = [
            shorten(clean(o.name), _WIDTH) for o in exceptions if (o.op, o.reason) == (op, reason)
        ]
        more = f" and {len(mine) - _SPELLED} more" if len(mine) > _SPELLED else ""
        names = ", ".join(mine[:_SPELLED]) + more
        yield f"not in {found.audit.integer}, {len(mine)} {clean(op)}: {reason}: {names}"


def _table(found: Inspection) -> list[str]:
    rows = [tuple(title for title, _ in HEAD), *_rows(found)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if i in _WORDS else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _rows(found: Inspection) -> list[tuple[str, ...]]:
    rows = []
    for layer in found.layers:
        cells = list(columns(layer))
        cells[_NAME] = shorten(cells[_NAME], _WIDTH)
        rows.append(tuple(cells))
    return rows


def _show_in_colour(found: Inspection, stream: TextIO) -> bool:
    """Print with rich; tell whether it is there."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    console = Console(file=stream, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, (title, _) in enumerate(HEAD):
        table.add_column(title, justify="left" if i in _WORDS else "right", no_wrap=True)
    # Text, not markup: a name may hold brackets.
    for cells in _rows(found):
        table.add_row(*(Text(c, style) for c, style in zip(cells, _styles(cells), strict=True)))
    for line in _above(found):
        console.print(Text(line, "bold red" if line.startswith(_ALARMS) else ""))
    console.print()
    console.print(table)
    console.print()
    for line in _below(found):
        console.print(Text(line))
    return True


def _styles(cells: Sequence[str]) -> list[str]:
    """Return a style for each cell of a row."""
    styles = [""] * len(cells)
    if cells[_PRECISION].startswith(("float", "dynamic", "other")):
        styles[_PRECISION] = "yellow"
    elif cells[_PRECISION].startswith("int"):
        styles[_PRECISION] = "green"
    decibel = cells[_DECIBEL]
    if decibel and not decibel.endswith("~"):
        if decibel == "no number" or float(decibel) < _POOR_DB:
            styles[_DECIBEL] = "red"
    if cells[_PIECE] == "out":
        styles[_PIECE] = "yellow"
    return styles
