"""How the board is at this moment: heat, what holds its clock down, memory, missed frames."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.board.hardware import meminfo_mib
from edge.board.system import System
from edge.board.tegrastats import TegrastatsFeed
from edge.board.thermal import Thermometer
from edge.board.throttling import read_throttling
from edge.owned import Owned

__all__ = ["Gauges", "Readings"]

#: The firmware of a Raspberry Pi without the kernel's file is asked by a command; it is not asked
#: more often than this.
_ASK_EVERY_S = 10.0
_TEGRASTATS_MS, _FIRST_LINE_S = 2000, 5.0
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Readings:
    """How the board is.

    Attributes:
        celsius: of the hottest zone; None where the board has no sensor.
        throttled: what holds the clock down at this moment, by name.
        available_mib: memory that can still be had, by the machine or by the service's own
            bound, whichever is less; None where nobody knows.
        missed_share: share of the latest frames that were past the budget, 0..1.
    """

    celsius: float | None = None
    throttled: tuple[str, ...] = ()
    available_mib: float | None = None
    missed_share: float = 0.0


class Gauges(Owned):
    """Reads a machine: files, and commands only where the kernel shows nothing.

    ``vcgencmd`` is asked where there is no file for the firmware's flags, and ``tegrastats`` is
    followed where no thermal zone is to be read, as in a container on a Jetson. (jetson-stats, the
    package behind jtop, reads the same files through a service of its own.)

    Args:
        system: the machine.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._thermometer = Thermometer(system)
        self._feed: TegrastatsFeed | None = None
        if not self._thermometer.read() and system.command("tegrastats"):
            self._feed = TegrastatsFeed(system, every_ms=_TEGRASTATS_MS)
            self._feed.wait(_FIRST_LINE_S)
        self._throttled: tuple[str, ...] = ()
        self._asked_s = float("-inf")

    def read(self, missed_share: float, now_s: float) -> Readings:
        """Return how the board is.

        Args:
            missed_share: what the pipeline counted.
            now_s: of a clock that never goes back.
        """
        if now_s - self._asked_s >= _ASK_EVERY_S:
            self._asked_s = now_s
            self._throttled = read_throttling(self._system).now
        machine, own = meminfo_mib(self._system, "MemAvailable"), _own_mib(self._system)
        return Readings(
            celsius=self._celsius(),
            throttled=self._throttled,
            available_mib=min((v for v in (machine, own) if v is not None), default=None),
            missed_share=missed_share,
        )

    def close(self) -> None:
        """End what is followed; a second call does nothing."""
        if self._feed is not None:
            self._feed.close()

    def _celsius(self) -> float | None:
        if self._feed is not None:
            said = self._feed.last
            return max(said.celsius.values(), default=None) if said is not None else None
        zones = self._thermometer.read()
        return zones[0].celsius if zones else None


def _own_mib(system: System) -> float | None:
    """Return what the service's control group leaves it; None where it has no bound.

    The nearer of ``memory.high`` and ``memory.max``; pages of files count as used there and can be
    given back (Linux, Documentation/admin-guide/cgroup-v2.rst, "Memory").
    """
    own = re.search(r"^0::/(.*)$", system.text("proc/self/cgroup") or "", re.M)
    path = "" if own is None else own.group(1).strip()
    if own is None or ".." in path:
        return None
    folder = f"sys/fs/cgroup/{path}"
    bounds = [system.number(f"{folder}/memory.{name}") for name in ("high", "max")]
    used = system.number(f"{folder}/memory.current")
    bound = min((value for value in bounds if value is not None), default=None)
    if bound is None or used is None:
        return None
    files = re.search(
        r"^inactive_file (\d{1,18})$", system.text(f"{folder}/memory.stat") or "", re.M
    )
    return (bound - used + (int(files.group(1)) if files else 0)) / _MIB
