"""Files that are numbered on from run to run, of which the newest are kept."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque

__all__ = ["Numbered", "remove_torn"]


class Numbered:
    """The files of one folder whose names fit a pattern; others are never touched.

    Numbers, not clocks: a board without a battery starts in the wrong year.

    Args:
        folder: that is there.
        pattern: of a whole name; its first group is the number.
        keep: how many files stay.

    Attributes:
        next: number of the next file.
    """

    def __init__(self, folder: str, pattern: re.Pattern[str], *, keep: int) -> None:
        self._folder, self._keep = folder, keep
        with os.scandir(folder) as entries:
            found = [
                (int(match[1]), entry.name)
                for entry in entries
                if (match := pattern.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False)
            ]
        found.sort()
        self._names = deque(name for _, name in found)
        self.next = found[-1][0] + 1 if found else 1

    def add(self, name: str) -> None:
        """Count a file that is whole, and remove the oldest that are too many.

        Raises:
            OSError: one cannot be removed.
        """
        self._names.append(name)
        self.next += 1
        while len(self._names) > self._keep:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self._folder, self._names[0]))
            self._names.popleft()


def remove_torn(folder: str, pattern: re.Pattern[str]) -> None:
    """Remove what a crash left half written: it would fill the disk, a file a crash.

    Raises:
        OSError: a file cannot be removed.
    """
    with os.scandir(folder) as entries:
        torn = [entry.path for entry in entries if pattern.fullmatch(entry.name)]
    for path in torn:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
