"""One picture: read bounded, checked before it is decoded."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingInput
from edge.frames import MAX_SIDE_PX, Frame
from edge.sources.base import Source
from edge.sources.header import read_header

__all__ = ["MAX_FILE_BYTES", "MAX_PIXELS", "ImageSource", "read_picture"]

#: Most pixels of a picture; 12,000 x 12,000 fits.
MAX_PIXELS = 160_000_000
#: Largest file that is read: so many pixels, uncompressed, and a header.
MAX_FILE_BYTES = 3 * MAX_PIXELS + 65536


class ImageSource(Source):
    """One picture file."""

    total = 1

    def _frames(self) -> Iterator[Frame]:
        """Give the one frame.

        Raises:
            MissingInput: there is no such file, or it may not be read.
            DataError: it is no picture, is cut short, or is too large.
        """
        image = read_picture(self.uri)
        yield Frame(image=image, index=0, captured_ns=time.monotonic_ns(), source=self.uri)


def read_picture(path: str) -> NDArray[np.uint8]:
    """Read a picture file as a frame's pixels.

    Grey becomes BGR, an alpha channel is dropped, 16 bits become 8, the orientation that EXIF
    names is applied; OpenCV does all of it while decoding, at three bytes a pixel.

    Args:
        path: a PNG, JPEG, WebP, BMP, TIFF, GIF (first picture) or PNM file.

    Returns:
        uint8 ``[H, W, 3]``, BGR, contiguous.

    Raises:
        MissingInput: there is no such file, or it may not be read.
        DataError: it is no picture, is cut short, or is too large.
    """
    content = _read_bounded(path)
    if not content:
        raise DataError(f"{path}: the file is empty", hint="copy it again", code="picture.empty")
    header = read_header(content)
    if header is None:
        raise DataError(
            f"{path}: not a picture of a known kind, or cut short in its header",
            hint="give a PNG, JPEG, WebP, BMP, TIFF, GIF or PNM file",
            code="picture.kind",
        )
    width, height = header.width, header.height
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX) or width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: claims {width} x {height} pixels; at most {MAX_SIDE_PX} a side and "
            f"{MAX_PIXELS // 1_000_000} million in all are read",
            hint="make it smaller",
            code="picture.size",
        )
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise DataError(
            f"{path}: the {header.kind} picture is cut short or damaged",
            hint="copy it again or save it anew from the original",
            code="picture.damaged",
        )
    return np.ascontiguousarray(image, np.uint8)


def _read_bounded(path: str) -> bytes:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DataError(
                    f"{path}: is no regular file", hint="name a picture", code="picture.file"
                )
            if status.st_size > MAX_FILE_BYTES:
                raise DataError(
                    f"{path}: {status.st_size / 2**20:.0f} MiB; pictures up to "
                    f"{MAX_FILE_BYTES / 2**20:.0f} MiB are read",
                    hint="make it smaller",
                    code="picture.size",
                )
            return file.read(MAX_FILE_BYTES + 1)[:MAX_FILE_BYTES]
    except OSError as error:
        raise MissingInput(
            f"{path}: {(error.strerror or str(error)).lower()}",
            hint="check the path and its permissions",
            code="picture.open",
        ) from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a named pipe, too, without waiting for somebody who writes into it."""
    return os.open(path, flags | os.O_NONBLOCK)
