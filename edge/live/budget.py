"""Which frames are worth starting when every result must be there in time."""

from __future__ import annotations

import time

__all__ = ["Budget", "Hand"]

#: Share of the newest duration in the one that is expected next.
_SHARE = 0.2


class Hand:
    """Says how long the frame that a thread works on has been in its hand; used with ``with``."""

    def __init__(self) -> None:
        self._since_ns = 0

    def __enter__(self) -> None:
        self._since_ns = time.monotonic_ns()

    def __exit__(self, *error: object) -> None:
        self._since_ns = 0

    @property
    def busy_ns(self) -> int:
        """Nanoseconds since the frame was taken up; 0 while there is none."""
        since = self._since_ns
        return time.monotonic_ns() - since if since else 0


class Budget:
    """Expects a frame's way through detection and face stages from the frames before.

    Args:
        limit_ns: from a frame's capture to its result; 0 sets no limit.
    """

    def __init__(self, limit_ns: int) -> None:
        self.limit_ns = limit_ns
        self._detect_ns = 0.0
        self._faces_ns = 0.0

    def add(self, detect_ns: int, faces_ns: int) -> None:
        """Learn what one frame took."""
        if not self._faces_ns:
            self._detect_ns, self._faces_ns = detect_ns, faces_ns
        self._detect_ns += _SHARE * (detect_ns - self._detect_ns)
        self._faces_ns += _SHARE * (faces_ns - self._faces_ns)

    def worth(self, age_ns: int, faces_busy_ns: int) -> bool:
        """Tell whether a frame should be started rather than dropped for a newer one.

        Where not even a frame of this moment would be in time, dropping brings nothing.

        Args:
            age_ns: of the frame, since its capture.
            faces_busy_ns: how long the face stages have been at the frame before; 0 when idle.
        """
        work = self._detect_ns + self._faces_ns
        if not self.limit_ns or work > self.limit_ns:
            return True
        rest = max(0.0, self._faces_ns - faces_busy_ns) if faces_busy_ns else 0.0
        return age_ns + max(self._detect_ns, rest) + self._faces_ns <= self.limit_ns

    def missed(self, age_ns: int) -> bool:
        """Tell whether a result of this age came too late."""
        return bool(self.limit_ns) and age_ns > self.limit_ns
