"""A CSI camera of a Jetson, through NVIDIA's Argus and one GStreamer pipeline.

``csi://0?width=1280&height=720&fps=30&rotate=180``. The image processor makes the colours, scales
and turns; only the last step, BGRx to BGR, is the processor's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2

from edge.errors import TransientError, UsageError
from edge.settings import setting
from edge.sources.base import LibraryMissing
from edge.sources.camera import CameraSource, Shot, split_uri
from edge.sources.options import View

__all__ = ["CsiSource", "CsiView", "pipeline_of"]

#: flip-method of nvvidconv, by (rotate, flip): 1 turns counterclockwise and 3 clockwise by 90
#: degrees, 2 by 180, 4 mirrors left and right, 6 top and bottom, 7 about the diagonal from the
#: upper left, 5 about the other (gst-inspect-1.0 nvvidconv).
_FLIP_METHODS = {
    ("0", "none"): 0, ("0", "h"): 4, ("0", "v"): 6, ("0", "hv"): 2,
    ("90", "none"): 3, ("90", "h"): 7, ("90", "v"): 5, ("90", "hv"): 1,
    ("180", "none"): 2, ("180", "h"): 6, ("180", "v"): 4, ("180", "hv"): 0,
    ("270", "none"): 1, ("270", "h"): 5, ("270", "v"): 7, ("270", "hv"): 3,
}  # fmt: skip
_MAX_SENSOR = 15


@dataclass(frozen=True, slots=True)
class CsiView(View):
    """The keys of a Jetson's CSI camera."""

    mode: int = setting(-1, "number of the sensor's mode; -1: Argus chooses", low=-1, high=31)


class CsiSource(CameraSource):
    """Frames of an Argus camera; ``captured_ns`` is when a frame came out of the pipeline.

    Raises:
        UnavailableError: OpenCV here has no GStreamer.
        TransientError: Argus opens no such camera, or has stopped.
        UsageError: the URI cannot be.
    """

    def __init__(self, uri: str) -> None:
        sensor, view = _read(uri)
        super().__init__(uri, View())  # what the pipeline does is not done again
        self.fps = view.fps
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise LibraryMissing(
                f"{self.uri}: OpenCV {cv2.__version__} here was built without GStreamer, as all of "
                "its wheels are",
                hint="use the system's: sudo apt install python3-opencv, pip uninstall "
                "opencv-python-headless, and an environment made with --system-site-packages",
                code="csi.gstreamer",
            )
        self._capture = cv2.VideoCapture(pipeline_of(sensor, view), cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            self._capture.release()
            raise TransientError(
                f"{self.uri}: Argus opens no such camera",
                hint="see its reason with: journalctl -u nvargus-daemon; start it anew with: sudo "
                "systemctl restart nvargus-daemon",
                code="csi.open",
            )

    @classmethod
    def check(cls, uri: str) -> View:
        """Read the URI without opening anything."""
        return _read(uri)[1]

    def close(self) -> None:
        """Give the camera back."""
        super().close()
        self._capture.release()

    def _shots(self) -> Iterator[Shot]:
        while True:
            readable, image = self._capture.read()
            if not readable:
                raise TransientError(
                    f"{self.uri}: the camera gives no more frames",
                    hint="check its flat cable; see: journalctl -u nvargus-daemon",
                    code="csi.lost",
                )
            yield Shot(image.astype("uint8", copy=False), time.monotonic_ns())


def pipeline_of(sensor: int, view: CsiView) -> str:
    """Return the GStreamer pipeline; only checked numbers enter it.

    The newest frame waits at its end and no other (``drop``, ``max-buffers``), without regard to
    a clock (``sync``).
    """
    rate = f"{round(1000 * view.fps)}/1000"
    return (
        f"nvarguscamerasrc sensor-id={sensor:d} sensor-mode={view.mode:d} ! "
        f"video/x-raw(memory:NVMM),format=NV12,width={view.width:d},height={view.height:d},"
        f"framerate={rate} ! nvvidconv flip-method={_FLIP_METHODS[view.rotate, view.flip]:d} ! "
        "video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR ! "
        "appsink drop=true max-buffers=1 sync=false"
    )


def _read(uri: str) -> tuple[int, CsiView]:
    place, view = split_uri(uri, "csi", CsiView)
    if not (place.isascii() and place.isdigit() and len(place) < 4 and int(place) <= _MAX_SENSOR):
        raise UsageError(
            f"{uri.partition('?')[0]}: {place!r} is no number of a sensor",
            hint="write csi://0",
            code="source.uri",
        )
    # Without a size, Argus gives the sensor's largest, which no face needs.
    if not view.width:
        view = replace(view, width=1280, height=720)
    return int(place), replace(view, fps=view.fps or 30.0)
