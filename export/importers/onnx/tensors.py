"""Turn stored ONNX tensors into arrays; sizes are checked before anything is allocated."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from export.importers.safety import MAX_BYTES

if TYPE_CHECKING:
    from onnx import TensorProto

__all__ = ["FLOATS", "TensorReader"]

_MAX_RANK = 16
#: TensorProto.DataType (onnx.proto): how the raw bytes read, and the field that holds the numbers
#: otherwise. Half precisions are stored as the bits of an unsigned integer.
_TYPES: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_data"), 2: ("<u1", "int32_data"), 3: ("<i1", "int32_data"),
    4: ("<u2", "int32_data"), 5: ("<i2", "int32_data"), 6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"), 9: ("|b1", "int32_data"), 10: ("<u2", "int32_data"),
    11: ("<f8", "double_data"), 12: ("<u4", "uint64_data"), 13: ("<u8", "uint64_data"),
    16: ("<u2", "int32_data"),
}  # fmt: skip
_HALF, _BFLOAT = 10, 16
#: Types that are read as float32: single, half, double, bfloat16.
FLOATS = (1, _HALF, 11, _BFLOAT)
_EXTERNAL = 1


class TensorReader:
    """Read the tensors of one file.

    Args:
        path: of the ONNX file; external data may lie in its folder and below, nowhere else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._external_left = MAX_BYTES

    def read(self, proto: TensorProto, name: str) -> NDArray[Any]:
        """Return one tensor: float32 for every kind of float, int64 for integers, or bool.

        Args:
            proto: as the file has it.
            name: for messages.

        Raises:
            DataError: type, size or place of the numbers do not fit, or a float is not a number;
                infinity is taken in a single value, which may be the bound of a Clip.
        """
        if proto.data_type not in _TYPES:
            self._refuse(
                name, f"has data type {proto.data_type}, which is not read", "source.dtype"
            )
        dtype, field = np.dtype(_TYPES[proto.data_type][0]), _TYPES[proto.data_type][1]
        shape = tuple(int(n) for n in proto.dims)
        if len(shape) > _MAX_RANK or any(n < 0 for n in shape):
            self._refuse(name, f"has shape {list(shape)[:_MAX_RANK]}", "source.size")
        size = math.prod(shape)
        if size * dtype.itemsize > MAX_BYTES:
            self._refuse(
                name, f"of shape {list(shape)} is larger than {MAX_BYTES} bytes", "source.size"
            )
        if proto.data_location == _EXTERNAL:
            flat = np.frombuffer(self._external(proto, name, size * dtype.itemsize), dtype)
        elif proto.HasField("raw_data"):
            if len(proto.raw_data) != size * dtype.itemsize:
                self._refuse(
                    name, f"of shape {list(shape)} has {len(proto.raw_data)} bytes", "source.size"
                )
            flat = np.frombuffer(proto.raw_data, dtype)
        else:
            flat = self._listed(getattr(proto, field), dtype, name)
        if flat.size != size:
            self._refuse(name, f"of shape {list(shape)} has {flat.size} numbers", "source.size")
        return self._plain(flat, proto.data_type, name).reshape(shape)

    def _listed(self, values: Any, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
        try:
            if dtype.kind == "f":
                return np.asarray(values, dtype)
            return np.asarray(values, np.int64 if dtype.kind != "u" else np.uint64).astype(dtype)
        except (OverflowError, ValueError) as error:
            raise DataError(
                f"{self._path}: tensor {name!r} holds numbers that its type cannot",
                code="source.dtype",
            ) from error

    def _plain(self, flat: NDArray[Any], kind: int, name: str) -> NDArray[Any]:
        if kind not in FLOATS:
            return flat.copy() if flat.dtype == np.bool_ else flat.astype(np.int64)
        if kind == _HALF:
            flat = flat.view(np.float16)
        elif kind == _BFLOAT:
            # The upper half of a float32's bits.
            flat = (flat.astype(np.uint32) << np.uint32(16)).view(np.float32)
        real: NDArray[np.float32]
        with np.errstate(over="ignore"):
            real = flat.astype(np.float32)
        if np.isnan(real).any() or (real.size > 1 and not np.isfinite(real).all()):
            self._refuse(name, "holds values that are not finite", "source.damaged")
        return real

    def _external(self, proto: TensorProto, name: str, wanted: int) -> bytes:
        """Read the bytes of a tensor that lies in another file."""
        entries = {entry.key: entry.value for entry in proto.external_data}
        location, offset = entries.get("location", ""), entries.get("offset", "0")
        length = entries.get("length", str(wanted))
        if not (offset.isdecimal() and length.isdecimal() and len(offset + length) < 40):
            self._refuse(name, f"has offset {offset!r} and length {length!r}", "source.outside")
        if int(length) != wanted:
            self._refuse(
                name, f"needs {wanted} bytes and its external data has {length}", "source.size"
            )
        if wanted > self._external_left:
            self._refuse(
                name, f"and others need more than {MAX_BYTES} external bytes", "source.size"
            )
        self._external_left -= wanted
        content = self._read_inside(location, name, int(offset), wanted)
        if len(content) != wanted:
            self._refuse(
                name, f"needs bytes {offset} to {int(offset) + wanted} of {location!r}, which is "
                "shorter", "source.size",
            )  # fmt: skip
        return content

    def _read_inside(self, location: str, name: str, offset: int, wanted: int) -> bytes:
        """Read part of a regular file that lies in the model's folder, links followed."""
        parts = PurePosixPath(location).parts
        plain = bool(parts) and not location.startswith("/") and ".." not in parts
        if not plain or any(c in location for c in "\\:\0"):
            self._refuse(
                name, f"has its data in {location!r}, no plain relative name", "source.outside"
            )
        folder = self._path.parent.resolve()
        try:
            target = folder.joinpath(*parts).resolve(strict=True)
            if not target.is_relative_to(folder):
                self._refuse(
                    name, f"has its data in {location!r}, outside the folder", "source.outside"
                )
            # A pipe or a device would block or never end.
            handle = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            with open(handle, "rb") as file:
                facts = os.fstat(handle)
                if not stat.S_ISREG(facts.st_mode) or offset + wanted > facts.st_size:
                    return b""
                file.seek(offset)
                return file.read(wanted)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{self._path}: tensor {name!r}: its data {location!r} cannot be read: {error}",
                hint="put the file with the external data beside the model",
                code="source.missing",
            ) from error

    def _refuse(self, name: str, what: str, code: str) -> None:
        raise DataError(f"{self._path}: tensor {name!r} {what}", code=code)
