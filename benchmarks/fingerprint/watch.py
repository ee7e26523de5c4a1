"""Temperature and clock along a run, for its timeline and for whether it counts."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fingerprint.conditions import clocks_mhz
from edge.board.system import System
from edge.board.thermal import Thermometer
from edge.board.throttling import read_throttling
from edge.owned import Owned

__all__ = ["Sample", "Watch"]

_EVERY_S = 0.5
#: More than this and every second sample goes, and the next ones come half as often.
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment of a run.

    Attributes:
        at_s: seconds since the watch began.
        celsius: the hottest zone; None where no temperature is to be read.
        mhz: the fastest clock; None where none is to be read. The processors that work are the
            fast ones where the governor lets idle ones rest.
        hot: zones at their trip points.
        throttled: what held the clock down.
    """

    at_s: float
    celsius: float | None
    mhz: float | None
    hot: tuple[str, ...]
    throttled: tuple[str, ...]


class Watch(Owned):
    """Look again and again, in a thread of its own, until it is closed.

    Only files are read: a look takes about a millisecond of one core, a process would take ten.

    Args:
        root: of the system that is looked at.
        every_s: seconds between two looks.
    """

    def __init__(self, root: Path = Path("/"), *, every_s: float = _EVERY_S) -> None:
        self._system = System(root)
        self._thermometer = Thermometer(self._system)
        self._every_s = every_s
        self._samples: list[Sample] = []
        self._ended = threading.Event()
        self.started_ns = time.monotonic_ns()
        self._look()
        self._thread = threading.Thread(target=self._follow, name="watch", daemon=True)
        self._thread.start()

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What was seen so far, in order."""
        return tuple(self._samples)

    def celsius_at(self, at_s: float) -> float | None:
        """Return the temperature that was seen nearest to a moment of the run."""
        known = [s for s in self._samples if s.celsius is not None]
        nearest = min(known, key=lambda s: abs(s.at_s - at_s), default=None)
        return None if nearest is None else nearest.celsius

    def close(self) -> None:
        """Look once more and stop; a second call does nothing."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._look()

    def _follow(self) -> None:
        while not self._ended.wait(self._every_s):
            self._look()
            if len(self._samples) >= _MOST:
                self._samples = self._samples[::2]
                self._every_s *= 2

    def _look(self) -> None:
        zones = self._thermometer.read()
        throttling = read_throttling(self._system, ask=False)
        sample = Sample(
            at_s=(time.monotonic_ns() - self.started_ns) / 1e9,
            celsius=zones[0].celsius if zones else None,
            mhz=max(clocks_mhz(self._system), default=None),
            hot=tuple(zone.name for zone in zones if zone.at_trip),
            throttled=throttling.now,
        )
        self._samples.append(sample)
