"""A video file, decoded by OpenCV's FFmpeg."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import cv2

from edge.errors import DataError, MissingInput
from edge.frames import MAX_SIDE_PX, Frame
from edge.sources.base import Report, Source
from edge.sources.ffmpeg import open_ffmpeg
from edge.sources.image import MAX_PIXELS

__all__ = ["SUFFIXES", "VideoSource"]

#: File name endings that are taken for a video.
SUFFIXES = frozenset(".avi .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpeg .mpg .ts .webm .wmv".split())


class VideoSource(Source):
    """The frames of a video file.

    A video that breaks off gives the frames that can be read, then reports where it broke.

    Raises:
        MissingInput: there is no such file, or it may not be read.
        DataError: it is no video, or claims frames larger than are read.
    """

    def __init__(self, uri: str, *, report: Report | None = None) -> None:
        super().__init__(uri, report=report)
        _check_readable(uri)
        # An absolute path, or FFmpeg may read a scheme such as "concat:" out of a file name.
        self._capture = open_ffmpeg(os.path.abspath(uri), {"protocol_whitelist": "file"})
        width, height, fps, count = (
            self._capture.get(key)
            for key in (
                cv2.CAP_PROP_FRAME_WIDTH,
                cv2.CAP_PROP_FRAME_HEIGHT,
                cv2.CAP_PROP_FPS,
                cv2.CAP_PROP_FRAME_COUNT,
            )
        )
        if not self._capture.isOpened() or width < 1 or height < 1:
            self.close()
            raise DataError(
                f"{uri}: not a video that can be read, or cut short before its first frame",
                hint="copy it again; to see what it is: ffprobe FILE",
                code="video.open",
            )
        if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
            self.close()
            raise DataError(
                f"{uri}: claims frames of {width:.0f} x {height:.0f} pixels; at most "
                f"{MAX_SIDE_PX} a side are read",
                hint="make it smaller",
                code="video.size",
            )
        if 1 <= fps <= 1000:
            self.fps = fps
        self.total = int(count) if 1 <= count < 2**31 else None

    def _frames(self) -> Iterator[Frame]:
        index, last_ms = 0, 0.0
        while True:
            # The position is that of the frame about to be read in some containers and of the
            # one just read in others; a frame more or less is within _broke_off's allowance.
            readable, image = self._capture.read()
            if not readable:
                break
            last_ms = max(last_ms, self._capture.get(cv2.CAP_PROP_POS_MSEC))
            yield Frame(
                image=image.astype("uint8", copy=False),
                index=index,
                captured_ns=time.monotonic_ns(),
                source=self.uri,
            )
            index += 1
        if index == 0:
            raise DataError(
                f"{self.uri}: no frame of the video can be read",
                hint="copy it again",
                code="video.damaged",
            )
        if self._broke_off(index, last_ms):
            fault = DataError(
                f"{self.uri}: the video breaks off at frame {index} of {self.total}; "
                f"the {index} before it were used",
                hint="copy it again to have the rest",
                code="video.broken",
            )
            self.skip(fault)

    def _broke_off(self, count: int, last_ms: float) -> bool:
        """Tell whether frames are missing at the end.

        The number that a container claims may be an estimate from its duration, so that a video
        of varying frame rate has fewer frames and is whole: then its last frame lies at the end.
        """
        if self.total is None or count >= self.total:
            return False
        return last_ms < 1000 * (self.total - 2.5) / self.fps

    def close(self) -> None:
        """Give the file back."""
        super().close()
        self._capture.release()


def _check_readable(uri: str) -> None:
    try:
        with open(uri, "rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise MissingInput(
            f"{uri}: {(error.strerror or str(error)).lower()}",
            hint="check the path and its permissions",
            code="video.open",
        ) from error
    if empty:
        raise DataError(f"{uri}: the file is empty", hint="copy it again", code="video.empty")
