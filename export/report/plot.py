"""Two plots as SVG: nearness to float and time, layer by layer, coloured by precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from export.cards.names import clean
from export.inspection.layers import Layer
from export.report.words import number

__all__ = ["COLOURS", "colour", "nearness_plot", "time_plot"]

#: Okabe and Ito's colours, which colour-blind people tell apart (Color Universal Design, 2008).
COLOURS = {
    "int8": "#0072B2",
    "uint8": "#0072B2",
    "int16": "#56B4E9",
    "float32": "#D55E00",
    "float16": "#E69F00",
    "float16 weights": "#E69F00",
    "int8 weights": "#CC79A7",
    "dynamic": "#CC79A7",
}
_OTHER = "#8A8F98"

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 260, 56, 16, 16, 30
_WIDTH = 1080
#: Pixels a layer takes: as many as there is room for, between these.
_NARROWEST, _WIDEST = 4.0, 64.0
#: What is equal has this many decibels; the scale of the plot ends below it.
_EQUAL_DB = 99.0
#: Lines to read a figure against, and what they mean.
_MARKS_DB = ((20.0, "20 dB: noise is 1 % of the power"), (40.0, "40 dB"))


def colour(precision: str) -> str:
    """Return the colour of a precision, as ``#RRGGBB``."""
    return COLOURS.get(precision, _OTHER)


def nearness_plot(layers: Sequence[Layer]) -> str:
    """Draw SQNR a layer; those that float does not have are left out.

    Returns:
        One ``<svg>`` element; empty if there is nothing to draw.
    """
    known = [layer.near.sqnr_db for layer in layers if layer.near]
    finite = [db for db in known if math.isfinite(db) and db < _EQUAL_DB]
    if not known:
        return ""
    top = 10 * math.ceil(max([*finite, 45.0]) / 10) + 5
    frame = _Frame(len(layers), 0.0, top)
    parts = [*frame.grid("dB", lambda v: f"{v:g}"), *frame.ticks(layers)]
    for level, said in _MARKS_DB:
        parts.append(frame.mark(level, said))
    for i, layer in enumerate(layers):
        if layer.near is not None:
            parts.append(_stem(frame, i, layer, layer.near.sqnr_db))
    return frame.svg("Signal to noise of every layer against float", parts)


def time_plot(layers: Sequence[Layer]) -> str:
    """Draw milliseconds a layer with their intervals.

    Returns:
        One ``<svg>`` element; empty if nothing was timed.
    """
    spans = [layer.time for layer in layers if layer.time is not None]
    if not spans:
        return ""
    low = min(0.0, *(span.ms for span in spans))
    high = max(1e-4, *(span.ms for span in spans))
    frame = _Frame(len(layers), low - 0.04 * (high - low) * (low < 0), high * 1.12)
    parts = [*frame.grid("ms", lambda v: f"{v:.3g}"), *frame.ticks(layers)]
    for i, layer in enumerate(layers):
        if layer.time is not None:
            parts.append(_bar(frame, i, layer))
    return frame.svg("Milliseconds of every layer", parts)


