"""What several tables of the page are written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["figure", "joined", "nearest", "points", "table", "worst"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def joined(made: Mapping[str, Any], keys: Sequence[str], cell: Callable[[Any], str]) -> str:
    """Write a cell of several artefacts; a dash for one that there is not."""
    return " / ".join("–" if made[key]["stopped"] else cell(made[key]) for key in keys)


def worst(artefact: Mapping[str, Any]) -> str:
    """Write the signal to noise of the output that differs most."""
    return f"{min(artefact['sqnr_db']):.1f}"


def nearest(artefact: Mapping[str, Any]) -> str:
    """Write ``worst``, and where it was measured beside it that against double precision."""
    # A row of an earlier release's record has no such figures.
    if not artefact.get("double_db"):
        return worst(artefact)
    _, ours = artefact["double_db"]
    return f"{worst(artefact)} ({ours:.1f} of double)"


def figure(figures: Mapping[str, Any] | None, metric: str) -> str:
    """Write a figure with its interval; a dash where there is none."""
    if figures is None:
        return "–"
    low, high = figures[f"{metric}_ci95"]
    return f"{figures[metric]:.4f} ({low:.3f} to {high:.3f})"


def points(lost: float) -> str:
    """Write what was lost with a minus, what was won with a plus; nothing has no sign."""
    won = -round(lost, 2) + 0.0
    return f"{won:+.2f}" if won else "0.00"
