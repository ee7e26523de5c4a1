"""The table that every export ends with: what was made, how big, how near, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edge.evidence import Evidence

__all__ = ["Row", "render"]

_HEAD = ("network", "format", "precision", "KiB", "metric float → artefact", "ms", "computes in")
#: Numbers stand right and words left.
_NUMBERS = frozenset([3, 5])


@dataclass(frozen=True, slots=True)
class Row:
    """One artefact.

    Attributes:
        network, format, precision: which.
        file: its name.
        size: bytes.
        label: what it computes in, by its tensors' types.
        sqnr_db: of the outputs against the original's.
        cosine_min: likewise, of the output that differs most.
        ms: median of one run, one thread, on this machine.
        evidence: the task's metric, where there is a task.
        means: what was done for INT8 beside rounding; empty for other precisions.
    """

    network: str
    format: str
    precision: str
    file: str
    size: int
    label: str
    sqnr_db: float
    cosine_min: float
    ms: float
    evidence: Evidence | None = None
    means: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the fields; evidence as in a bundle."""
        table = asdict(self)
        table["evidence"] = self.evidence.to_json() if self.evidence else None
        table["means"] = list(self.means)
        return table


def render(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text with a head, and below them how INT8 came about."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEAD))]
    table = [
        "  ".join(
            cell.rjust(width) if i in _NUMBERS else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    used = {row.network: row.means for row in rows if row.means}
    return "\n".join([*table, *(f"{n}: INT8 by {', '.join(m)}" for n, m in used.items())])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.network,
        row.format,
        row.precision,
        f"{row.size / 1024:.0f}",
        _metric(row),
        f"{row.ms:.2f}",
        _short(row.label),
    )


def _metric(row: Row) -> str:
    """Say what the task lost; without a task, how near the outputs are to the original's."""
    proof = row.evidence
    if proof is None:
        return f"{row.sqnr_db:.1f} dB, cosine {row.cosine_min:.5f}"
    return f"{proof.metric} {proof.float_value:.4f} → {proof.artefact_value:.4f}"


def _short(label: str) -> str:
    """Leave out which the exceptions are: the record names them."""
    return label.partition(":")[0]
