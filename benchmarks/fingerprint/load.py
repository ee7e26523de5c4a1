"""What others compute on the machine while we do: processor time from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass

from edge.board.system import System

__all__ = ["CpuTime", "Load", "read_cpu_time"]

#: Fields of the first line of /proc/stat, proc(5). Guests' time is part of user and nice.
_BUSY = (0, 1, 2, 5, 6)  # user nice system irq softirq
_STEAL = 7
#: utime, stime, cutime, cstime of /proc/PID/stat behind the name in parentheses, proc(5).
_OWN = slice(11, 15)
_PARENT = 1


@dataclass(frozen=True, slots=True)
class Load:
    """Processor time of an interval, in processors: 1.0 is one that is always busy.

    Attributes:
        seconds: length of the interval.
        own_cores: we and the processes that we started.
        others_cores: everybody else, the kernel's own threads among them.
        steal_cores: what the host of a virtual machine took from it while it had work.
    """

    seconds: float
    own_cores: float
    others_cores: float
    steal_cores: float

    def to_json(self) -> dict[str, float]:
        """Return the fields, to a thousandth."""
        return {
            "seconds": round(self.seconds, 2),
            "own_cores": round(self.own_cores, 3),
            "others_cores": round(self.others_cores, 3),
            "steal_cores": round(self.steal_cores, 3),
        }


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Counters since the start of the machine, in seconds."""

    at_s: float
    busy_s: float
    steal_s: float
    own_s: float

    def since(self, earlier: CpuTime) -> Load | None:
        """Return the load between two readings; None if no time passed."""
        seconds = self.at_s - earlier.at_s
        if seconds <= 0:
            return None
        own = self.own_s - earlier.own_s
        others = self.busy_s - earlier.busy_s - own
        steal = self.steal_s - earlier.steal_s
        # The two counters tick apart; a hundredth of a second below nothing is nothing.
        return Load(seconds, *(max(0.0, value) / seconds for value in (own, others, steal)))


def read_cpu_time(system: System) -> CpuTime | None:
    """Read the counters; None where the kernel does not show them."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    lines = (system.text("proc/stat") or "").splitlines()
    try:
        words = lines[0].split()
        counts = [int(word) for word in words[1:]]
        if words[0] != "cpu":
            return None
        return CpuTime(
            at_s=float((system.text("proc/uptime") or "").split()[0]),
            busy_s=sum(counts[i] for i in _BUSY) * tick,
            steal_s=counts[_STEAL] * tick,
            own_s=_own_ticks(system) * tick,
        )
    except (IndexError, ValueError):
        return None


def _own_ticks(system: System) -> int:
    """Add up the time of this process, of those that it started and of those that ended."""
    own = (system.text("proc/self/stat") or "0").split(" ", 1)[0]
    ticks: dict[str, int] = {}
    children: dict[str, list[str]] = {}
    for path in system.paths("proc/[0-9]*/stat"):
        number = path.split("/")[1]
        fields = (system.text(path) or "").rpartition(")")[2].split()
        try:
            ticks[number] = sum(int(word) for word in fields[_OWN])
            children.setdefault(fields[_PARENT], []).append(number)
        except (IndexError, ValueError):
            continue  # It ended while we looked.
    total, pending = 0, [own]
    while pending:
        number = pending.pop()
        total += ticks.get(number, 0)
        pending.extend(children.pop(number, ()))
    return total
