"""Which ways no other one beats in both time and accuracy (Pareto's front)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.figures import better_when_smaller
from benchmarks.records import Cell

__all__ = ["front", "mark_front"]


def mark_front(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the cells, each told whether it is on the front of those that it compares with.

    Cells compare if they are of one subject and were judged by one figure on the same data.
    """
    groups: dict[tuple[str, str, str], list[int]] = {}
    for i, cell in enumerate(cells):
        if cell.times is not None and cell.merit is not None:
            key = (cell.subject, cell.merit.metric, cell.merit.data)
            groups.setdefault(key, []).append(i)
    best: set[int] = set()
    for numbers in groups.values():
        points = [_costs(cells[i]) for i in numbers]
        best |= {numbers[i] for i in front(points)}
    return tuple(replace(cell, front=i in best) for i, cell in enumerate(cells))


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the numbers of the points that no other one beats.

    Args:
        points: two costs each. A point is beaten by one that costs no more in either and less in
            one; of equal points none beats the other.
    """
    return [
        i
        for i, (x, y) in enumerate(points)
        if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points)
    ]


def _costs(cell: Cell) -> tuple[float, float]:
    assert cell.times is not None and cell.merit is not None
    value = cell.merit.value
    return cell.times.p50_ms, value if better_when_smaller(cell.merit.metric) else -value
