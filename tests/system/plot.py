"""Curves over time as an SVG, one above the other; needs no plotting library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.files import write_whole

__all__ = ["draw"]

_WIDTH, _HEIGHT, _LEFT, _GAP = 720, 120, 60, 40


def draw(
    path: Path,
    minutes: NDArray[np.float64],
    curves: dict[str, NDArray[np.float64]],
    *,
    shaded: float,
) -> None:
    """Write the picture.

    Args:
        path: of the SVG.
        minutes: float64 ``[N]``, of every value.
        curves: float64 ``[N]`` each, by what it is.
        shaded: minutes at the beginning that were not judged.
    """
    end = max(float(minutes[-1]), 1e-9)
    parts = []
    for row, (name, values) in enumerate(curves.items()):
        top = _GAP + row * (_HEIGHT + _GAP)
        low, high = float(values.min()), float(values.max())
        room = max(high - low, 1.0) * 0.1
        low, high = low - room, high + room
        x = _LEFT + minutes / end * _WIDTH
        y = top + _HEIGHT - (values - low) / (high - low) * _HEIGHT
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        parts.append(
            f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" class="frame"/>'
            f'<rect x="{_LEFT}" y="{top}" width="{shaded / end * _WIDTH:.1f}" '
            f'height="{_HEIGHT}" class="warm"/>'
            f'<polyline points="{points}" class="curve"/>'
            f'<text x="{_LEFT}" y="{top - 6}">{name}</text>'
            f'<text x="{_LEFT - 6}" y="{top + 12}" class="end">{high:.1f}</text>'
            f'<text x="{_LEFT - 6}" y="{top + _HEIGHT}" class="end">{low:.1f}</text>'
        )
    height = _GAP + len(curves) * (_HEIGHT + _GAP)
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 20} {height}">'
        "<style>text{font:12px sans-serif}.end{text-anchor:end}.frame{fill:none;stroke:#999}"
        ".warm{fill:#0001}.curve{fill:none;stroke:#06c}</style>"
        f'{"".join(parts)}<text x="{_LEFT + _WIDTH}" y="{height - 22}" class="end">'
        f"{end:.0f} minutes; grey: not judged</text></svg>\n"
    )
    write_whole(path, text.encode())
