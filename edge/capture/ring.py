"""Frames in memory that two processes share: a few slots, each owned by one side at a time.

The capture process makes the ring, fills a slot that it owns and says so in a message; the slot is
the reader's until the reader gives it back in a message. Nothing is locked and nothing is read
while it is written: the messages pass through the kernel, which orders what lies before them.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.frames import MAX_SIDE_PX, Frame
from edge.owned import Owned

__all__ = ["MAX_RING_BYTES", "SLOTS", "Layout", "Ring"]

#: One that is being filled, the newest, one that is being copied out, and one under way.
SLOTS = 4
#: Four pictures of 4608 x 2592 (a Raspberry Pi camera 3) with a small one each, rounded up.
MAX_RING_BYTES = 256 * 2**20
_PAGE = 4096
#: The size is fixed before it is shown: a file cut under a reader is a SIGBUS.
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pictures lie.

    Attributes:
        width, height: of a frame's picture, in pixels.
        small_width, small_height: of its small picture; 0 where there is none.

    Raises:
        ValueError: no picture is so small or so large, or the ring would be too large.
    """

    width: int
    height: int
    small_width: int = 0
    small_height: int = 0

    def __post_init__(self) -> None:
        sides = (self.width, self.height, self.small_width, self.small_height)
        if not all(0 <= side <= MAX_SIDE_PX for side in sides) or 0 in sides[:2]:
            raise ValueError(f"no picture has {sides} pixels")
        if (self.small_width == 0) != (self.small_height == 0):
            raise ValueError(f"no small picture has {sides[2:]} pixels")
        if self.ring_bytes > MAX_RING_BYTES:
            raise ValueError(f"a ring of {self.ring_bytes >> 20} MiB; at most 256")

    @classmethod
    def of(cls, frame: Frame) -> Layout:
        """Return the layout that holds frames like this one."""
        height, width = frame.image.shape[:2]
        small_height, small_width = (0, 0) if frame.small is None else frame.small.shape[:2]
        return cls(width, height, small_width, small_height)

    @property
    def image_bytes(self) -> int:
        """Size of the picture."""
        return 3 * self.width * self.height

    @property
    def slot_bytes(self) -> int:
        """Size of a slot: picture, small picture, and what fills the page."""
        used = self.image_bytes + 3 * self.small_width * self.small_height
        return -(-used // _PAGE) * _PAGE

    @property
    def ring_bytes(self) -> int:
        """Size of all slots."""
        return SLOTS * self.slot_bytes


class Ring(Owned):
    """The slots.

    Attributes:
        layout: of the pictures.
        handle: descriptor of the memory until ``close``; the mapping stays as long as it is used.
    """

    def __init__(self, handle: int, layout: Layout, *, writable: bool) -> None:
        self.handle = handle
        self.layout = layout
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._bytes = np.frombuffer(
            mmap.mmap(handle, layout.ring_bytes, access=access), dtype=np.uint8
        )

    @classmethod
    def make(cls, layout: Layout) -> Ring:
        """Make a ring that can be written.

        Raises:
            OSError: there is no memory for it.
        """
        handle = os.memfd_create("unveil-edge-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(handle, layout.ring_bytes)
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SEALS)
            return cls(handle, layout, writable=True)
        except BaseException:
            os.close(handle)
            raise

    @classmethod
    def attach(cls, handle: int, layout: Layout) -> Ring:
        """Take over the descriptor of a ring that another process made, to read from it.

        Raises:
            ValueError: it is not what its maker says; the descriptor stays the caller's.
        """
        try:
            seals = fcntl.fcntl(handle, fcntl.F_GET_SEALS)
            facts = os.fstat(handle)
            if seals & _SEALS != _SEALS or not stat.S_ISREG(facts.st_mode):
                raise ValueError("a ring that could shrink under its reader")
            if facts.st_size != layout.ring_bytes:
                raise ValueError(f"a ring of {facts.st_size} bytes, not {layout.ring_bytes}")
            return cls(handle, layout, writable=False)
        except OSError as error:
            raise ValueError(f"no ring: {error}") from error

    def write(self, slot: int, frame: Frame) -> None:
        """Copy a frame's pictures into a slot; their sizes are the layout's."""
        image, small = self._views(slot)
        np.copyto(image, frame.image)
        if small is not None and frame.small is not None:
            np.copyto(small, frame.small)

    def read(self, slot: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Return copies of a slot's picture and small picture: uint8 ``[H, W, 3]``, BGR."""
        image, small = self._views(slot)
        return image.copy(), None if small is None else small.copy()

    def close(self) -> None:
        """Close the descriptor."""
        handle, self.handle = self.handle, -1
        if handle >= 0:
            os.close(handle)

    def _views(self, slot: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        layout = self.layout
        at = slot * layout.slot_bytes
        end = at + layout.image_bytes
        image = self._bytes[at:end].reshape(layout.height, layout.width, 3)
        if not layout.small_width:
            return image, None
        small_bytes = 3 * layout.small_width * layout.small_height
        small = self._bytes[end : end + small_bytes]
        return image, small.reshape(layout.small_height, layout.small_width, 3)
