"""Whether the file behind a camera came, or came back."""

from __future__ import annotations

import os

__all__ = ["Presence"]


class Presence:
    """Watches one device file by what the kernel says of it; a socket or a sensor has none.

    A look costs a microsecond, so it is taken often instead of asking udev to tell: the service
    needs no library and no daemon for it, and a plain file in a test is as good.

    Args:
        path: of the device file; None where the source has none.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._seen = self._look()

    def look(self) -> None:
        """Note how it is now."""
        self._seen = self._look()

    def came(self) -> bool:
        """Tell whether the file is there and is not what it was at the last look.

        A device that was plugged in again is another one, and so is one whose owner or mode has
        changed since: udev gives the group its right some moments after the file appears.
        """
        before, self._seen = self._seen, self._look()
        return self._seen is not None and self._seen != before

    def _look(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            facts = os.stat(self._path)
        except OSError:
            return None
        return facts.st_ino, facts.st_rdev, facts.st_ctime_ns
