"""How much energy a run took, on boards that can tell."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fingerprint.sensors import EnergySensor, Ina, Pmic, Rapl, TegrastatsSensor
from edge.board.system import System
from edge.owned import Owned

__all__ = ["Energy", "Meter", "open_meter"]


@dataclass(frozen=True, slots=True)
class Energy:
    """What was measured from opening to closing a meter.

    Attributes:
        joules: of the whole board, or what of it the sensor sees; nothing idle is taken off.
        seconds: between the first and the last reading.
        readings: that it stands on.
        sensor: what was read.
    """

    joules: float
    seconds: float
    readings: int
    sensor: str

    @property
    def watts(self) -> float:
        """The mean power."""
        return self.joules / self.seconds

    def to_json(self, frames: int) -> dict[str, object]:
        """Return joules a frame, watts and the sensor.

        Args:
            frames: that were processed meanwhile, at least 1.
        """
        return {
            "joules_per_frame": round(self.joules / frames, 6),
            "watts": round(self.watts, 3),
            "sensor": self.sensor,
            "readings": self.readings,
        }


class Meter(Owned):
    """Read a sensor in a thread of its own and add up, until it is closed.

    Args:
        sensor: is closed with it.
    """

    def __init__(self, sensor: EnergySensor) -> None:
        self._sensor = sensor
        self._joules = 0.0
        self._readings = 0
        self._first_s = self._last_s = 0.0
        self._ended = threading.Event()
        self._read()
        self._thread = threading.Thread(target=self._follow, name="meter", daemon=True)
        self._thread.start()

    @property
    def energy(self) -> Energy | None:
        """What was measured; None until there are two readings."""
        seconds = self._last_s - self._first_s
        if self._readings < 2 or seconds <= 0:
            return None
        return Energy(self._joules, seconds, self._readings, self._sensor.name)

    def close(self) -> None:
        """Read once more and stop; a second call does nothing."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._read()
            self._sensor.close()

    def _follow(self) -> None:
        while not self._ended.wait(self._sensor.every_s):
            self._read()

    def _read(self) -> None:
        now_s = time.monotonic()
        joules = self._sensor.joules(now_s)
        if joules is None:
            return
        if not self._readings:
            self._first_s = now_s
        self._joules += joules
        self._last_s = now_s
        self._readings += 1


def open_meter(root: Path = Path("/")) -> Meter | None:
    """Open the board's best meter; None where it has none.

    The board's own sensors go first, then what its firmware tells, then the processor's counters.

    Args:
        root: of the system that is looked at.
    """
    system = System(root)
    for sensor in (Ina(system), _pmic(system), Rapl(system)):
        if sensor is not None and sensor.name:
            return Meter(sensor)
    tegrastats = TegrastatsSensor(system)
    if tegrastats.name:
        return Meter(tegrastats)
    tegrastats.close()
    return None


def _pmic(system: System) -> Pmic | None:
    sensor = Pmic(system)
    return None if sensor.watts() is None else sensor