class _Frame:
    """The field of a plot: from layer numbers and values to pixels."""

    def __init__(self, count: int, low: float, high: float) -> None:
        room = (_WIDTH - _LEFT - _RIGHT) / max(1, count)
        self.step = min(_WIDEST, max(_NARROWEST, room))
        self.width = max(_WIDTH, math.ceil(_LEFT + _RIGHT + self.step * count))
        self.count, self.low, self.high = count, low, high

    def x(self, index: int) -> float:
        return _LEFT + self.step * (index + 0.5)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self, unit: str, write: Callable[[float], str]) -> Iterator[str]:
        """Draw the lines across, with their values."""
        for value in _round_values(self.low, self.high):
            y = self.y(value)
            kind = "axis" if value == 0 else "grid"
            yield (
                f'<line class="{kind}" x1="{_LEFT}" x2="{self.width - _RIGHT}" '
                f'y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            yield f'<text class="label" x="{_LEFT - 8}" y="{y + 4:.1f}">{write(value)}</text>'
        yield f'<text class="unit" x="{_LEFT - 8}" y="{_TOP - 4}">{unit}</text>'

    def ticks(self, layers: Sequence[Layer]) -> Iterator[str]:
        """Number the layers, as many as have room."""
        y = _HEIGHT - _BOTTOM + 18
        every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 500) if n * self.step >= 24 or n == 500)
        for i in range(0, self.count, every):
            yield f'<text class="tick" x="{self.x(i):.1f}" y="{y}">{layers[i].index}</text>'

    def mark(self, value: float, said: str) -> str:
        y = self.y(value)
        return (
            f'<line class="mark" x1="{_LEFT}" x2="{self.width - _RIGHT}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="said" x="{self.width - _RIGHT}" y="{y - 5:.1f}">{escape(said)}</text>'
        )

    def svg(self, title: str, parts: Sequence[str]) -> str:
        return (
            f'<svg role="img" viewBox="0 0 {self.width} {_HEIGHT}" '
            f'style="min-width:{self.width}px"><title>{escape(title)}</title>{"".join(parts)}</svg>'
        )


def _stem(frame: _Frame, index: int, layer: Layer, db: float) -> str:
    """Draw a stem with a head; an open one for what is equal, or differs by rounding alone."""
    x, foot = frame.x(index), frame.y(0)
    shade, head = colour(layer.precision), min(5.0, frame.step / 2.4)
    y = frame.y(db) if math.isfinite(db) else foot
    equal = db >= _EQUAL_DB
    said = "equal to float" if equal else f"{number(db, 1)} dB"
    said += ", only rounding" if layer.only_rounds and not equal else ""
    fill = "var(--card)" if equal or layer.only_rounds else shade
    cross = "" if math.isfinite(db) else ' stroke-dasharray="2 2"'
    return (
        f'<g class="hit"><title>{_title(layer, said)}</title>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{foot:.1f}" y2="{y:.1f}" '
        f'stroke="{shade}" stroke-width="{min(2.0, head):.1f}" opacity=".45"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{head:.1f}" fill="{fill}" '
        f'stroke="{shade}" stroke-width="1.5"{cross}/>{_outside(frame, index, layer)}</g>'
    )


def _bar(frame: _Frame, index: int, layer: Layer) -> str:
    """Draw a bar and the interval of its end."""
    assert layer.time is not None
    span, x, half = layer.time, frame.x(index), min(14.0, frame.step * 0.36)
    top, foot = sorted((frame.y(span.ms), frame.y(0)))
    said = f"{span.ms:.4f} ms ({span.low_ms:.4f} to {span.high_ms:.4f})"
    return (
        f'<g class="hit"><title>{_title(layer, said)}</title>'
        f'<rect x="{x - half:.1f}" y="{top:.1f}" width="{2 * half:.1f}" '
        f'height="{max(foot - top, 1.0):.1f}" fill="{colour(layer.precision)}"/>'
        f'<line class="span" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y(span.low_ms):.1f}" '
        f'y2="{frame.y(span.high_ms):.1f}"/>{_outside(frame, index, layer)}</g>'
    )


def _outside(frame: _Frame, index: int, layer: Layer) -> str:
    """Mark a layer that the delegate left: a small triangle under the axis."""
    if layer.delegated is not False:
        return ""
    x, y, half = frame.x(index), _HEIGHT - _BOTTOM + 2, min(4.0, frame.step / 2)
    points = f"{x:.1f},{y} {x - half:.1f},{y + 6} {x + half:.1f},{y + 6}"
    return f'<polygon class="out" points="{points}"/>'


def _title(layer: Layer, said: str) -> str:
    where = " · left the delegate" if layer.delegated is False else ""
    return escape(
        f"{layer.index} {clean(layer.op)} · {clean(layer.name)} · {layer.precision} · {said}{where}"
    )


def _round_values(low: float, high: float) -> list[float]:
    """Return four to nine round values between two ends, zero among them if it lies there."""
    raw = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= raw)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [step * n for n in range(first, last + 1)]
