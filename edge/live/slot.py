"""Room for one thing between two threads."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

__all__ = ["Slot"]

_Item = TypeVar("_Item")


class Slot(Generic[_Item]):
    """Holds the newest thing that nobody has taken; ends once, with an error or without.

    Attributes:
        replaced: how many things a newer one pushed out.
    """

    def __init__(self) -> None:
        self.replaced = 0
        self._changed = threading.Condition()
        self._item: _Item | None = None
        self._ended = False
        self._error: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing is left to take, no error either, and nothing will come."""
        with self._changed:
            return self._ended and self._item is None and self._error is None

    def put(self, item: _Item) -> bool:
        """Offer a thing; one that is still there goes. Return whether anybody still takes any."""
        with self._changed:
            if self._ended:
                return False
            self.replaced += self._item is not None
            self._item = item
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float | None = None) -> _Item | None:
        """Wait for a thing and take it; None when none came in time or none will come.

        Raises:
            BaseException: what ``end`` was given, once everything before it is taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._ended, timeout_s)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            self._changed.notify_all()
            return item

    def wait_until_free(self) -> bool:
        """Wait until the last thing was taken; return whether anybody still takes any."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is None or self._ended)
            return not self._ended

    def wait_for_end(self, timeout_s: float) -> bool:
        """Wait so long, or until the end; return whether that has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, timeout_s)

    def end(self, error: BaseException | None = None) -> None:
        """Let nobody wait any longer; a second call does nothing."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()
