"""The field of a plot: from values to pixels, with a grid to read them against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.page.text import clean

__all__ = ["Axis", "Field"]

#: Steps between round values, and the values themselves within a power of ten.
_STEPS = (1, 2, 5, 10)
#: Between the ends of a logarithmic axis at most.
_DECADES = 1e12
#: What is smaller than this is drawn as nothing: a share of it would underflow.
_NOTHING = 1e-200


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a plot.

    Attributes:
        low, high: its ends; above 0 on a logarithmic one.
        title: what it shows, with the unit.
        log: whether equal ways are equal factors.
    """

    low: float
    high: float
    title: str = ""
    log: bool = False

    @classmethod
    def around(
        cls, values: Sequence[float], title: str = "", *, log: bool = False, zero: bool = False
    ) -> Axis:
        """Return an axis with room for every value.

        Args:
            values: at least one, finite; a logarithmic axis begins at most twelve decades below
                the largest.
            title: see ``Axis``.
            log: see ``Axis``.
            zero: let a linear axis begin at 0.
        """
        if log:
            high = max(values) if max(values) > _NOTHING else 1.0
            low = min((value for value in values if value >= high / _DECADES), default=high)
            room = max(1.06, (high / low) ** 0.06)
            return cls(low / room, high * room, title, log=True)
        low, high = min(values), max(values)
        span = high - min(low, 0.0) if zero else high - low
        room = 0.06 * span or 0.05 * abs(high) or 1.0
        return cls(0.0 if zero and low >= 0 else low - room, high + room, title)

    def share(self, value: float) -> float:
        """Return how far along a value lies, 0 at the low end and 1 at the high one, no farther."""
        inside = min(max(value, self.low), self.high)
        if self.log:
            return math.log(inside / self.low) / math.log(self.high / self.low)
        return (inside - self.low) / (self.high - self.low)

    def ticks(self, most: int = 7) -> list[float]:
        """Return round values between the ends, about as many as wanted."""
        if self.log and self.high > 8 * self.low:
            found = [
                step * 10.0**power
                for power in range(
                    math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
                )
                for step in _STEPS[:3]
            ]
            found = [value for value in found if self.low <= value <= self.high]
            tens = [value for value in found if math.log10(value) % 1 < 1e-9]
            return tens if len(found) > most + 4 and len(tens) >= 2 else found
        return _round_values(self.low, self.high, most)


class Field:
    """Room for one plot.

    Args:
        x, y: the axes; y runs upward.
        width, height: of the whole, in units that the page stretches to its column.
        left: room for the values at the left side.
        bottom: room for the values and the title below.
    """

    top, right = 18, 16

    def __init__(
        self,
        x: Axis,
        y: Axis,
        *,
        width: int = 560,
        height: int = 280,
        left: int = 56,
        bottom: int = 40,
    ) -> None:
        self.x, self.y = x, y
        self.width, self.height, self.left, self.bottom = width, height, left, bottom

    @property
    def foot(self) -> int:
        """Pixel row of the lower edge."""
        return self.height - self.bottom

    def at(self, x: float) -> float:
        """Return the pixel column of a value."""
        return self.left + self.x.share(x) * (self.width - self.left - self.right)

    def up(self, y: float) -> float:
        """Return the pixel row of a value."""
        return self.foot - self.y.share(y) * (self.foot - self.top)

    def grid(self, *, across: bool = True, along: bool = True) -> Iterator[str]:
        """Draw the lines with their values, and the titles.

        Args:
            across: lines of y values, across the field.
            along: marks of x values, along its foot.
        """
        edge = self.width - self.right
        if across:
            ticks = self.y.ticks()
            for value in ticks:
                row = self.up(value)
                yield (
                    f'<line class="grid" x1="{self.left}" x2="{edge}" y1="{row:.1f}" '
                    f'y2="{row:.1f}"/>'
                )
                yield self.text(self.left - 8, row + 4, _written(value, ticks), "end")
            yield self.text(self.left - 8, self.top - 7, self.y.title, "")
        yield f'<line class="axis" x1="{self.left}" x2="{edge}" y1="{self.foot}" y2="{self.foot}"/>'
        if along:
            ticks = self.x.ticks()
            for value in ticks:
                column = self.at(value)
                yield (
                    f'<line class="grid" x1="{column:.1f}" x2="{column:.1f}" y1="{self.top}" '
                    f'y2="{self.foot}"/>'
                )
                yield self.text(column, self.foot + 15, _written(value, ticks), "mid")
            yield self.text(edge, self.height - 8, self.x.title, "end")

    def text(self, x: float, y: float, said: str, kind: str = "") -> str:
        """Write a text; ``kind`` is ``end``, ``mid``, ``strong`` or several of them."""
        return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(clean(said))}</text>'

    def line(self, points: Sequence[tuple[float, float]], shade: str) -> str:
        """Draw a line through values."""
        path = " ".join(f"{self.at(x):.1f},{self.up(y):.1f}" for x, y in points)
        return f'<polyline class="line" stroke="{shade}" points="{path}"/>'

    def upright(self, x: float, said: str, *, row: float | None = None) -> str:
        """Draw a dashed line up from an x value, with words beside it."""
        column, height = self.at(x), self.top + 10 if row is None else row
        side, shift = ("end", -4) if column > 0.8 * self.width else ("", 4)
        return (
            f'<line class="mark" x1="{column:.1f}" x2="{column:.1f}" y1="{self.top}" '
            f'y2="{self.foot}"/>{self.text(column + shift, height, said, f"strong {side}")}'
        )

    def svg(self, title: str, parts: Sequence[str]) -> str:
        """Return the plot as one ``<svg>`` element."""
        return (
            f'<svg role="img" viewBox="0 0 {self.width} {self.height}">'
            f"<title>{escape(clean(title))}</title>{''.join(parts)}</svg>"
        )


def _round_values(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * n for n in _STEPS if power * n >= raw * 0.999)
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _written(value: float, ticks: Sequence[float]) -> str:
    """Write a value with the digits that tell it from its neighbours."""
    gaps = [b - a for a, b in itertools.pairwise(ticks)]
    finest = min(gaps, default=abs(value) or 1.0)
    places = max(0, math.ceil(-math.log10(finest) - 1e-9)) if finest < 1 else 0
    if places > 6 or abs(value) >= 1e7:
        return f"{value:.3g}"
    return f"{value:.{places}f}".rstrip("0").rstrip(".") if places else f"{value:g}"
