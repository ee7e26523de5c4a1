"""An annotated video, whole or not at all."""

from __future__ import annotations

import os

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.draw import annotate
from edge.errors import OutputError, UsageError
from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks.base import Sink, not_written, part_beside, put_in_place

__all__ = ["VideoSink", "codec_of"]

#: Codec by file name ending; both are built into OpenCV's wheels on every platform.
_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
#: Longest side of the video; a larger frame is shrunk.
_MAX_SIDE_PX = 1920


class VideoSink(Sink):
    """A video file; its size is that of the first annotated frame, others are fitted into it.

    Args:
        path: ends in ``.mp4`` or ``.avi``.
        fps: frames a second.

    Raises:
        UsageError: another ending.
        OutputError: the place cannot be written to.
    """

    def __init__(self, path: str, *, fps: float) -> None:
        codec = codec_of(path)
        self._path, self._fps = path, fps
        self._codec = cv2.VideoWriter.fourcc(*codec)
        self._target, self._part = part_beside(path)
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._count = 0
        #: Whether a signal came between a frame and its count.
        self._writing = False
        try:
            os.close(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except OSError as error:
            raise not_written(path, error) from error

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one frame.

        Raises:
            OutputError: the video cannot be begun.
        """
        self.write_image(annotate(frame, result))

    def write_image(self, image: NDArray[np.uint8], *, times: int = 1) -> None:
        """Write one picture so many times.

        Args:
            image: uint8 ``[H, W, 3]``, BGR, annotated already.
            times: in a row.

        Raises:
            OutputError: the video cannot be begun.
        """
        if self._writer is None:
            self._writer = self._begin(image)
        fitted = _fitted(image, self._size)
        for _ in range(times):
            self._writing = True
            self._writer.write(fitted)
            self._count += 1
            self._writing = False

    def close(self) -> None:
        """Put the video in its place; without a frame there is none.

        Raises:
            OutputError: it is not whole; OpenCV tells nothing before, so that it is read again.
        """
        if not self._part:
            return
        try:
            self._release()
            if self._count == 0:
                return
            if _count_frames(self._part) - self._count not in (0, int(self._writing)):
                raise not_written(self._path)
            put_in_place(self._part, self._target)
        except OSError as error:
            raise not_written(self._path, error) from error
        finally:
            self._remove_part()

    def discard(self) -> None:
        """Leave no part of the video."""
        if self._part:
            self._release()
            self._remove_part()

    def _begin(self, image: NDArray[np.uint8]) -> cv2.VideoWriter:
        height, width = image.shape[:2]
        zoom = min(1.0, _MAX_SIDE_PX / max(height, width))
        # Both codecs want even sides.
        self._size = (max(2, round(width * zoom) & ~1), max(2, round(height * zoom) & ~1))
        writer = cv2.VideoWriter(self._part, cv2.CAP_FFMPEG, self._codec, self._fps, self._size)
        if not writer.isOpened():
            raise OutputError(
                f"{self._path}: OpenCV cannot write this video",
                hint="name a file that ends in .avi, or write pictures with images:FOLDER",
                code="sink.codec",
            )
        return writer

    def _release(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def _remove_part(self) -> None:
        part, self._part = self._part, ""
        if os.path.exists(part):
            os.unlink(part)


def codec_of(path: str) -> str:
    """Return the codec of a video by its file's ending.

    Raises:
        UsageError: another ending.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in _CODECS:
        raise UsageError(
            f"video:{path}: no video is written with this ending",
            hint=f"name a file that ends in {' or '.join(_CODECS)}",
            code="sink.suffix",
        )
    return _CODECS[suffix]


def _fitted(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Shrink or enlarge into the size, upright and undistorted, on black."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    zoom = min(width / image.shape[1], height / image.shape[0])
    inner = (max(1, round(image.shape[1] * zoom)), max(1, round(image.shape[0] * zoom)))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
    whole = np.zeros((height, width, 3), np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    whole[y : y + inner[1], x : x + inner[0]] = small
    return whole


def _count_frames(path: str) -> int:
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else -1
    finally:
        capture.release()
