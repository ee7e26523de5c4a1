"""A camera that the kernel shows as /dev/videoN.

``v4l2:///dev/video0?width=1280&height=720&fps=30&fourcc=MJPG&rotate=180``
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import cv2

from edge.errors import TransientError, UnavailableError, UsageError
from edge.settings import setting
from edge.sources.camera import CameraSource, Shot, split_uri
from edge.sources.options import View

__all__ = ["V4L2Source", "V4L2View"]

#: One that the driver fills while another is decoded. Every further one only makes frames older
#: for whoever reads slowly, and a capture process never does.
_BUFFERS = 2
#: Many USB cameras begin with some damaged MJPEG pictures.
_MAX_DAMAGED = 10
#: A driver's timestamp that is older is of another clock (V4L2_BUF_FLAG_TIMESTAMP_UNKNOWN).
_MAX_AGE_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class V4L2View(View):
    """The keys of a V4L2 camera."""

    fourcc: str = setting(
        "auto",
        "format that the camera sends: MJPG for many pixels over USB 2, YUYV for few without loss",
        choices=("auto", "MJPG", "YUYV", "UYVY", "NV12", "BGR3"),
    )


class V4L2Source(CameraSource):
    """Frames of a V4L2 device.

    The camera is asked for a size and a rate; what it gives instead is made smaller where it is
    too large. ``captured_ns`` is the driver's own timestamp.

    Args:
        uri: ``v4l2://`` and the absolute path of the device file, with keys behind a ``?``.

    Raises:
        UnavailableError: there is no such device, or this user may not open it.
        TransientError: it is busy, or gives no picture.
        UsageError: the URI cannot be, or the camera cannot send this format.
    """

    def __init__(self, uri: str) -> None:
        device, view = _read(uri)
        super().__init__(uri, view)
        _check_device(device)
        self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise TransientError(
                f"{device}: the camera does not open: in use, or it gives no pictures",
                hint=f"see who has it with: fuser -v {device}",
                code="v4l2.busy",
            )
        try:
            self._set_up(device, view)
        except BaseException:
            self._capture.release()
            raise

    @classmethod
    def check(cls, uri: str) -> View:
        """Read the URI without opening anything."""
        return _read(uri)[1]

    @classmethod
    def device(cls, uri: str) -> str:
        """Return the device file."""
        return _read(uri)[0]

    def close(self) -> None:
        """Give the camera back."""
        super().close()
        self._capture.release()

    def _set_up(self, device: str, view: V4L2View) -> None:
        """Ask for format, size and rate, in this order: each bounds the next."""
        capture = self._capture
        if view.fourcc != "auto":
            fourcc = cv2.VideoWriter.fourcc(*view.fourcc)
            capture.set(cv2.CAP_PROP_FOURCC, fourcc)
            if int(capture.get(cv2.CAP_PROP_FOURCC)) != fourcc:
                # One that is being pulled out refuses everything, and is no mistake that stays.
                if not capture.grab():
                    raise self._lost()
                raise UsageError(
                    f"{device}: the camera does not send {view.fourcc}",
                    hint=f"see what it sends with: v4l2-ctl -d {device} --list-formats-ext",
                    code="v4l2.fourcc",
                )
        if view.width:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, view.width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, view.height)
        if view.fps:
            capture.set(cv2.CAP_PROP_FPS, view.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        fps = capture.get(cv2.CAP_PROP_FPS)
        if 1 <= fps <= 1000:
            self.fps = min(fps, view.fps or fps)

    def _shots(self) -> Iterator[Shot]:
        damaged = 0
        while damaged < _MAX_DAMAGED and self._capture.grab():
            readable, image = self._capture.retrieve()
            if not readable:
                damaged += 1
                continue
            damaged = 0
            yield Shot(image.astype("uint8", copy=False), self._captured_ns())
        raise self._lost()

    def _lost(self) -> TransientError:
        return TransientError(
            f"{self.uri}: the camera gives no more frames",
            hint="check its cable and its power",
            code="v4l2.lost",
        )

    def _captured_ns(self) -> int:
        """Return the buffer's timestamp, which OpenCV gives as this property in milliseconds."""
        now_ns = time.monotonic_ns()
        stamp_ns = int(1e6 * self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return stamp_ns if 0 <= now_ns - stamp_ns < _MAX_AGE_NS else now_ns


def _read(uri: str) -> tuple[str, V4L2View]:
    device, view = split_uri(uri, "v4l2", V4L2View)
    if not os.path.isabs(device):
        raise UsageError(
            f"{uri.partition('?')[0]}: {device!r} is no path of a device file",
            hint="write v4l2:///dev/video0",
            code="source.uri",
        )
    return device, view


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
