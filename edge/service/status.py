"""The one line that says how the service is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge.query import shown

__all__ = ["Pace", "Report"]

#: Long enough for a steady figure, short enough to follow a change.
_WINDOW_S = 5.0
_MOST = 4096


class Pace:
    """How often something happens: over the last five seconds."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=_MOST)

    def step(self, now_s: float) -> None:
        """Count one."""
        self._times_s.append(now_s)

    def per_second(self, now_s: float) -> float:
        """Return the rate; 0.0 until there are two within the window."""
        while self._times_s and now_s - self._times_s[0] > _WINDOW_S:
            self._times_s.popleft()
        if len(self._times_s) < 2:
            return 0.0
        return (len(self._times_s) - 1) / max(now_s - self._times_s[0], 1e-9)


@dataclass(frozen=True, slots=True)
class Report:
    """What the line is made of.

    Attributes:
        awaited: whether the first frame has not come yet.
        faces: of the last frame.
        fps: results a second.
        age_ms: of the last result, from its capture.
        service: what the ladder says, such as ``full service``.
        lost_s: since when there is no camera; None while there is one.
        trouble: what the camera's last fault said.
        failing: sinks that do not deliver at the moment.
    """

    awaited: bool = False
    faces: int = 0
    fps: float = 0.0
    age_ms: float = 0.0
    service: str = "full service"
    lost_s: float | None = None
    trouble: str = ""
    failing: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.lost_s is not None:
            said = f"camera lost for {self.lost_s:.0f} s"
            parts = [f"{said}: {self.trouble}" if self.trouble else said]
        elif self.awaited:
            parts = ["waiting for the first frame"]
        else:
            faces = "1 face" if self.faces == 1 else f"{self.faces} faces"
            parts = [f"{faces}, {self.fps:.1f} fps, {self.age_ms:.0f} ms old, {self.service}"]
        parts += [f"{shown(uri)} fails" for uri in self.failing]
        return "; ".join(parts)
