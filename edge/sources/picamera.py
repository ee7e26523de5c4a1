"""A camera of a Raspberry Pi, through picamera2 and libcamera.

``picamera://0?width=1280&height=720&fps=15&rotate=180&af=continuous``. Faces are cut from the main
stream and looked for in a small one that the image processor makes besides, at no cost. Written
after the source of picamera2 0.3.38; see docs/cameras.md for the rules that it sets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import TransientError, UnavailableError, UsageError
from edge.settings import setting
from edge.sources.base import LibraryMissing
from edge.sources.camera import CameraSource, Shot, split_uri
from edge.sources.options import View

__all__ = ["PicameraSource", "PicameraView"]

_MAX_CAMERA = 15
#: Shorter than what the capture process is given, so that the reason can be told.
_FRAME_S = 2.5
#: Four in the camera's hands, one in ours; each is a picture in CMA memory, of which a Raspberry
#: Pi 4 has 64 MiB for everything.
_BUFFERS = 5
#: What ``configure`` says when libcamera or the sensor fails at it, which another time may not: a
#: loose cable, a camera that another program is giving up. Anything else is a mistake that stays.
_FAILED = ("Configuration failed", "failed to allocate")
_AF_MODES = {"manual": "Manual", "auto": "Auto", "continuous": "Continuous"}


@dataclass(frozen=True, slots=True)
class PicameraView(View):
    """The keys of a Raspberry Pi's camera."""

    small_width: int = setting(
        640, "width of the small picture that faces are looked for in; 0: none", low=0, high=4096
    )
    af: str = setting("none", "autofocus, of a camera that has one", choices=("none", *_AF_MODES))
    lens: float = setting(
        -1.0, "focus in dioptres, by hand, 0: infinity; -1: untouched", low=-1, high=32
    )
    exposure_us: int = setting(0, "exposure in microseconds; 0: automatic", low=0, high=10**8)
    gain: float = setting(0.0, "analogue gain; 0: automatic", low=0, high=64)
    brightness: float = setting(0.0, "added to the picture", low=-1, high=1)


class PicameraSource(CameraSource):
    """Frames with a small picture besides; ``captured_ns`` is when the sensor began the frame.

    Raises:
        UnavailableError: picamera2 is not installed, or there is no such camera.
        TransientError: the camera is busy or gives no frames.
        UsageError: the URI cannot be, or this camera has not what it asks for.
    """

    def __init__(self, uri: str) -> None:
        number, view = _read(uri)
        super().__init__(uri, view)
        self.fps = view.fps
        library, libcamera = _import()
        try:
            self._camera = library.Picamera2(number)
        except (RuntimeError, IndexError) as error:
            raise self._unopened(number, library, error) from error
        try:
            self._set_up(view, libcamera)
        except BaseException:
            self._camera.close()
            raise

    @classmethod
    def check(cls, uri: str) -> View:
        """Read the URI without opening anything."""
        return _read(uri)[1]

    def close(self) -> None:
        """Give the camera back; a job that still waits for a frame is given up first."""
        super().close()
        self._camera.cancel_all_and_flush()
        self._camera.close()

    def _set_up(self, view: PicameraView, libcamera: Any) -> None:
        """Configure and start: RGB888, which lies as B, G, R in memory, and a small YUV420."""
        size = (view.width - view.width % 2, view.height - view.height % 2)
        # Half a turn and mirroring are the image processor's; a quarter turn it cannot do.
        mirrored = view.rotate in ("0", "180")
        turned = mirrored and view.rotate == "180"
        transform = libcamera.Transform(
            hflip=mirrored and ("h" in view.flip) != turned,
            vflip=mirrored and ("v" in view.flip) != turned,
        )
        # What the camera does is not done again.
        self.view = View() if mirrored else View(rotate=view.rotate, flip=view.flip)
        try:
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"format": "RGB888", "size": size},
                    lores=_small_stream(size, view.small_width),
                    transform=transform,
                    # BT.601 at every size: what OpenCV takes YUV420 for.
                    colour_space=libcamera.ColorSpace.Smpte170m(),
                    raw=None,  # its buffers would take CMA memory for nothing
                    buffer_count=_BUFFERS,
                    controls=_controls(view, libcamera),
                    display=None,
                    encode=None,
                )
            )
        except OSError as error:
            raise TransientError(
                f"{self.uri}: no memory for the camera's pictures: {error.strerror}",
                hint="ask for a smaller width and height, or give the kernel more for them: "
                "dtoverlay=vc4-kms-v3d,cma-256 in /boot/firmware/config.txt",
                code="picamera.memory",
            ) from error
        except RuntimeError as error:
            if str(error).startswith(_FAILED):
                raise TransientError(
                    f"{self.uri}: the camera is there and cannot be set up",
                    hint="check its flat cable; see: dmesg | tail",
                    code="picamera.lost",
                ) from error
            raise UsageError(
                f"{self.uri}: the camera refuses this: {error}",
                hint="see what it can with: rpicam-hello --list-cameras",
                code="picamera.refused",
            ) from error
        main = self._camera.camera_configuration()["main"]
        if main["format"] != "RGB888":
            raise UsageError(
                f"{self.uri}: the camera gives {main['format']}, not RGB888: not one of the "
                "Raspberry Pi's own",
                hint="use v4l2:///dev/video0 for it",
                code="picamera.format",
            )
        self._camera.start()

    def _shots(self) -> Iterator[Shot]:
        while True:
            try:
                request = self._camera.capture_request(wait=_FRAME_S)
            except Exception as error:  # a timeout of its own kind, or what broke in its thread
                raise TransientError(
                    f"{self.uri}: the camera gave no frame in {_FRAME_S} s",
                    hint="check its flat cable; see: dmesg | grep -i unicam",
                    code="picamera.lost",
                ) from error
            # A request that is not given back is a buffer less for the camera, for ever.
            try:
                shot = _shot(request)
            finally:
                request.release()
            yield shot

    def _unopened(self, number: int, library: Any, error: Exception) -> UnavailableError:
        known = len(library.Picamera2.global_camera_info())
        if number >= known:
            return UnavailableError(
                f"{self.uri}: libcamera sees {known or 'no'} camera{'s'[: known != 1]}",
                hint="check the flat cable, then: rpicam-hello --list-cameras",
                code="picamera.missing",
            )
        return UnavailableError(
            f"{self.uri}: the camera does not open: {error}",
            hint="see who has it with: fuser -v /dev/media*",
            code="picamera.busy",
        )


