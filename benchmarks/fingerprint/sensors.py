"""Sensors of energy: the board's own, its firmware's, its processor's."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol

from edge.board.system import System
from edge.board.tegrastats import TegrastatsFeed
from edge.owned import Owned

__all__ = ["EnergySensor", "Ina", "Pmic", "Rapl", "TegrastatsSensor", "board_watts", "pmic_watts"]

#: ``  VDD_CORE_A current(7)=1.11625000A`` and ``  VDD_CORE_V volt(15)=0.74944980V``.
_ADC = re.compile(
    r"^\s*(\w{1,32})_([AV]) (?:current|volt)\(\d{1,3}\)=(\d{1,6}\.\d{1,12})[AV]$", re.M
)
#: in7 of the INA3221 adds up voltages of shunts (Documentation/hwmon/ina3221.rst of Linux).
_CHANNELS = (1, 2, 3)
_NOT_A_RAIL = "sum of shunt voltages"
_FIRST_LINE_S = 2.0


class EnergySensor(Protocol):
    """A sensor.

    Attributes:
        name: what it measures, for the record; empty where there is nothing to read.
        every_s: how often to ask it.
    """

    name: str
    every_s: float

    def joules(self, now_s: float) -> float | None:
        """Return the energy since the last answer, 0 at the first; None if it cannot tell.

        Args:
            now_s: the time of the question.
        """
        ...

    def close(self) -> None:
        """Let it go; a second call does nothing."""
        ...


class _Power(Owned, ABC):
    """A sensor that shows watts: the trapezoid rule makes them joules."""

    _last: tuple[float, float] | None = None

    @abstractmethod
    def watts(self) -> float | None:
        """Return the power now; None if it cannot tell."""

    def joules(self, now_s: float) -> float | None:
        """Return the energy since the last answer, 0 at the first; None if it cannot tell."""
        watts = self.watts()
        if watts is None:
            return None
        last_s, last = self._last or (now_s, watts)
        self._last = now_s, watts
        return (now_s - last_s) * (watts + last) / 2


def board_watts(rails_w: Mapping[str, float]) -> tuple[str, float] | None:
    """Return a board's whole power from its rails: name, watts; None without rails.

    A rail whose name ends with ``_IN`` feeds all others (``VDD_IN`` on Orin Nano and NX,
    ``POM_5V_IN`` on Nano). AGX boards have none; there all rails together are what is known.
    """
    for name, watts in rails_w.items():
        if name.endswith("_IN"):
            return name, watts
    return (" + ".join(rails_w), sum(rails_w.values())) if rails_w else None


class Ina(_Power):
    """INA219, 226, 3221 and the like under Linux' hwmon: mV and mA, or µW."""

    every_s = 0.2

    def __init__(self, system: System) -> None:
        self._system = system
        self._rails = _ina_rails(system)
        found = board_watts(self._read())
        self.name = f"INA {found[0]}" if found else ""

    def watts(self) -> float | None:
        """Return the power now."""
        found = board_watts(self._read())
        return found[1] if found else None

    def _read(self) -> dict[str, float]:
        rails = {}
        for rail, (factors, scale) in self._rails.items():
            values = [self._system.number(path) for path in factors]
            known = [value for value in values if value is not None]
            if len(known) == len(values):
                power = scale
                for value in known:
                    power *= value
                rails[rail] = power
        return rails


def _ina_rails(system: System) -> dict[str, tuple[tuple[str, ...], float]]:
    """Return for each rail the files whose product, times a scale, is watts."""
    rails: dict[str, tuple[tuple[str, ...], float]] = {}
    for folder in system.paths("sys/class/hwmon/hwmon*"):
        chip = system.text(f"{folder}/name") or ""
        if not chip.startswith("ina"):
            continue
        for n in _CHANNELS:
            name = system.text(f"{folder}/in{n}_label") or f"{chip} {n}"
            power, volt, ampere = (f"{folder}/{kind}{n}_input" for kind in ("power", "in", "curr"))
            if name == _NOT_A_RAIL:
                continue
            if system.number(power) is not None:
                rails[name[:40]] = ((power,), 1e-6)
            elif system.number(volt) is not None and system.number(ampere) is not None:
                rails[name[:40]] = ((volt, ampere), 1e-6)
    return rails


class Pmic(_Power):
    """Raspberry Pi 5's power chip; its rails leave out USB, what hangs there, and its own loss."""

    #: Each question is a process.
    every_s = 1.0
    name = "PMIC, sum of rails"

    def __init__(self, system: System) -> None:
        self._system = system

    def watts(self) -> float | None:
        """Ask ``vcgencmd pmic_read_adc``."""
        return pmic_watts(self._system.ask("vcgencmd", "pmic_read_adc") or "")


def pmic_watts(printed: str) -> float | None:
    """Add up voltage times current of every rail that has both; None if there is none."""
    found: dict[str, dict[str, float]] = {}
    for rail, unit, value in _ADC.findall(printed):
        found.setdefault(rail, {})[unit] = float(value)
    rails = [pair["A"] * pair["V"] for pair in found.values() if len(pair) == 2]
    return sum(rails) if rails else None


class Rapl:
    """Energy counters of x86 processors under Linux' powercap: packages and their memory."""

    every_s = 0.2

    def __init__(self, system: System) -> None:
        self._system = system
        self._zones = [
            (f"{folder}/energy_uj", system.number(f"{folder}/max_energy_range_uj") or 0)
            for folder in system.paths("sys/class/powercap/intel-rapl:*")
            if _counts(folder, system.text(f"{folder}/name") or "")
            and system.number(f"{folder}/energy_uj") is not None
        ]
        self.name = "RAPL" if self._zones else ""
        self._last: list[int] | None = None

    def joules(self, now_s: float) -> float | None:
        """Return what the counters grew by."""
        read = [self._system.number(path) for path, _ in self._zones]
        counts = [count for count in read if count is not None]
        if len(counts) != len(read):
            return None
        last, self._last = self._last or counts, counts
        grown = 0
        for count, before, (_, span) in zip(counts, last, self._zones, strict=True):
            # A counter that reached its end begins anew.
            grown += count - before + (span if count < before else 0)
        return max(0, grown) / 1e6

    def close(self) -> None:
        """Nothing is held."""


def _counts(folder: str, name: str) -> bool:
    """Tell packages and memory from parts of a package (core, uncore) and the whole (psys)."""
    is_top = folder.rpartition("/")[2].count(":") == 1
    return (is_top and name.startswith("package")) or name == "dram"


class TegrastatsSensor(_Power):
    """``tegrastats``, where the kernel shows no rails; it runs until it is closed."""

    every_s = 0.2

    def __init__(self, system: System) -> None:
        self._feed = TegrastatsFeed(system, every_ms=200)
        self._feed.wait(_FIRST_LINE_S)
        found = self._board()
        self.name = f"tegrastats {found[0]}" if found else ""

    def watts(self) -> float | None:
        """Return what its last line said."""
        found = self._board()
        return found[1] if found else None

    def close(self) -> None:
        """End the process; a second call does nothing."""
        self._feed.close()

    def _board(self) -> tuple[str, float] | None:
        last = self._feed.last
        return (
            None
            if last is None
            else board_watts({name: milliwatts / 1e3 for name, milliwatts in last.rails_mw.items()})
        )
