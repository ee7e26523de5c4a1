"""An inspection as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from export.cards.names import clean, shorten
from export.inspection.artefact import Inspection
from export.inspection.layers import Layer
from export.report.plot import COLOURS, colour, nearness_plot, time_plot
from export.report.style import STYLE
from export.report.words import HEAD, columns, counted, facts

__all__ = ["page"]

#: The page may load and run nothing, whatever a tensor is called.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
#: Columns that hold words.
_WORDS = frozenset([1, 2, 3])
_NAME, _PRECISION, _DECIBEL, _PIECE = 2, 3, 4, 11
_WIDTH = 40
_POOR_DB = 20.0


def page(found: Inspection) -> str:
    """Return the page; every name from the file is escaped."""
    title = escape(clean(found.name))
    body = "".join(
        [
            f"<header><h1>{title}</h1>{_badge(found)}</header>",
            _facts(found),
            _failures(found),
            _plots(found),
            _notes(found),
            _layers(found),
            _method(found),
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>{body}</main>"
        "</body></html>\n"
    )


def _badge(found: Inspection) -> str:
    audit = found.audit
    kind = "whole" if audit.integer and not audit.exceptions else "part"
    return f'<p class="badge {kind}">{escape(clean(audit.label))}</p>'


def _facts(found: Inspection) -> str:
    cards = "".join(
        # Operators' names are one long word; they may break at their underscores.
        f"<div><dt>{escape(what)}</dt><dd>{escape(how).replace('_', '_<wbr>')}</dd></div>"
        for what, how in facts(found)
    )
    return f'<dl class="facts">{cards}</dl>'


def _failures(found: Inspection) -> str:
    if not found.samples:
        return '<p class="part">There was no float network to compare with.</p>'
    if not found.findings:
        return '<p class="well">No silent failure found.</p>'
    lines = "".join(
        f"<li><b>{escape(f.kind)}</b> {escape(clean(str(f)))}</li>" for f in found.findings
    )
    return f'<section class="ill"><h2>Silent failures</h2><ul>{lines}</ul></section>'


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
    keys = "".join(
        f'<span><i style="background:{shade}"></i>{escape(kind)}</span>'
        for shade, kind in kinds.items()
    )
    if any(layer.only_rounds or (layer.near and layer.near.sqnr_db >= 99) for layer in found):
        keys += '<span><i class="ring"></i>equal to float, or only rounding</span>'
    if any(layer.delegated is False for layer in found):
        keys += '<span><i class="triangle"></i>left the delegate</span>'
    return f'<p class="legend">{keys}</p>'


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
