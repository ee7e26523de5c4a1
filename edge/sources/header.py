"""The size of a picture, read from its first bytes before anything is decoded.

A decoder allocates what a header claims. This module reads that claim by itself, so that a file of
a hundred bytes that claims a hundred gigapixels is refused before it costs a byte.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["SUFFIXES", "PictureHeader", "read_header"]

#: File name endings that a folder is searched for.
SUFFIXES = frozenset(
    ".bmp .dib .gif .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()
)


class PictureHeader(NamedTuple):
    """What the first bytes of a picture claim.

    Attributes:
        kind: ``bmp``, ``gif``, ``jpeg``, ``png``, ``pnm``, ``tiff`` or ``webp``.
        width, height: in pixels, as stored (an EXIF orientation may still turn the picture).
    """

    kind: str
    width: int
    height: int


def read_header(content: bytes) -> PictureHeader | None:
    """Read kind and size of a picture.

    Args:
        content: the whole file, or as much as there is of it.

    Returns:
        None when this is no picture of a kind that is known here, or breaks off in its header.
    """
    for magic, kind, read in _KINDS:
        if content.startswith(magic):
            try:
                size = read(content)
            except (struct.error, IndexError, ValueError):
                return None
            return None if size is None else PictureHeader(kind, *size)
    return None


_Size = tuple[int, int]


def _png(content: bytes) -> _Size | None:
    if content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _jpeg(content: bytes) -> _Size | None:
    """Walk the marker segments to the frame header (ITU T.81, B.1.1 and B.2.2)."""
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a length
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        elif marker in (0xD9, 0xDA):  # the picture's end, or its data, before its size
            return None
        else:
            at += 2 + max(2, struct.unpack_from(">H", content, at + 2)[0])
    return None


def _webp(content: bytes) -> _Size | None:
    """Read the first chunk (RFC 9649, section 2)."""
    if content[8:12] != b"WEBP":
        return None
    chunk = content[12:16]
    if chunk == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        height = int.from_bytes(content[27:30], "little") + 1
        return (width, height) if len(content) >= 30 else None
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _bmp(content: bytes) -> _Size | None:
    (length,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", content, 18)
    return width, abs(height)


def _gif(content: bytes) -> _Size | None:
    width, height = struct.unpack_from("<HH", content, 6)
    return width, height


def _tiff(content: bytes) -> _Size | None:
    """Read ImageWidth and ImageLength from the first directory (TIFF 6.0, section 2)."""
    order = "<" if content[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content, directory)
    found: dict[int, int] = {}
    for i in range(count):
        at = directory + 2 + 12 * i
        tag, kind = struct.unpack_from(order + "HH", content, at)
        if tag in (256, 257) and kind in (3, 4):
            (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), content, at + 8)
    return (found[256], found[257]) if len(found) == 2 else None


def _pnm(content: bytes) -> _Size | None:
    """Read the first numbers of the header; ``#`` starts a comment (netpbm, pnm(5))."""
    if content[2:3] not in (b" ", b"\t", b"\r", b"\n", b"#"):
        return None
    lines = (line.partition(b"#")[0] for line in content[2:4096].split(b"\n"))
    words = b" ".join(lines).split(maxsplit=2)
    return int(words[0]), int(words[1])


_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "png", _png),
    (b"\xff\xd8\xff", "jpeg", _jpeg),
    (b"RIFF", "webp", _webp),
    (b"BM", "bmp", _bmp),
    (b"GIF8", "gif", _gif),
    (b"II*\x00", "tiff", _tiff),
    (b"MM\x00*", "tiff", _tiff),
    *((b"P%d" % n, "pnm", _pnm) for n in range(1, 7)),
)
