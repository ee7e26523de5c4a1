"""What cameras share: keys that are checked before anything is opened, and no end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, UsageError
from edge.frames import Frame
from edge.query import read_query, shown
from edge.sources.base import Source
from edge.sources.options import View, fit, turn

__all__ = ["CameraSource", "Shot", "split_uri"]


_View = TypeVar("_View", bound=View)


class Shot(NamedTuple):
    """One picture of a camera, as it gives it.

    Attributes:
        image: uint8 ``[H, W, 3]``, BGR.
        captured_ns: ``time.monotonic_ns()`` when it was taken.
        small: the same on fewer pixels, where the camera gives it.
    """

    image: NDArray[np.uint8]
    captured_ns: int
    small: NDArray[np.uint8] | None = None


class CameraSource(Source):
    """Frames of a camera, for ever.

    A subclass says which ``View`` its keys make, opens the camera in ``__init__`` and gives its
    pictures by ``_shots``.

    Attributes:
        view: what was asked for.
    """

    live = True
    paced = True

    def __init__(self, uri: str, view: View) -> None:
        super().__init__(shown(uri))
        self.view = view
        if view.fps:
            self.fps = view.fps

    @classmethod
    @abstractmethod
    def check(cls, uri: str) -> View:
        """Read the URI without opening anything.

        Raises:
            UsageError: it cannot be meant so.
        """

    @classmethod
    def device(cls, uri: str) -> str | None:
        """Return the device file that comes and goes with the camera, where it has one."""
        return None

    @abstractmethod
    def _shots(self) -> Iterator[Shot]:
        """Give the camera's pictures.

        Raises:
            EdgeError: it gives no more.
        """

    def _frames(self) -> Iterator[Frame]:
        due_ns, period_ns = 0, int(1e9 / self.view.fps) if self.view.fps else 0
        index = 0
        for shot in self._shots():
            # A driver may give more than it was asked for; what is too early is left out. Half a
            # period's leeway keeps a jitter from costing every second frame.
            if shot.captured_ns < due_ns - period_ns // 2:
                continue
            due_ns = max(due_ns + period_ns, shot.captured_ns)
            yield self._frame(shot, index)
            index += 1

    def _frame(self, shot: Shot, index: int) -> Frame:
        if shot.image.ndim != 3 or shot.image.dtype != np.uint8:
            raise DataError(
                f"{self.uri}: the camera gives {shot.image.dtype} {list(shot.image.shape)}, "
                "no colour picture",
                hint="ask it for another format",
                code="source.format",
            )
        return Frame(
            image=turn(fit(shot.image, self.view), self.view),
            index=index,
            captured_ns=shot.captured_ns,
            source=self.uri,
            small=None if shot.small is None else turn(shot.small, self.view),
        )


def split_uri(uri: str, scheme: str, kind: type[_View]) -> tuple[str, _View]:
    """Part a camera's URI.

    Returns:
        What stands between ``scheme://`` and the ``?``, and the options.

    Raises:
        UsageError: a key is unknown, or its value is not allowed.
    """
    place, view = read_query(uri, kind, code="source.query")
    before, _, rest = place.partition("://")
    if before != scheme or not rest:
        raise UsageError(
            f"{shown(uri)}: names no camera", hint=f"begin with {scheme}://", code="source.uri"
        )
    return rest, view
