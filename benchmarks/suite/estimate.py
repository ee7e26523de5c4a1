"""What the figures of one machine imply for boards that nothing was measured on: an estimate.

A network's time is its multiply-accumulates over what the board's cores can do at best, divided by
the share of the best that the network reached where it was measured:

    ms = MACs / (clock * MACs a cycle * share) * 1000

and everything outside the engines is taken to grow as the clocks fall. What it leaves out: memory
(a board's is slower), heat, other kernels of the runtime, and that NEON without dot products keeps
wide networks less busy than AVX-512. It is a place to begin from, and no figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["BOARDS", "Board", "Estimate", "estimate"]


@dataclass(frozen=True, slots=True)
class Board:
    """One core of a board.

    Attributes:
        name: of the board and its core.
        ghz: its clock, as the maker says.
        macs_per_cycle: INT8, at best.
        because: where that number comes from.
    """

    name: str
    ghz: float
    macs_per_cycle: int
    because: str


BOARDS = (
    Board(
        "Raspberry Pi 4 (Cortex-A72)",
        1.8,
        8,
        "no dot product; one 8 x 8-bit SMLAL a cycle (Cortex-A72 Software Optimization Guide)",
    ),
    Board(
        "Raspberry Pi 5 (Cortex-A76)",
        2.4,
        32,
        "two 16-product SDOT a cycle (Cortex-A76 Software Optimization Guide)",
    ),
    Board(
        "Jetson Orin Nano (Cortex-A78AE, its CPU alone)",
        1.5,
        32,
        "two 16-product SDOT a cycle (Cortex-A78AE Software Optimization Guide)",
    ),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Milliseconds of one masked face on one core.

    Attributes:
        board: which.
        engines_ms: inside the engines, all networks that the face goes through.
        outside_ms: everything else.
        sums: the arithmetic of each network, as it is written down.
    """

    board: Board
    engines_ms: float
    outside_ms: float
    sums: tuple[str, ...]

    @property
    def total_ms(self) -> float:
        """Both together."""
        return self.engines_ms + self.outside_ms


def estimate(
    board: Board,
    networks: Mapping[str, tuple[int, float]],
    *,
    outside_ms: float,
    measured_ghz: float,
) -> Estimate:
    """Estimate a board.

    Args:
        board: which.
        networks: multiply-accumulates and share of the attainable, 0..1, by task.
        outside_ms: that was measured outside the engines.
        measured_ghz: clock of the machine that it was measured on.
    """
    sums, engines_ms = [], 0.0
    best = board.ghz * 1e9 * board.macs_per_cycle
    for task, (macs, share) in networks.items():
        ms = macs / (best * share) * 1e3
        engines_ms += ms
        sums.append(
            f"{task}: {macs / 1e6:.1f} M / ({board.ghz:g} GHz * {board.macs_per_cycle} * "
            f"{share:.2f}) = {ms:.1f} ms"
        )
    return Estimate(board, engines_ms, outside_ms * measured_ghz / board.ghz, tuple(sums))
