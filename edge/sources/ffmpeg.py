"""Open something with OpenCV's FFmpeg, held to the protocols that belong to it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence

import cv2

__all__ = ["open_ffmpeg"]

_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
#: The variable is the process's, so one opening at a time.
_LOCK = threading.Lock()


def open_ffmpeg(
    place: str, options: Mapping[str, str], properties: Sequence[int] = ()
) -> cv2.VideoCapture:
    """Open a file or an address.

    OpenCV takes FFmpeg's options from an environment variable when it opens something and has no
    argument for them, so they are there for that moment only.

    Args:
        place: absolute path or address.
        options: of FFmpeg, such as ``protocol_whitelist``: without it, a playlist in a file may
            have FFmpeg ask any server for anything.
        properties: pairs of a ``cv2.CAP_PROP_`` and its value.
    """
    with _LOCK:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = "|".join(f"{key};{value}" for key, value in options.items())
        try:
            return cv2.VideoCapture(place, cv2.CAP_FFMPEG, list(properties))
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
