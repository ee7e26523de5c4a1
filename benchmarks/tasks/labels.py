"""What gives a face one of a few labels: a stage of the runtime, or a stranger's network."""

from __future__ import annotations

from typing import Protocol

from edge.frames import Frame
from edge.results import Detection

__all__ = ["Labelled", "Labeller"]


class Labelled(Protocol):
    """An answer that names a label."""

    @property
    def label(self) -> str:
        """One of the labeller's labels."""


class Labeller(Protocol):
    """Names a label for the face of a frame.

    Attributes:
        labels: all that it knows.
    """

    labels: tuple[str, ...]

    def __call__(self, frame: Frame, detection: Detection) -> Labelled: ...  # noqa: D102
