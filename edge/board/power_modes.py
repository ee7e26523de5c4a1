"""The power modes of a Jetson: which there are, and which of them allows most."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.board.system import System

__all__ = ["PowerMode", "power_modes"]

#: What nvpmodel reads; of the board, by a link from /etc/nvpmodel.
_CONFIGURATION = "etc/nvpmodel.conf"
_MODE = re.compile(
    r"^\s*<\s*POWER_MODEL\s+(?:ID=(\d{1,4})\s+NAME=(\S+)|NAME=(\S+)\s+ID=(\d{1,4}))", re.M
)
_ONLINE = re.compile(r"^\s*CPU_ONLINE\s+CORE_\d+\s+1\s*$", re.M)


@dataclass(frozen=True, slots=True)
class PowerMode:
    """One mode.

    Attributes:
        number: as ``nvpmodel -m`` takes it.
        name: such as ``15W`` or ``MAXN_SUPER``.
        watts: that the board may take, by the name; None where the name has no limit.
        cores: that it leaves on; 0 where the file does not say.
    """

    number: int
    name: str
    watts: int | None
    cores: int

    @property
    def rank(self) -> tuple[bool, int, int]:
        """A larger one allows more: no limit, then watts, then cores."""
        return self.watts is None and self.name.startswith("MAXN"), self.watts or 0, self.cores


def power_modes(system: System) -> tuple[PowerMode, ...]:
    """Return the modes that the board has, in the order of their numbers; none on other boards."""
    text = system.text(_CONFIGURATION) or ""
    found = list(_MODE.finditer(text))
    ends = [one.start() for one in found[1:]] + [len(text)]
    modes = []
    for one, end in zip(found, ends, strict=True):
        number, name = one[1] or one[4], one[2] or one[3]
        watts = re.search(r"(\d{1,3})W", name)
        modes.append(
            PowerMode(
                number=int(number),
                name=name,
                watts=int(watts[1]) if watts else None,
                cores=len(_ONLINE.findall(text, one.end(), end)),
            )
        )
    return tuple(sorted(modes, key=lambda mode: mode.number))
