"""Which board this is, as far as a measurement of speed goes."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.board import hardware
from edge.board.system import System

__all__ = ["Board"]


@dataclass(frozen=True, slots=True)
class Board:
    """What makes a board the one that something was measured on.

    Attributes:
        name: as ``edge.board.hardware.board`` gives it; empty where nothing names it.
        processor: its model.
        architecture: such as ``aarch64``.
        cores: that were online; a Jetson's power mode turns some off.
        power_mode: of a Jetson; else empty.
    """

    name: str
    processor: str
    architecture: str
    cores: int
    power_mode: str

    @classmethod
    def here(cls, root: Path = Path("/")) -> Board:
        """Look at this machine.

        Args:
            root: of the system that is looked at.
        """
        system = System(root)
        return cls(
            name=hardware.board(system) or "",
            processor=hardware.processor(system),
            architecture=platform.machine(),
            cores=hardware.cores(system)[0],
            power_mode=hardware.power_mode(system) or "",
        )

    @property
    def kind(self) -> tuple[str, str, str]:
        """What a setting of the same board cannot change."""
        return self.name, self.processor, self.architecture

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return asdict(self)
