"""How somebody can watch a long run: what is judged goes through their hands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Follow", "unwatched"]

_Item = TypeVar("_Item")


class Follow(Protocol):
    """Gives back what it is given, in order, and may count while it does."""

    def __call__(self, items: Sequence[_Item], /) -> Iterable[_Item]: ...  # noqa: D102


def unwatched(items: Sequence[_Item], /) -> Iterable[_Item]:
    """Watch nothing."""
    return items
