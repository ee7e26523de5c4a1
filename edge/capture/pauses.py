"""Growing pauses between attempts."""

from __future__ import annotations

__all__ = ["Pauses"]


class Pauses:
    """Seconds to wait before each next attempt: the first, then twice the one before, bounded.

    Args:
        first_s, longest_s: in seconds; a first one above the longest is as long as the longest.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = min(first_s, longest_s)
        self._longest_s = longest_s
        self._next_s = self._first_s

    def next(self, ran_s: float = 0.0) -> float:
        """Return the pause in seconds.

        Args:
            ran_s: how long the attempt before it went well; one that outlasted the longest pause
                was a success, and the pauses begin anew. Anything shorter may be a camera that
                gives one frame and dies, for ever.
        """
        if ran_s > self._longest_s:
            self.reset()
        pause = self._next_s
        self._next_s = min(2 * pause, self._longest_s)
        return pause

    def reset(self) -> None:
        """Begin anew with the first pause."""
        self._next_s = self._first_s
