"""Annotated pictures, each whole or not at all."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import cv2

from edge.draw import annotate
from edge.errors import OutputError
from edge.files import write_whole
from edge.frames import Frame
from edge.results import FrameResult
from edge.settings import setting
from edge.sinks.base import Sink, not_written
from edge.sinks.numbered import Numbered, remove_torn
from edge.sources.header import SUFFIXES

__all__ = ["ImagesOptions", "ImagesSink", "SnapshotsSink"]

_QUALITY = [
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    # Thin coloured lines and letters blur where colour is stored at half the resolution.
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]
_SHOT = re.compile(r"shot-([0-9]{6,12})-frame-[0-9]{6,12}\.jpg")
#: What ``edge.files.write_whole`` leaves when the process is killed in it.
_TORN = re.compile(r"\.[0-9a-f]{16}\.part")


@dataclass(frozen=True, slots=True)
class ImagesOptions:
    """What may stand behind the ``?`` of ``images:FOLDER``; all of it is for a live source."""

    every_s: float = setting(1.0, "seconds from a picture to the next; 0: every frame", low=0)
    keep: int = setting(1000, "how many pictures stay, the newest", low=1, high=1_000_000)


class ImagesSink(Sink):
    """JPEG files of every frame of a source with an end, in a folder that is made if missing.

    A picture keeps its name: ``anna.png`` becomes ``anna.jpg``. A frame of a video gets a number:
    ``clip-000012.jpg``, ``frame-000012.jpg``.

    Raises:
        OutputError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._used: set[str] = set()
        _make_folder(folder)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one picture.

        Raises:
            OutputError: it cannot be written, or would lie among the pictures that are read.
        """
        _refuse_own_input(self._folder, frame)
        _write_picture(os.path.join(self._folder, self._name(frame)), frame, result)

    def close(self) -> None:
        """Do nothing: every picture is whole already."""

    def _name(self, frame: Frame) -> str:
        """Choose a name that was not used yet; two inputs of one name get -2, -3."""
        stem, suffix = os.path.splitext(os.path.basename(frame.source))
        if "://" in frame.source or not stem:
            stem = f"frame-{frame.index:06d}"
        elif suffix.lower() not in SUFFIXES:
            stem = f"{stem}-{frame.index:06d}"
        name, number = stem, 2
        while name in self._used:
            name, number = f"{stem}-{number}", number + 1
        if suffix.lower() in SUFFIXES:  # numbered frames differ by themselves
            self._used.add(name)
        return f"{name}.jpg"


class SnapshotsSink(Sink):
    """JPEG files of a live source, now and then; the newest are kept.

    ``shot-000123-frame-004567.jpg``: the first number goes on from run to run, the second is the
    frame's in its run. Files of other names in the folder are never touched.

    Args:
        folder: is made if it is missing.
        options: how often, and how many stay.

    Raises:
        OutputError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str, options: ImagesOptions) -> None:
        self._folder = folder
        self._every_ns = int(options.every_s * 1e9)
        self._due_ns: int | None = None
        _make_folder(folder)
        try:
            remove_torn(folder, _TORN)
            self._shots = Numbered(folder, _SHOT, keep=options.keep)
        except OSError as error:
            raise not_written(folder, error) from error

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write a picture when it is time for one.

        Raises:
            OutputError: it cannot be written, or would lie among the pictures that are read.
        """
        if self._due_ns is not None and frame.captured_ns < self._due_ns:
            return
        _refuse_own_input(self._folder, frame)
        name = f"shot-{self._shots.next:06d}-frame-{frame.index:06d}.jpg"
        _write_picture(os.path.join(self._folder, name), frame, result)
        self._due_ns = frame.captured_ns + self._every_ns
        try:
            self._shots.add(name)
        except OSError as error:
            raise not_written(self._folder, error) from error

    def close(self) -> None:
        """Do nothing: every picture is whole already."""


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise not_written(folder)


def _refuse_own_input(folder: str, frame: Frame) -> None:
    if not (os.path.isfile(frame.source) and os.path.isdir(folder)):
        return  # no file; or a folder that has gone, which the write says better
    if os.path.samefile(os.path.dirname(frame.source) or ".", folder):
        raise OutputError(
            f"images:{folder}: is the folder that the pictures are read from",
            hint="name another folder, so that none of them is overwritten",
            code="sink.own_input",
        )


def _write_picture(path: str, frame: Frame, result: FrameResult) -> None:
    written, content = cv2.imencode(".jpg", annotate(frame, result), _QUALITY)
    if not written:
        raise not_written(path)
    write_whole(path, content.tobytes())
