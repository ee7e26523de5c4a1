"""Stand-in for picamera2: what edge/sources/picamera.py uses of it, with the rules of 0.3.38.

Its rules were read in picamera2.py, request.py, controls.py and formats.py of that version: a
camera is opened once a process, configured before it is started, and refuses what
check_stream_config and Controls refuse; a request that is not released is a buffer less; nothing
works after close.

What this camera does is written in the file that the environment variable STAND_IN_CAMERA names,
and read again at every call:

``well``, ``unplugged`` (no such camera), ``busy``, ``silent`` (no frame comes), ``hang`` (a call
never returns), ``die`` (the process ends), ``nonsense`` (bytes on the process's own socket),
``other`` (a USB camera that gives YUYV), ``shaken`` (libcamera's configure fails), ``full`` (the
kernel has no memory for its pictures), and ``broken`` (an error that nobody expects).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import libcamera
import numpy as np
from scene import scene

RGB_FORMATS = {"BGR888", "RGB888", "XBGR8888", "XRGB8888", "RGB161616", "BGR161616"}
YUV_FORMATS = {"NV21", "NV12", "YUV420", "YVU420", "YVYU", "YUYV", "UYVY", "VYUY"}
ADVERTISED = {
    *("FrameDurationLimits", "ExposureTime", "AnalogueGain", "Brightness", "NoiseReductionMode"),
    *("AfMode", "LensPosition"),
}
_STREAM_KEYS = ("format", "size", "stride", "preserve_ar")
_ALIGN = 64
_open: set[int] = set()


def _mood() -> str:
    path = os.environ.get("STAND_IN_CAMERA")
    return Path(path).read_text().strip() if path else "well"


def _act(mood: str) -> None:
    if mood == "hang":
        time.sleep(3600)
    if mood == "die":
        os._exit(3)
    if mood == "nonsense":
        link = socket.socket(fileno=os.dup(int(sys.argv[1])))
        link.send(b"\x03what is this")
        link.close()


class Picamera2:
    def __init__(
        self,
        camera_num: int = 0,
        verbose_console: Any = None,
        tuning: Any = None,
        allocator: Any = None,
    ) -> None:
        mood = _mood()
        _act(mood)
        if camera_num >= len(self.global_camera_info()):
            raise RuntimeError(f"No camera number {camera_num} found")
        if mood == "broken":
            raise AttributeError("of a library that changed")
        if mood == "busy" or camera_num in _open:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        _open.add(camera_num)
        self._number = camera_num
        self.is_open = True
        self.started = False
        self.released = 0
        self.given = 0
        self._config: dict[str, Any] = {}
        self._last_ns = 0

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return [] if _mood() == "unplugged" else [{"Num": 0, "Id": "/base/soc/i2c0mux/imx708"}]

    def create_video_configuration(
        self,
        main: dict[str, Any] = {},  # noqa: B006 - its signature
        lores: dict[str, Any] | None = None,
        raw: dict[str, Any] | None = {},  # noqa: B006
        transform: libcamera.Transform = libcamera.Transform(),  # noqa: B008
        colour_space: libcamera.ColorSpace | None = None,
        buffer_count: int = 6,
        controls: dict[str, Any] = {},  # noqa: B006
        display: str | None = "main",
        encode: str | None = "main",
        queue: bool = True,
        sensor: dict[str, Any] | None = {},  # noqa: B006
        use_case: str = "video",
    ) -> dict[str, Any]:
        self._must_be_open()
        for stream in (main, lores or {}, raw or {}):
            for key in stream:
                if key not in _STREAM_KEYS:
                    raise ValueError(f"Bad key {key!r}")
        main = {"format": "XBGR8888", "size": (1280, 720), "preserve_ar": True, **main}
        if lores is not None:
            lores = {"format": "YUV420", "size": main["size"], "preserve_ar": False, **lores}
        for stream in filter(None, (main, lores)):
            width, height = stream["size"]
            stream["size"] = (width - width % 2, height - height % 2)
        return {
            "transform": transform,
            "colour_space": colour_space,
            "buffer_count": buffer_count,
            "queue": queue,
            "main": main,
            "lores": lores,
            "raw": raw,
            "controls": {"FrameDurationLimits": (33333, 33333), **controls},
            "display": display,
            "encode": encode,
        }

    def configure(self, camera_config: dict[str, Any]) -> None:
        self._must_be_open()
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        if not isinstance(camera_config["transform"], libcamera.Transform):
            raise RuntimeError("Transform has incorrect type")
        if not isinstance(camera_config["colour_space"], libcamera.ColorSpace):
            raise RuntimeError("Colour space has incorrect type")
        _check_stream(camera_config["main"], "main")
        if camera_config["lores"] is not None:
            _check_stream(camera_config["lores"], "lores")
            if camera_config["lores"]["format"] not in YUV_FORMATS:
                raise RuntimeError("lores stream must be YUV")
            pairs = zip(camera_config["lores"]["size"], camera_config["main"]["size"], strict=True)
            if any(small > large for small, large in pairs):
                raise RuntimeError("lores stream dimensions may not exceed main stream")
        for name, value in camera_config["controls"].items():
            if name not in ADVERTISED:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
            if name == "FrameDurationLimits" and not all(type(part) is int for part in value):
                raise TypeError("microseconds are whole")
        if _mood() == "shaken":
            raise RuntimeError(f"Configuration failed: {camera_config}")
        if _mood() == "full":  # of dma_heap.py: ioctl(2)
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        if _mood() == "other":
            camera_config["main"]["format"] = "YUYV"
        for stream in filter(None, (camera_config["main"], camera_config["lores"])):
            row = stream["size"][0] * (3 if stream["format"] == "RGB888" else 1)
            stream["stride"] = -(-row // _ALIGN) * _ALIGN
        self._config = camera_config

    def camera_configuration(self) -> dict[str, Any]:
        return self._config

    def start(self, config: Any = None, show_preview: Any = False) -> None:
        self._must_be_open()
        if not self._config:
            raise RuntimeError("Camera has not been configured")
        self.started = True

    def capture_request(
        self, wait: Any = None, signal_function: Any = None, flush: Any = None
    ) -> CompletedRequest:
        self._must_be_open()
        if not self.started:
            raise RuntimeError("Camera has not been started")
        mood = _mood()
        _act(mood)
        if mood in ("silent", "unplugged") or self.given - self.released >= self.buffers:
            time.sleep(min(wait, 0.005))  # a test has no time for the rest
            raise TimeoutError
        least_us = self._config["controls"]["FrameDurationLimits"][0]
        due_ns = self._last_ns + 1000 * least_us
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        self._last_ns = time.monotonic_ns()
        self.given += 1
        return CompletedRequest(self)

    @property
    def buffers(self) -> int:
        return int(self._config["buffer_count"])

    def cancel_all_and_flush(self) -> None:
        pass

    def stop(self) -> None:
        self.started = False

    def close(self) -> None:
        if self.is_open:
            self.stop()
            self.is_open = False
            _open.discard(self._number)

    def _must_be_open(self) -> None:
        if not self.is_open:
            raise RuntimeError("Camera not opened")


class CompletedRequest:
    def __init__(self, camera: Picamera2) -> None:
        self._camera = camera
        self.config = camera.camera_configuration().copy()
        self._ref_count = 1

    def make_array(self, name: str) -> np.ndarray:
        if self._ref_count != 1 or self.config.get(name) is None:
            raise RuntimeError(f"Stream {name!r} is not defined")
        stream = self.config[name]
        width, height = stream["size"]
        image = scene(width, height)
        transform = self.config["transform"]
        image = image[:, ::-1] if transform.hflip else image
        image = image[::-1] if transform.vflip else image
        if stream["format"] == "RGB888":
            return np.ascontiguousarray(image)  # the padding is sliced off
        return _planes(image, stream["stride"])  # the padding stays

    def get_metadata(self) -> dict[str, Any]:
        if self._ref_count != 1:
            raise RuntimeError("released")
        return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 12_000_000}

    def release(self) -> None:
        self._ref_count -= 1
        if self._ref_count < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self._camera.released += 1
        self.config = {}


def _planes(image: np.ndarray, stride: int) -> np.ndarray:
    """YUV420 with padded rows: [H * 3 / 2, stride]; what lies in the padding is anything."""
    height, width = image.shape[:2]
    flat = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2YUV_I420).reshape(-1)
    area = width * height
    out = np.full((height * 3 // 2, stride), 99, np.uint8)
    out[:height, :width] = flat[:area].reshape(height, width)
    chroma = out.reshape(-1)[height * stride :].reshape(height, stride // 2)
    chroma[:, : width // 2] = flat[area:].reshape(height, width // 2)
    return out


def _check_stream(stream: dict[str, Any], name: str) -> None:
    if stream["format"] not in RGB_FORMATS | YUV_FORMATS:
        raise RuntimeError(f"Bad format {stream['format']} in stream {name}")
    size = stream["size"]
    if type(size) is not tuple or len(size) != 2:
        raise RuntimeError(f"size in {name} stream should be (width, height)")
    if size[0] % 2 or size[1] % 2:
        raise RuntimeError("width and height should be even")
