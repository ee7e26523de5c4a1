"""A real RTSP camera for tests, which can hang and lose its power."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from tests.edge.stand_ins.scene import scene

__all__ = ["Camera", "free_port", "serving"]

_PYTHON = "/usr/bin/python3"
_SERVER = Path(__file__).parent / "stand_ins" / "rtsp_server.py"
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0')"
_HINT = (
    "sudo apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base "
    "gstreamer1.0-plugins-good"
)


class Camera:
    """A server on a port of its own that shows the scene.

    Args:
        folder: for the picture.
        port: to listen on, at 127.0.0.1.
        login: ``user:password``, or nothing.
    """

    def __init__(self, folder: Path, port: int, login: str = "", size: tuple[int, int] = (96, 64)):
        if not shutil.which(_PYTHON) or subprocess.run([_PYTHON, "-c", _PROBE]).returncode:
            pytest.skip(f"no RTSP server on this machine: {_HINT}")
        picture = folder / "scene.png"
        cv2.imwrite(str(picture), scene(*size))
        self._process = subprocess.Popen(
            [_PYTHON, str(_SERVER), str(port), str(picture), *filter(None, [login])],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            self.lose_power()
            pytest.skip(f"the RTSP server does not start: {_HINT}")

    def lose_power(self) -> None:
        self._process.kill()
        self._process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Give the address of a camera."""
    port = free_port()
    camera = Camera(folder, port)
    try:
        yield f"127.0.0.1:{port}/cam"
    finally:
        camera.lose_power()
