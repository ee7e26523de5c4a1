"""The state of the machine at one moment, before a run and after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fingerprint.load import CpuTime, Load, read_cpu_time
from edge.board import hardware
from edge.board.system import System
from edge.board.thermal import Thermometer, Zone
from edge.board.throttling import Throttling, read_throttling

__all__ = ["Conditions", "clocks_mhz", "read_conditions"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a benchmark depends on and cannot choose.

    Attributes:
        zone: the hottest; None where no temperature is to be read.
        hot: names of the zones that are at their trip points.
        clocks_mhz: of each group of processors that has a clock of its own, as the kernel says.
        firmware_mhz: what a Raspberry Pi's firmware measured; it lowers the clock by itself.
        throttling: what holds the clock down.
        cores: logical processors that this process may use.
        cpu: counters for the load.
        load: since an earlier reading; None without one.
        available_mib: memory that could be had.
        swap_mib: what lies in swap.
        power_mode: of a Jetson.
    """

    zone: Zone | None
    hot: tuple[str, ...]
    clocks_mhz: tuple[float, ...]
    firmware_mhz: float | None
    throttling: Throttling
    cores: int
    cpu: CpuTime | None
    load: Load | None
    available_mib: float | None
    swap_mib: float | None
    power_mode: str | None

    def to_json(self) -> dict[str, object]:
        """Return plain numbers and names; what is not known is left out."""
        table = {
            "celsius": None if self.zone is None else round(self.zone.celsius, 1),
            "zone": None if self.zone is None else self.zone.name,
            "trip_celsius": None if self.zone is None else self.zone.trip_celsius,
            "clocks_mhz": [round(mhz) for mhz in self.clocks_mhz] or None,
            "firmware_mhz": None if self.firmware_mhz is None else round(self.firmware_mhz),
            "throttling": self.throttling.to_json(),
            "load": None if self.load is None else self.load.to_json(),
            "available_mib": _whole(self.available_mib),
            "swap_mib": _whole(self.swap_mib),
            "power_mode": self.power_mode,
        }
        return {key: value for key, value in table.items() if value is not None}


def read_conditions(since: Conditions | None = None, *, root: Path = Path("/")) -> Conditions:
    """Look at the machine now.

    Args:
        since: an earlier reading: ``load`` is of the time between. The one before a run may be
            compared with the program's start, the one after it with the one before.
        root: of the system that is looked at.
    """
    system = System(root)
    zones = Thermometer(system).read()
    cpu = read_cpu_time(system)
    load = None
    if since is not None and since.cpu is not None and cpu is not None:
        load = cpu.since(since.cpu)
    return Conditions(
        zone=zones[0] if zones else None,
        hot=tuple(zone.name for zone in zones if zone.at_trip),
        clocks_mhz=clocks_mhz(system),
        firmware_mhz=_firmware_mhz(system),
        throttling=read_throttling(system),
        cores=hardware.cores(system)[1],
        cpu=cpu,
        load=load,
        available_mib=hardware.meminfo_mib(system, "MemAvailable"),
        swap_mib=_swap_mib(system),
        power_mode=hardware.power_mode(system),
    )


def clocks_mhz(system: System) -> tuple[float, ...]:
    """Return the clock of every group of processors, of a virtual machine what it was told."""
    paths = system.paths("sys/devices/system/cpu/cpufreq/policy*/scaling_cur_freq")
    found = [khz / 1000 for path in paths if (khz := system.number(path)) is not None]
    if not found:
        said = re.findall(r"^cpu MHz\s*:\s*([\d.]{1,12})$", system.text("proc/cpuinfo") or "", re.M)
        found = [float(text) for text in said if re.fullmatch(r"\d+(\.\d+)?", text)]
    return tuple(found)


def _firmware_mhz(system: System) -> float | None:
    """Ask ``vcgencmd measure_clock arm``, which prints ``frequency(0)=1500345728``."""
    said = system.ask("vcgencmd", "measure_clock", "arm")
    found = re.match(r"frequency\(\d{1,4}\)=(\d{1,12})\s*$", said or "")
    return int(found.group(1)) / 1e6 if found else None


def _swap_mib(system: System) -> float | None:
    total, free = (
        hardware.meminfo_mib(system, "SwapTotal"),
        hardware.meminfo_mib(system, "SwapFree"),
    )
    return None if total is None or free is None else total - free


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