def _import() -> tuple[Any, Any]:
    """Return picamera2 and libcamera, which come from the system's packages only."""
    try:
        import libcamera
        import picamera2
    except ImportError as error:
        raise LibraryMissing(
            f"picamera2 cannot be imported: {error}",
            hint="sudo apt install python3-picamera2, and an environment made with: python3 -m "
            "venv --system-site-packages",
            code="picamera.library",
        ) from error
    return picamera2, libcamera


def _small_stream(size: tuple[int, int], width: int) -> dict[str, Any] | None:
    """Return the configuration of the small stream: the main one's shape, even sides."""
    if not 0 < width < size[0]:
        return None
    height = round(width * size[1] / size[0])
    return {"format": "YUV420", "size": (width - width % 2, max(2, height - height % 2))}


def _controls(view: PicameraView, libcamera: Any) -> dict[str, Any]:
    """Return libcamera's controls; a frame's duration is given as least and most, in us."""
    duration_us = round(1e6 / view.fps)
    controls: dict[str, Any] = {"FrameDurationLimits": (duration_us, duration_us)}
    if view.af != "none":
        controls["AfMode"] = getattr(libcamera.controls.AfModeEnum, _AF_MODES[view.af])
    if view.lens >= 0:  # heeded with a manual focus only
        controls["AfMode"] = libcamera.controls.AfModeEnum.Manual
        controls["LensPosition"] = view.lens
    if view.exposure_us:
        controls["ExposureTime"] = view.exposure_us
    if view.gain:
        controls["AnalogueGain"] = view.gain
    if view.brightness:
        controls["Brightness"] = view.brightness
    return controls


def _shot(request: Any) -> Shot:
    """Copy a request's pictures; ``make_array`` drops the padding of RGB rows and copies."""
    image: NDArray[np.uint8] = request.make_array("main")
    small = None
    configuration = request.config.get("lores")
    if configuration is not None:
        small = _bgr(request.make_array("lores"), configuration["size"][0])
    return Shot(image, _monotonic_ns(request.get_metadata()["SensorTimestamp"]), small)


def _bgr(planes: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return uint8 ``[H, W, 3]``, BGR, of YUV420 planes whose rows are padded to a stride.

    Args:
        planes: uint8 ``[H * 3 / 2, stride]``: a plane of Y, then U and V with half the stride.
        width: without the padding.
    """
    padded = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
    return np.ascontiguousarray(padded[:, :width], np.uint8)


def _monotonic_ns(boottime_ns: int) -> int:
    """Return a time of CLOCK_BOOTTIME, which libcamera uses, in CLOCK_MONOTONIC.

    They differ by the time that the board was asleep.
    """
    asleep_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    return int(boottime_ns) - asleep_ns


def _read(uri: str) -> tuple[int, PicameraView]:
    place, view = split_uri(uri, "picamera", PicameraView)
    if not (place.isascii() and place.isdigit() and len(place) < 4 and int(place) <= _MAX_CAMERA):
        raise UsageError(
            f"{uri.partition('?')[0]}: {place!r} is no number of a camera",
            hint="write picamera://0",
            code="source.uri",
        )
    if not view.width:
        view = replace(view, width=1280, height=720)
    return int(place), replace(view, fps=view.fps or 30.0)
