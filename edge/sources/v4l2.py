"""A camera that the kernel shows as /dev/videoN."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import cv2

from edge.errors import TransientError, UnavailableError
from edge.frames import Frame
from edge.sources.base import Source

__all__ = ["V4L2Source"]


class V4L2Source(Source):
    """Frames of a V4L2 device, the newest first: one buffer, so that none grows old in a queue.

    Args:
        device: path of the device file.

    Raises:
        UnavailableError: there is no such device, or this user may not open it.
        TransientError: it is busy, or gives no picture.
    """

    live = True
    paced = True

    def __init__(self, device: str) -> None:
        super().__init__(f"v4l2://{device}")
        _check_device(device)
        self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise TransientError(
                f"{device}: the camera does not open: in use, or it gives no pictures",
                hint=f"see who has it with: fuser -v {device}",
                code="v4l2.busy",
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        if 1 <= fps <= 1000:
            self.fps = fps

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while True:
            readable, image = self._capture.read()
            if not readable:
                raise TransientError(
                    f"{self.uri}: the camera gave no frame after {index}",
                    hint="check its cable, then run the command again",
                    code="v4l2.lost",
                )
            yield Frame(
                image=image.astype("uint8", copy=False),
                index=index,
                captured_ns=time.monotonic_ns(),
                source=self.uri,
            )
            index += 1

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()


def _check_device(device: str) -> None:
    if not os.path.exists(device):
        raise UnavailableError(
            f"{device}: there is no such camera",
            hint="see which there are with: ls /dev/video*",
            code="v4l2.missing",
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise UnavailableError(
            f"{device}: this user may not open the camera",
            hint='mend it with: sudo usermod -aG video "$USER", then log in again',
            code="v4l2.permission",
        )
