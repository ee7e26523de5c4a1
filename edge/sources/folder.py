"""The pictures of a folder, or those that a pattern names, sorted by name."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator

from edge.errors import DataError, EdgeError, MissingInput
from edge.frames import Frame
from edge.sources.base import Report, Source
from edge.sources.header import SUFFIXES
from edge.sources.image import read_picture

__all__ = ["FolderSource", "is_pattern"]


class FolderSource(Source):
    """Pictures in the order of their names.

    Files whose name does not end like a picture's are passed over in silence. One that should be
    a picture and cannot be read is reported, and the rest go on; its number is left out.

    Args:
        uri: a folder (its own files, not those of folders inside), or a pattern as the shell
            knows it: ``shots/*.jpg``, ``shots/**/*.png``.

    Raises:
        MissingInput: nothing matches the pattern, or the folder may not be read.
        DataError: there is no picture in it.
    """

    fps = 2.0

    def __init__(self, uri: str, *, report: Report | None = None) -> None:
        super().__init__(uri, report=report)
        self._paths = _pictures(uri)
        self.total = len(self._paths)

    def _frames(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            try:
                image = read_picture(path)
            except EdgeError as fault:
                self.skip(fault)
                continue
            yield Frame(image=image, index=index, captured_ns=time.monotonic_ns(), source=path)


def is_pattern(path: str) -> bool:
    """Tell whether a path has one of the shell's wildcards."""
    return glob.has_magic(path)


def _pictures(uri: str) -> list[str]:
    try:
        if os.path.isdir(uri):
            paths = [os.path.join(uri, name) for name in os.listdir(uri)]
        else:
            paths = glob.glob(uri, recursive=True)
    except OSError as error:
        raise MissingInput(
            f"{uri}: {(error.strerror or str(error)).lower()}",
            hint="check the folder's permissions",
            code="source.folder",
        ) from error
    if not paths and not os.path.isdir(uri):
        raise MissingInput(
            f"{uri}: no file matches", hint="check the pattern", code="source.pattern"
        )
    found = sorted(
        path
        for path in paths
        if os.path.splitext(path)[1].lower() in SUFFIXES and os.path.isfile(path)
    )
    if not found:
        raise DataError(
            f"{uri}: no picture among {len(paths)} entries",
            hint=f"pictures end in {' '.join(sorted(SUFFIXES))}",
            code="source.no_pictures",
        )
    return found
