"""Where frames come from: a URI, or a plain path taken for what it is."""

from __future__ import annotations

import importlib
import os
import re
import stat
from typing import TYPE_CHECKING, Protocol

from edge.errors import DataError, MissingInput, UsageError
from edge.query import shown
from edge.sources.base import Report, Source

if TYPE_CHECKING:
    from edge.sources.options import View

__all__ = ["CAMERAS", "Source", "check_camera", "device_of", "open_source"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
#: Scheme of a camera: its module in this package, and the class there.
CAMERAS = {
    "v4l2": ("v4l2", "V4L2Source"),
    "picamera": ("picamera", "PicameraSource"),
    "csi": ("csi", "CsiSource"),
    "rtsp": ("rtsp", "RtspSource"),
}


class _Kind(Protocol):
    """A class of ``edge.sources.camera.CameraSource``."""

    def __call__(self, uri: str) -> Source: ...

    def check(self, uri: str) -> View: ...

    def device(self, uri: str) -> str | None: ...


def open_source(uri: str, *, report: Report | None = None) -> Source:
    """Open the source that a URI or a path names.

    ==================================  ============================================
    ``photo.jpg``                       one picture
    ``folder``, ``shots/*.png``         the pictures in it, sorted by name
    ``clip.mp4``                        a video file
    ``file:///clip.mp4?loop=1&pace=1``  any of these, played as a camera would
    ``v4l2:///dev/video0``              a camera; ``/dev/video0`` is the same
    ``picamera://0``                    a camera of a Raspberry Pi
    ``csi://0``                         a CSI camera of a Jetson
    ``rtsp://user@host/path``           a camera in the network
    ``synthetic://?faces=2&masked=1``   drawn faces; see ``edge.sources.synthetic``
    ==================================  ============================================

    docs/cameras.md has the keys that may stand behind a ``?``.

    Args:
        report: called with every fault that the source steps over.

    Raises:
        UsageError: the scheme or one of its keys is unknown.
        MissingInput: the named file or folder is not there.
        DataError: it is there, and nothing in it can be used.
        UnavailableError: there is no such camera, or no right to open it.
        TransientError: the camera is busy, or does not answer.
    """
    if not uri or "\0" in uri:
        raise UsageError(f"{uri!r} names no source", hint="give a path or a URI", code="source.uri")
    camera = _camera(uri)
    if camera is not None:
        kind, full = camera
        return kind(full)
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return _open_path(uri, report)
    if scheme[1] == "synthetic":
        from edge.sources.synthetic import SyntheticSource

        return SyntheticSource(uri)
    if scheme[1] == "file":
        from edge.sources.looped import LoopedSource

        return LoopedSource(uri, _open_path, report)
    raise UsageError(
        f"{shown(uri)}: unknown scheme {scheme[1]!r}",
        hint="sources are a plain path, " + ", ".join(f"{name}://" for name in _schemes()),
        code="source.scheme",
    )


def check_camera(uri: str) -> View | None:
    """Read a camera's URI without opening anything.

    Returns:
        What is asked of the camera; None where the URI names something else.

    Raises:
        UsageError: one of its keys is unknown, or its value is not allowed.
    """
    camera = _camera(uri)
    return None if camera is None else camera[0].check(camera[1])


def device_of(uri: str) -> str | None:
    """Return the device file that comes and goes with a camera; None where there is none."""
    camera = _camera(uri)
    return None if camera is None else camera[0].device(camera[1])


def _camera(uri: str) -> tuple[_Kind, str] | None:
    """Return a camera's class and its URI with a scheme."""
    if re.match(r"/dev/video[0-9]", uri):
        uri = f"v4l2://{uri}"
    scheme = _SCHEME.match(uri)
    if scheme is None or scheme[1] not in CAMERAS:
        return None
    module, name = CAMERAS[scheme[1]]
    kind: _Kind = getattr(importlib.import_module(f"edge.sources.{module}"), name)
    return kind, uri


def _schemes() -> list[str]:
    return [*CAMERAS, "file", "synthetic"]


def _open_path(path: str, report: Report | None) -> Source:
    """Choose by what lies at the path; a pattern counts only where no file has that very name."""
    from edge.sources import folder, image, video

    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError) and folder.is_pattern(path):
            return folder.FolderSource(path, report=report)
        raise MissingInput(
            f"{path}: {(error.strerror or str(error)).lower()}",
            hint="check the path and its permissions",
            code="source.missing",
        ) from error
    if stat.S_ISDIR(mode):
        return folder.FolderSource(path, report=report)
    if not stat.S_ISREG(mode):
        raise DataError(
            f"{path}: neither a file nor a folder nor a camera",
            hint="name a picture, a folder, a video or /dev/videoN",
            code="source.kind",
        )
    if os.path.splitext(path)[1].lower() in video.SUFFIXES:
        return video.VideoSource(path, report=report)
    return image.ImageSource(path, report=report)
