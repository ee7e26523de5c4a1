"""What is opened is closed: the one ``with`` of everything that holds something."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Owned"]

_Self = TypeVar("_Self", bound="Owned")


class Owned:
    """Something that holds a file, an interpreter or a device until it is closed."""

    def close(self) -> None:
        """Give back what is held; a second call does nothing."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
