"""An inspection as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from benchmarks.page import badge, document, fact_cards, legend, note
from export.cards.names import clean, shorten
from export.inspection.artefact import Inspection
from export.inspection.layers import Layer
from export.report.plot import COLOURS, colour, nearness_plot, time_plot
from export.report.style import STYLE
from export.report.words import HEAD, columns, counted, facts

__all__ = ["page"]

#: Columns that hold words.
_WORDS = frozenset([1, 2, 3])
_NAME, _PRECISION, _DECIBEL, _PIECE = 2, 3, 4, 11
_WIDTH = 40
_POOR_DB = 20.0


def page(found: Inspection) -> str:
    """Return the page; every name from the file is escaped."""
    body = "".join(
        [
            f"<header><h1>{escape(clean(found.name))}</h1>{_badge(found)}</header>",
            fact_cards(facts(found)),
            _failures(found),
            _rules(found),
            _plots(found),
            _notes(found),
            _layers(found),
            _method(found),
        ]
    )
    return document(clean(found.name), body, style=STYLE)


def _badge(found: Inspection) -> str:
    audit = found.audit
    return badge(clean(audit.label), "good" if audit.integer and not audit.exceptions else "warn")


def _failures(found: Inspection) -> str:
    if not found.samples:
        return note("There was no float network to compare with.", "warn")
    if not found.findings:
        return note("No silent failure found.", "good")
    return note("Silent failures", "bad", [f"{f.kind}: {f}" for f in found.findings])


def _rules(found: Inspection) -> str:
    if not found.rules:
        return ""
    return note("TensorRT will not build this well", "bad", [str(broken) for broken in found.rules])


def _plots(found: Inspection) -> str:
    parts = []
    for heading, svg in (
        ("Nearness to float, dB", nearness_plot(found.layers)),
        ("Time, ms", time_plot(found.layers)),
    ):
        if svg:
            parts.append(f'<h2>{heading}</h2><div class="plot">{svg}</div>')
    return f"<section>{''.join(parts)}{_legend(found.layers)}</section>" if parts else ""


def _legend(layers: Iterable[Layer]) -> str:
    found = list(layers)
    precisions = dict.fromkeys(layer.precision for layer in found)
    kinds = {colour(p): p if p in COLOURS else "converts, counts" for p in precisions}
    marks = []
    if any(layer.only_rounds or (layer.near and layer.near.sqnr_db >= 99) for layer in found):
        marks.append(("ring", "equal to float, or only rounding"))
    if any(layer.delegated is False for layer in found):
        marks.append(("triangle", "left the delegate"))
    return legend(kinds.items(), marks=marks)


def _notes(found: Inspection) -> str:
    noisy = [
        (layer.op, layer.name, f"{layer.added_noise or 0.0:.2%} of its output's power")
        for layer in found.costliest
    ]
    bad = [
        (
            a.kind,
            a.name,
            "" if a.ms is None else f"{a.ms:.4f} ms",
            "" if a.lost_db is None else f"{a.lost_db:.1f} dB lost",
            counted(a.operators, "operator") + (f", {a.outside} left outside" if a.outside else ""),
        )
        for a in found.activations
    ]
    others = [(o.op, o.name, o.reason) for o in found.audit.exceptions]
    left = [(o.op, o.name, o.precision) for o in found.audit.leftovers]
    return "".join(
        [
            _list("Layers that add most noise", noisy),
            _list("Activations that quantise or delegate badly" + _together(found), bad),
            _list(f"Not in {found.audit.integer}", others),
            _list("Left over: they move or convert and compute nothing", left),
        ]
    )


def _together(found: Inspection) -> str:
    times = [a.ms for a in found.activations if a.ms is not None]
    if not times or found.total_ms is None:
        return ""
    return f": {sum(times):.3f} ms of {found.total_ms:.3f}"


def _list(heading: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Write a small table, a kind and a tensor's name first; long ones are folded."""
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td>{escape(clean(what))}</td><td>{_name(name)}</td>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in others)
        + "</tr>"
        for what, name, *others in rows
    )
    is_open = " open" if len(rows) <= 12 else ""
    return (
        f"<details{is_open}><summary>{escape(heading)} ({len(rows)})</summary>"
        f'<div class="scroll"><table>{lines}</table></div></details>'
    )


def _layers(found: Inspection) -> str:
    head = "".join(
        f'<th class="{"word" if i in _WORDS else ""}" title="{escape(meaning)}">{title}</th>'
        for i, (title, meaning) in enumerate(HEAD)
    )
    rows = "".join(_row(layer) for layer in found.layers)
    return (
        f'<section><h2>Layers</h2><div class="scroll"><table class="layers"><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(layer: Layer) -> str:
    near = layer.near
    poor = near is not None and not layer.only_rounds and not near.sqnr_db >= _POOR_DB
    cells = []
    for i, text in enumerate(columns(layer)):
        kind = "word" if i in _WORDS else ""
        if (i == _DECIBEL and poor) or (i == _PIECE and layer.delegated is False):
            kind += " look"
        inner = _name(layer.name) if i == _NAME else escape(text)
        if i == _PRECISION:
            inner = f'<i style="background:{colour(layer.precision)}"></i>{inner}'
        cells.append(f'<td class="{kind}">{inner}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _name(name: str) -> str:
    """Write a tensor's name, shortened; the whole is told on pointing at it."""
    whole = clean(name)
    short = shorten(whole, _WIDTH)
    return (
        escape(whole) if short == whole else f'<span title="{escape(whole)}">{escape(short)}</span>'
    )


def _method(found: Inspection) -> str:
    runtime = "LiteRT with its XNNPACK delegate" if found.delegation else "ONNX Runtime"
    said = []
    if found.samples:
        said.append(
            f"Every tensor was read from {runtime} on {counted(found.samples, 'input')} and "
            "compared with the float network's; decibels are the power of float's values against "
            "that of the difference, noise of earlier layers included; equal tensors count as 99."
        )
    if found.total_ms is not None:
        said.append(
            "Times are estimates: the network is cut after every layer, and a layer's time is "
            "what its copy takes longer than the one before, in processor time of one thread on "
            "the machine that made this page. What the delegate computes together with the next "
            "layer counts there, so a layer may come out at less than nothing; together they are "
            "the whole."
        )
    if found.arena_bytes is not None:
        said.append(
            "Memory is what activations need at one moment by the order of execution; the "
            "runtime cannot do with less."
        )
    return f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in said)}</footer>"
