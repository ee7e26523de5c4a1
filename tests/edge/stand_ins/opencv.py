"""Stand-in for ``cv2.VideoCapture`` on what cannot run here: a V4L2 device and a Jetson's Argus.

The rules are those of modules/videoio/src/cap_v4l.cpp and cap_gstreamer.cpp: a V4L2 camera takes
the nearest of its sizes, gives its buffers' times as CAP_PROP_POS_MSEC, and pixels after a grab
only; a pipeline is refused unless every part of it is one that a Jetson has.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from scene import scene

SIZES = ((96, 64), (160, 96))
FOURCCS = ("YUYV", "MJPG")
_CSI = re.compile(
    r"nvarguscamerasrc sensor-id=([0-9]+) sensor-mode=(-1|[0-9]+) ! "
    r"video/x-raw\(memory:NVMM\),format=NV12,width=([1-9][0-9]*),height=([1-9][0-9]*),"
    r"framerate=([1-9][0-9]*)/1000 ! nvvidconv flip-method=([0-7]) ! video/x-raw,format=BGRx ! "
    r"videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
)
#: gst-inspect-1.0 nvvidconv, flip-method.
_FLIPS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    0: lambda image: image,
    1: lambda image: np.rot90(image),  # counterclockwise
    2: lambda image: np.rot90(image, 2),
    3: lambda image: np.rot90(image, -1),  # clockwise
    4: lambda image: image[:, ::-1],
    5: lambda image: np.rot90(image, 2).transpose(1, 0, 2),  # about the upper right diagonal
    6: lambda image: image[::-1],
    7: lambda image: image.transpose(1, 0, 2),  # about the upper left diagonal
}


class StandInCapture:
    """One opened camera."""

    def __init__(self, place: str, backend: int) -> None:
        self._open = True
        self._grabbed = False
        self._stamp_ns = 0
        self._due_ns = time.monotonic_ns()
        self._flip = _FLIPS[0]
        self._given: dict[int, float] = {}
        if backend == cv2.CAP_V4L2:
            self._size, self._fps = SIZES[-1], 30.0
            self._fourcc = FOURCCS[0]
        else:
            found = _CSI.fullmatch(place) if backend == cv2.CAP_GSTREAMER else None
            self._open = found is not None and int(found[1]) == 0
            if found is not None:
                self._size = (int(found[3]), int(found[4]))
                self._fps = int(found[5]) / 1000
                self._flip = _FLIPS[int(found[6])]
        self._backend = backend

    def isOpened(self) -> bool:
        return self._open

    def release(self) -> None:
        self._open = False

    def set(self, key: int, value: float) -> bool:
        assert self._open and self._backend == cv2.CAP_V4L2
        if key == cv2.CAP_PROP_FOURCC:
            text = int(value).to_bytes(4, "little").decode()
            self._fourcc = text if text in FOURCCS else self._fourcc
        elif key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
            # Only both together make a size, as in the real one.
            self._given[key] = value
            if len(self._given) == 2:
                width = self._given[cv2.CAP_PROP_FRAME_WIDTH]
                self._size = min(SIZES, key=lambda size: abs(size[0] - width))
        elif key == cv2.CAP_PROP_FPS:
            self._fps = float(min(value, 1000))
        elif key == cv2.CAP_PROP_BUFFERSIZE:
            return 1 <= value <= 10
        else:
            return False
        return True

    def get(self, key: int) -> float:
        if key == cv2.CAP_PROP_FOURCC:
            return float(int.from_bytes(self._fourcc.encode(), "little"))
        if key == cv2.CAP_PROP_FPS:
            return self._fps
        if key == cv2.CAP_PROP_POS_MSEC:
            return self._stamp_ns / 1e6
        return 0.0

    def grab(self) -> bool:
        if not self._open:
            return False
        time.sleep(max(0, self._due_ns - time.monotonic_ns()) / 1e9)
        self._stamp_ns = time.monotonic_ns()
        self._due_ns = self._stamp_ns + int(1e9 / self._fps)
        self._grabbed = True
        return True

    def retrieve(self) -> tuple[bool, Any]:
        if not (self._open and self._grabbed):
            return False, None
        return True, np.ascontiguousarray(self._flip(scene(*self._size)))

    def read(self) -> tuple[bool, Any]:
        return self.retrieve() if self.grab() else (False, None)
