"""Temperatures: of every zone that the kernel shows, with the trip point where it acts."""

from __future__ import annotations

from dataclasses import dataclass

from edge.board.system import System

__all__ = ["Thermometer", "Zone"]

#: At these the kernel lowers a clock, warns or switches off; at ``active`` ones it turns a fan.
_ACTING = frozenset(["passive", "hot", "critical"])
#: What no sensor of a running board shows: -256 °C stands for a part that is off (Jetson), and trip
#: points of 0 °C or less for ones that are not set (x86_pkg_temp).
_COLDEST, _HOTTEST, _LOWEST_TRIP = -40.0, 150.0, 40.0
#: A constant, not measured: Jetson Linux Developer Guide, "PMIC-Die".
_CONSTANT = frozenset(["PMIC-Die", "PMIC"])
#: Processors' own sensors, where there is no zone (AMD).
_CHIPS = frozenset(["coretemp", "k10temp", "zenpower"])


@dataclass(frozen=True, slots=True)
class Zone:
    """One temperature.

    Attributes:
        name: of the zone, such as ``cpu-thermal``.
        celsius: now.
        trip_celsius: where the kernel acts; None where it does not.
    """

    name: str
    celsius: float
    trip_celsius: float | None

    @property
    def at_trip(self) -> bool:
        """Whether it is as hot as that."""
        return self.trip_celsius is not None and self.celsius >= self.trip_celsius


class Thermometer:
    """The zones of a machine: looked for once, read as often as wanted.

    Args:
        system: the machine.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._places = [
            (f"{folder}/temp", name, _trip(system, folder))
            for folder in system.paths("sys/class/thermal/thermal_zone*")
            if (name := system.text(f"{folder}/type") or "zone") not in _CONSTANT
        ] or list(_chips(system))

    def read(self) -> tuple[Zone, ...]:
        """Return the zones that can be read, the hottest first."""
        found = []
        for path, name, trip in self._places:
            milli = self._system.number(path)
            if milli is not None and _COLDEST <= milli / 1000 <= _HOTTEST:
                found.append(Zone(name[:40], milli / 1000, trip))
        return tuple(sorted(found, key=lambda zone: -zone.celsius))


def _trip(system: System, folder: str) -> float | None:
    """Return the lowest trip point of a zone at which the kernel acts."""
    found = []
    for path in system.paths(f"{folder}/trip_point_*_type"):
        milli = system.number(path.removesuffix("type") + "temp")
        if milli is not None and system.text(path) in _ACTING and milli / 1000 >= _LOWEST_TRIP:
            found.append(milli / 1000)
    return min(found, default=None)


def _chips(system: System) -> list[tuple[str, str, float | None]]:
    found: list[tuple[str, str, float | None]] = []
    for folder in system.paths("sys/class/hwmon/hwmon*"):
        name = system.text(f"{folder}/name")
        if name in _CHIPS:
            found.append((f"{folder}/temp1_input", name, None))
    return found
