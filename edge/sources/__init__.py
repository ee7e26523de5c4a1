"""Where frames come from: a URI, or a plain path taken for what it is."""

from __future__ import annotations

import os
import re
import stat

from edge.errors import DataError, MissingInput, UsageError
from edge.sources.base import Report, Source

__all__ = ["Source", "open_source"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_source(uri: str, *, report: Report | None = None) -> Source:
    """Open the source that a URI or a path names.

    ==================================  ============================================
    ``photo.jpg``                       one picture
    ``folder``, ``shots/*.png``         the pictures in it, sorted by name
    ``clip.mp4``                        a video file
    ``v4l2:///dev/video0``              a camera; ``/dev/video0`` is the same
    ``synthetic://?faces=2&masked=1``   drawn faces; see ``edge.sources.synthetic``
    ==================================  ============================================

    Args:
        report: called with every fault that the source steps over.

    Raises:
        UsageError: the scheme or one of its keys is unknown.
        MissingInput: the named file or folder is not there.
        DataError: it is there, and nothing in it can be used.
        UnavailableError: there is no such camera, or no right to open it.
    """
    if not uri or "\0" in uri:
        raise UsageError(f"{uri!r} names no source", hint="give a path or a URI", code="source.uri")
    scheme = _SCHEME.match(uri)
    if scheme is None:
        return _open_path(uri, report)
    if scheme[1] == "v4l2":
        from edge.sources.v4l2 import V4L2Source

        return V4L2Source(uri[scheme.end() :])
    if scheme[1] == "synthetic":
        from edge.sources.synthetic import SyntheticSource

        return SyntheticSource(uri)
    raise UsageError(
        f"{uri}: unknown scheme {scheme[1]!r}",
        hint="sources are a plain path, v4l2:///dev/videoN and synthetic://",
        code="source.scheme",
    )


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
    if stat.S_ISCHR(mode) and path.startswith("/dev/video"):
        from edge.sources.v4l2 import V4L2Source

        return V4L2Source(path)
    if not stat.S_ISREG(mode):
        raise DataError(
            f"{path}: neither a file nor a folder nor a camera",
            hint="name a picture, a folder, a video or /dev/videoN",
            code="source.kind",
        )
    if os.path.splitext(path)[1].lower() in video.SUFFIXES:
        return video.VideoSource(path, report=report)
    return image.ImageSource(path, report=report)
