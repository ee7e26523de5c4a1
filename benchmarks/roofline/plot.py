"""The roofline as SVG: rate against arithmetic intensity, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from benchmarks.page.field import Axis, Field
from benchmarks.page.style import COLOURS
from benchmarks.page.text import clean
from benchmarks.roofline.ceilings import DEPTHWISE, Ceilings
from benchmarks.roofline.layers import Layer

__all__ = ["Mark", "keys", "roofline_plot"]

#: What a mark's colour means; the rest, such as products of matrices, takes the last.
_KINDS = {
    "conv": COLOURS[0],
    "conv 1x1": COLOURS[5],
    "depthwise": COLOURS[1],
    "transposed conv": COLOURS[2],
    "fully connected": COLOURS[3],
    "other": COLOURS[4],
}
_SMALLEST_PX, _LARGEST_PX = 3.0, 16.0

#: A layer, whose it is, and its share of the time that the plot shows.
Mark = tuple[Layer, str, float]


def roofline_plot(ceilings: Ceilings, marks: Iterable[Mark], *, height: int = 360) -> str:
    """Draw the roofs and the layers below them.

    Layers without multiply-accumulates or without measured time have no place in it.

    Args:
        ceilings: of the machine.
        marks: layers; the area of a mark is its share of time.
        height: of the plot, in units of which its width has 900.

    Returns:
        One ``<svg>`` element; empty if there is nothing to draw.
    """
    shown = [mark for mark in marks if mark[0].gmacs_per_s and mark[0].intensity]
    if not shown:
        return ""
    rates = [layer.gmacs_per_s or 0.0 for layer, _, _ in shown]
    peaks = [peak.macs_per_s / 1e9 for peak in ceilings.peaks.values()]
    x = Axis.around([m[0].intensity for m in shown], "multiply-accumulates a byte", log=True)
    y = Axis.around([min(rates) / 1.4, *peaks, 1.4 * max(peaks)], "GMAC/s", log=True)
    field = Field(x, y, width=900, height=height)
    parts = [*field.grid(), *_roofs(field, ceilings, {layer.ceiling for layer, _, _ in shown})]
    # Small marks last, or they would be hidden.
    for mark in sorted(shown, key=lambda mark: -mark[2]):
        parts.append(_circle(field, mark))
    return field.svg("Rate of every layer under the roofs of the machine", parts)


def keys(layers: Iterable[Layer]) -> list[tuple[str, str]]:
    """Return the colours that a plot of these layers shows, with their meanings."""
    found = {_kind(layer) for layer in layers if layer.macs}
    return [(shade, _said(kind)) for kind, shade in _KINDS.items() if kind in found]


def _roofs(field: Field, ceilings: Ceilings, wanted: set[str]) -> Iterator[str]:
    """Draw bandwidths up to the highest peak, and a flat roof for each rate."""
    shown = [
        (name, peak.macs_per_s / 1e9) for name, peak in ceilings.peaks.items() if name in wanted
    ]
    top = max(rate for _, rate in shown)
    slopes = [("memory", ceilings.memory.best / 1e9)]
    if ceilings.cache is not None:
        slopes.append(("cache", ceilings.cache.best / 1e9))
    fastest = max(slope for _, slope in slopes)
    for name, slope in slopes:
        yield from _slope(field, name, slope, top)
    for name, rate in shown:
        # A roof begins where even the cache could feed it.
        start = max(field.x.low, rate / fastest)
        if start < field.x.high:
            yield _line(field, [(start, rate), (field.x.high, rate)], DEPTHWISE in name)
            edge, row = field.width - field.right, field.up(rate) - 5
            yield field.text(edge, row, f"{name}: {rate:.0f} GMAC/s", "strong end")


def _slope(field: Field, name: str, slope: float, top: float) -> Iterator[str]:
    start = max(field.x.low, field.y.low / slope)
    end = min(field.x.high, top / slope)
    if start >= end:
        return
    yield _line(field, [(start, start * slope), (end, end * slope)], False)
    middle = math.sqrt(start * end)
    column, row = field.at(middle), field.up(middle * slope)
    rise = field.up(start * slope) - field.up(end * slope)
    angle = -math.degrees(math.atan2(rise, field.at(end) - field.at(start)))
    yield (
        f'<g transform="rotate({angle:.1f} {column:.1f} {row:.1f})">'
        f"{field.text(column, row - 5, f'{name}: {slope:.0f} GB/s', 'strong mid')}</g>"
    )


def _line(field: Field, points: Sequence[tuple[float, float]], dashed: bool) -> str:
    path = " ".join(f"{field.at(x):.1f},{field.up(y):.1f}" for x, y in points)
    return f'<polyline class="{"mark" if dashed else "axis"}" fill="none" points="{path}"/>'


def _circle(field: Field, mark: Mark) -> str:
    layer, whose, share = mark
    rate = layer.gmacs_per_s or 0.0
    radius = max(_SMALLEST_PX, _LARGEST_PX * math.sqrt(min(share / 0.25, 1.0)))
    shade = _KINDS[_kind(layer)]
    said = (
        f"{whose} {layer.index} {layer.kind} {layer.shapes}: {layer.time.ms:.4f} ms, "
        f"{rate:.1f} GMAC/s, {layer.intensity:.1f} MAC/byte, bound by {layer.bound}"
    )
    return (
        f'<g class="hit"><title>{escape(clean(said))}</title>'
        f'<circle cx="{field.at(layer.intensity):.1f}" cy="{field.up(rate):.1f}" '
        f'r="{radius:.1f}" fill="{shade}" fill-opacity=".55" stroke="{shade}"/></g>'
    )


def _kind(layer: Layer) -> str:
    base = layer.kind.partition(" /")[0]
    if base in _KINDS:
        return base
    return next((kind for kind in _KINDS if base.startswith(f"{kind} ")), "other")


def _said(kind: str) -> str:
    return "conv, larger kernels" if kind == "conv" else kind
