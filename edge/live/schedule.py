"""Which stage looks at which face again in this frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["Turn", "choose"]

#: A view this much better than the best that a stage had is worth a look at once; so much better
#: again can happen only a few times before no view is.
_BETTER = 1.3


class Turn:
    """When one stage looks at one face again.

    Args:
        every: frames from one look to the next.
        settle: look at a young track more often: after 1, 2, 4, ... frames until ``every``, so
            that a vote has its answers soon. For stages that vote.

    Attributes:
        age: frames since the last look; 0 in the frame of a look.
        looks: how many there were.
        doubt: whether the last look said something else than is believed.
    """

    __slots__ = ("_every", "_settle", "_view", "age", "doubt", "looks")

    def __init__(self, every: int, *, settle: bool) -> None:
        self._every, self._settle = every, settle
        self._view = 0.0
        self.age = self.looks = 0
        self.doubt = False

    @property
    def wait(self) -> int:
        """Frames that this turn waits at the moment."""
        if not self._settle or not self.looks:
            return self._every
        return int(min(self._every, 2 ** min(self.looks - 1, 30)))

    def urgent(self, view: float) -> bool:
        """Tell whether it cannot wait: a new face, a doubt, or a clearly better view."""
        return not self.looks or self.doubt or view > _BETTER * self._view

    def due(self) -> bool:
        """Tell whether it has waited long enough."""
        return self.age >= self.wait

    def looked(self, view: float, *, doubt: bool = False) -> None:
        """Note a look.

        Args:
            view: how well the face was seen, 0..1; a stage that any view serves gives 1.
            doubt: whether the answer was not what is believed.
        """
        self._view = max(self._view, view)
        self.age = 0
        self.looks += 1
        self.doubt = doubt

    def reset(self) -> None:
        """Start anew, as if the face were new."""
        self._view = 0.0
        self.looks = 0
        self.doubt = False


def choose(turns: Sequence[Turn], *, frames: int = 1) -> list[int]:
    """Spread the looks that are due: no more in a frame than keep all turns to their schedule.

    ``n`` turns that each wait ``w`` frames need ``n / w`` looks a frame. So many are given, rounded
    up, first to those that are furthest beyond their time.

    Args:
        turns: of all faces and stages together.
        frames: since the last choice, if faces were not looked for in each.

    Returns:
        Positions of those that look now.
    """
    room = math.ceil(frames * sum(1 / turn.wait for turn in turns))
    due = [i for i, turn in enumerate(turns) if turn.due()]
    due.sort(key=lambda i: turns[i].age / turns[i].wait, reverse=True)
    return due[:room]
