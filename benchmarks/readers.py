"""Read the files of a data pack; they are hostile input until read."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingInput

__all__ = ["MAX_FILE_BYTES", "Row", "read_arrays", "read_file", "read_table"]

#: No file of a pack, and no array in one, is larger than this; a bound on hostile input.
MAX_FILE_BYTES = 2 * 1024**3

Row = dict[str, str]


def read_file(path: Path, limit: int) -> bytes:
    """Read one whole file.

    Raises:
        MissingInput: it cannot be opened.
        DataError: it is larger than ``limit`` bytes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise MissingInput(
            f"{path}: {error.strerror or 'cannot be read'}", code="pack.missing"
        ) from error
    if len(content) > limit:
        raise DataError(f"{path}: larger than {limit} bytes", code="pack.size")
    return content


def read_table(path: Path, *needed: str) -> list[Row]:
    """Read a CSV file, one dict a row; the columns ``needed`` must be there.

    Raises:
        MissingInput: it cannot be opened.
        DataError: it is no CSV file, or a row does not fit the header.
    """
    text = read_file(path, MAX_FILE_BYTES)
    try:
        rows = list(csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: no CSV file: {error}", code="pack.table") from error
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values() or any(key not in row for key in needed):
            raise DataError(f"{path}: row {number} does not fit the header", code="pack.table")
    return rows


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an ``.npz`` file; nothing is unpickled, sizes are checked first."""
    content = read_file(path, MAX_FILE_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_FILE_BYTES:
                raise ValueError("larger than its bound")
            return {
                member.filename.removesuffix(".npy"): _parse_array(archive.read(member))
                for member in archive.infolist()
            }
    except (ValueError, EOFError, OSError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: damaged: {error}", code="pack.damaged") from error


def _parse_array(content: bytes) -> NDArray[Any]:
    """Parse one ``.npy`` file in memory; the array is a read-only view of ``content``.

    ``np.load`` allocates what the header claims before it reads; this one looks first.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"unknown array format {version}")
    if dtype.hasobject:
        raise ValueError("an array holds Python objects")
    count = int(np.prod(shape, dtype=object))
    if count < 0 or count * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"an array claims shape {list(shape)} and has another size")
    array = np.frombuffer(content, dtype, count, stream.tell())
    return array.reshape(shape, order="F" if fortran else "C")
