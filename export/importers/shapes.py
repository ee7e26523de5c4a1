"""What a tensor's shape says of its axes: one rule for every format that is read.

Pictures go in channels last, as the device hands them in: an input ``[1, C, H, W]`` with 1, 3 or 4
channels is a picture and is turned. Every other tensor, outputs included, keeps the axes that its
file gives it, unless the card says that it is an image or a map: those are channels last at either
end.
"""

from __future__ import annotations

from collections.abc import Sequence

from export.cards.card import TensorCard

__all__ = ["PLANES", "is_picture", "outside", "plane", "turned", "turns"]

#: Channels that a picture has.
_CHANNELS = (1, 3, 4)
#: Meanings of tensors with a height and a width.
PLANES = ("image", "map")

#: Sizes of a tensor; None, or 0, for one that is open.
Sizes = Sequence[int | None]


def is_picture(shape: Sizes) -> bool:
    """Tell whether an input is a picture or a map with channels first: ``[1, C, H, W]``."""
    return len(shape) == 4 and shape[1] in _CHANNELS


def plane(shape: Sizes) -> slice | None:
    """Return where a picture's height and width stand in its shape; None for anything else."""
    if is_picture(shape):
        return slice(2, 4)
    return slice(1, 3) if len(shape) == 4 and shape[3] in _CHANNELS else None


def turned(shape: Sequence[int]) -> tuple[int, ...]:
    """Return an NCHW shape as NHWC."""
    batch, channels, height, width = shape
    return batch, height, width, channels


def outside(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that an input has outside of its network."""
    return turned(shape) if is_picture(shape) else shape


def turns(shape: Sequence[int], said: TensorCard) -> bool:
    """Tell whether an output is turned to channels last: its card says so, and its file not."""
    return (
        said.meaning in PLANES
        and len(shape) == 4
        and tuple(shape) != said.shape
        and turned(shape) == said.shape
    )
