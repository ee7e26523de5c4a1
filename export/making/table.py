"""The table that every export ends with: what was made, how big, how near, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edge.evidence import Evidence

__all__ = ["Row", "render"]

_HEAD = ("network", "format", "precision", "KiB", "metric", "float", "artefact", "dB", "ms", "is")


@dataclass(frozen=True, slots=True)
class Row:
    """One artefact.

    Attributes:
        network, format, precision: which.
        file: its name.
        size: bytes.
        label: what it computes in, by its tensors' types.
        sqnr_db: of the outputs against the float program's.
        cosine_min: likewise, of the output that differs most.
        ms: median of one run, one thread, on this machine.
        evidence: the task's metric, where there is a task.
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

    def to_json(self) -> dict[str, object]:
        """Return the fields; evidence as in a bundle."""
        table = asdict(self)
        table["evidence"] = self.evidence.to_json() if self.evidence else None
        return table


def render(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text with a head."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEAD))]
    # Words stand left and numbers right.
    left = {0, 1, 2, 4, 9}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    proof = row.evidence
    return (
        row.network,
        row.format,
        row.precision,
        f"{row.size / 1024:.0f}",
        proof.metric if proof else "",
        f"{proof.float_value:.4f}" if proof else "",
        f"{proof.artefact_value:.4f}" if proof else "",
        f"{row.sqnr_db:.1f}",
        f"{row.ms:.2f}",
        _short(row.label),
    )


def _short(label: str) -> str:
    """Leave out which the exceptions are: the record names them."""
    return label.partition(":")[0]
