"""What is left out, step by step, when the board cannot keep up; and when it is taken back.

Pure: readings and a clock go in, a level comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge.live.settings import Reduction
from edge.service.readings import Readings
from edge.settings import setting

__all__ = ["Ladder", "LadderSettings", "Level"]


@dataclass(frozen=True, slots=True)
class LadderSettings:
    """When a step is taken, and what the steps are.

    75 °C leaves 5 °C to the 80 °C at which a Raspberry Pi lowers its clock by itself
    (Raspberry Pi documentation, "Frequency management and thermal control").
    """

    enabled: bool = setting(True, "leave something out when the board cannot keep up")
    hot_celsius: float = setting(
        75.0, "temperature from which the board counts as hot, in °C", low=30, high=120
    )
    hysteresis_celsius: float = setting(
        5.0, "so much cooler than that it has to be to count as cool again, in °C", low=0, high=50
    )
    low_memory_mib: float = setting(
        100.0, "free memory below which it counts as short, in MiB", low=0, high=1e6
    )
    missed_share: float = setting(
        0.2, "share of frames past live.budget_ms from which it counts as missed", low=0, high=1
    )
    every_s: float = setting(
        5.0, "the board is looked at, and at most one step taken, so often, in s", low=0.1, high=600
    )
    calm_s: float = setting(
        30.0, "a step is taken back after so long without pressure, in s", low=0.1, high=3600
    )
    longest_calm_s: float = setting(
        600.0, "after relapses that time doubles up to this, in s", low=0.1, high=86400
    )
    detect_every: int = setting(
        3, "first step: faces are looked for in every so many frames", low=2, high=100
    )
    low_fps: float = setting(5.0, "last step: at most so many frames a second", low=0.1, high=1000)


class Level(IntEnum):
    """How much is left out; each level leaves out what those before it do, too."""

    FULL = 0
    DETECT_LESS = 1
    NO_EMOTION = 2
    NO_RECONSTRUCTION = 3
    LOW_FPS = 4


#: Free memory counts as enough again from this multiple of the bound on, and misses as rare again
#: from this share of theirs on: the hysteresis of the two.
_ROOM, _RARE = 1.25, 0.5


class Ladder:
    """One step down a time under pressure, one step back a time after calm.

    Between two looks lie at least ``every_s``; each takes at most one step. A step is taken back
    after ``calm_s`` without pressure and with everything below its hysteresis. A relapse within
    that time of a step back doubles it, up to ``longest_calm_s``, so that a board that cannot
    carry full service stops trying every half minute; the same time of calm at full service
    forgets the relapses.

    Args:
        settings: see there.

    Attributes:
        level: in force.
        reason: why, such as ``76 °C``; empty at full service.
    """

    def __init__(self, settings: LadderSettings) -> None:
        self._settings = settings
        self.level = Level.FULL
        self.reason = ""
        self._looked_s = float("-inf")
        self._calm_since_s = float("-inf")
        self._eased_s = float("-inf")
        self._patience_s = settings.calm_s

    def step(self, readings: Readings, now_s: float) -> Level:
        """Look at the board; return the level in force.

        Args:
            readings: of this moment.
            now_s: of a clock that never goes back.
        """
        if not self._settings.enabled or now_s - self._looked_s < self._settings.every_s:
            return self.level
        first = self._looked_s == float("-inf")
        self._looked_s = now_s
        if first:
            self._calm_since_s = now_s
        pressure = self._pressure(readings)
        if pressure:
            self._tighten(", ".join(pressure), now_s)
        elif not self._is_calm(readings):
            self._calm_since_s = now_s
        elif now_s - self._calm_since_s >= self._patience_s:
            self._ease(now_s)
        return self.level

    @property
    def reduction(self) -> Reduction:
        """What the level leaves out."""
        return Reduction(
            detect_every=self._settings.detect_every if self.level >= Level.DETECT_LESS else 1,
            emotion=self.level < Level.NO_EMOTION,
            reconstruct=self.level < Level.NO_RECONSTRUCTION,
            fps=self._settings.low_fps if self.level >= Level.LOW_FPS else 0.0,
        )

    @property
    def text(self) -> str:
        """What the level means, for a person."""
        said = {
            Level.FULL: "full service",
            Level.DETECT_LESS: f"faces looked for in 1 of {self._settings.detect_every} frames",
            Level.NO_EMOTION: "no emotion",
            Level.NO_RECONSTRUCTION: "no emotion, no reconstruction",
            Level.LOW_FPS: f"no emotion, no reconstruction, {self._settings.low_fps:g} fps",
        }[self.level]
        return said if self.level is Level.FULL else f"reduced: {said} ({self.reason})"

    def _tighten(self, reason: str, now_s: float) -> None:
        relapsed = now_s - self._eased_s <= self._patience_s
        if relapsed:
            longest = max(self._settings.longest_calm_s, self._settings.calm_s)
            self._patience_s = min(2 * self._patience_s, longest)
            self._eased_s = float("-inf")
        self._calm_since_s = now_s
        self.level = Level(min(self.level + 1, max(Level)))
        self.reason = reason

    def _ease(self, now_s: float) -> None:
        self._calm_since_s = now_s
        if self.level is Level.FULL:
            self._patience_s = self._settings.calm_s
            return
        self._eased_s = now_s
        self.level = Level(self.level - 1)
        if self.level is Level.FULL:
            self.reason = ""

    def _pressure(self, readings: Readings) -> list[str]:
        """Name everything that asks for a step."""
        bounds, said = self._settings, list(readings.throttled)
        if readings.celsius is not None and readings.celsius >= bounds.hot_celsius:
            said.append(f"{readings.celsius:.0f} °C")
        if readings.available_mib is not None and readings.available_mib < bounds.low_memory_mib:
            said.append(f"{readings.available_mib:.0f} MiB free")
        if readings.missed_share >= bounds.missed_share > 0:
            said.append(f"{readings.missed_share:.0%} of the frames past the budget")
        return said

    def _is_calm(self, readings: Readings) -> bool:
        bounds = self._settings
        cool, room = bounds.hot_celsius - bounds.hysteresis_celsius, _ROOM * bounds.low_memory_mib
        return (
            (readings.celsius is None or readings.celsius < cool)
            and (readings.available_mib is None or readings.available_mib >= room)
            and (readings.missed_share <= _RARE * bounds.missed_share or not bounds.missed_share)
        )
