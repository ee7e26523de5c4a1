"""An annotated picture a frame, each whole or not at all."""

from __future__ import annotations

import os

import cv2

from edge.draw import annotate
from edge.errors import OutputError
from edge.files import write_whole
from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks.base import Sink, not_written
from edge.sources.header import SUFFIXES

__all__ = ["ImagesSink"]

_QUALITY = [
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    # Thin coloured lines and letters blur where colour is stored at half the resolution.
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


class ImagesSink(Sink):
    """JPEG files in a folder, which is made if it is missing.

    A picture keeps its name: ``anna.png`` becomes ``anna.jpg``. A frame of a video or a camera
    gets a number: ``clip-000012.jpg``, ``frame-000012.jpg``.

    Raises:
        OutputError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._used: set[str] = set()
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise not_written(folder, error) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise not_written(folder)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one picture.

        Raises:
            OutputError: it cannot be written, or would lie among the pictures that are read.
        """
        self._refuse_own_input(frame)
        written, content = cv2.imencode(".jpg", annotate(frame, result), _QUALITY)
        path = os.path.join(self._folder, self._name(frame))
        if not written:
            raise not_written(path)
        write_whole(path, content.tobytes())

    def close(self) -> None:
        """Do nothing: every picture is whole already."""

    def _refuse_own_input(self, frame: Frame) -> None:
        parent = os.path.dirname(frame.source) or "."
        if os.path.isfile(frame.source) and os.path.samefile(parent, self._folder):
            raise OutputError(
                f"images:{self._folder}: is the folder that the pictures are read from",
                hint="name another folder, so that none of them is overwritten",
                code="sink.own_input",
            )

    def _name(self, frame: Frame) -> str:
        """Choose a name that was not used yet; two inputs of one name get -2, -3."""
        stem, suffix = os.path.splitext(os.path.basename(frame.source))
        if "://" in frame.source or not stem:
            stem = f"frame-{frame.index:06d}"
        elif suffix.lower() not in SUFFIXES:
            stem = f"{stem}-{frame.index:06d}"
        name, number = stem, 2
        while name in self._used:
            name, number = f"{stem}-{number}", number + 1
        if suffix.lower() in SUFFIXES:  # numbered frames differ by themselves
            self._used.add(name)
        return f"{name}.jpg"
