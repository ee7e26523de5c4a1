"""Read the weights of an exported program: plain numbers in an archive, listed in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from edge.errors import DataError
from export.importers.program_graph import DTYPES
from export.importers.safety import MAX_BYTES, Archive, parse_json

__all__ = ["read_tensors"]


def read_tensors(archive: Archive, root: str, model: str, *, where: str) -> dict[str, Tensor]:
    """Return all weights, buffers and constants by their names; real ones as float32.

    Args:
        archive: the file.
        root: folder within it.
        model: name of the program within it.
        where: the file's name, for messages.

    Raises:
        DataError: a tensor is pickled, is no tensor, lies outside its bytes, is too large, or is
            not finite; it is named.
        KeyError, TypeError, ValueError: the lists are not what PyTorch writes.
    """
    if (order := archive.read(f"{root}byteorder")) != b"little":
        raise DataError(f"{where}: its byte order is {order[:10]!r}", code="source.format")
    tensors = {}
    for folder, kind in (("weights", "weights"), ("constants", "constants")):
        path = f"{root}data/{folder}/"
        listed = parse_json(archive.read(f"{path}{model}_{kind}_config.json"), where=where)
        for name, entry in listed["config"].items():
            tensors[name] = _tensor(archive, path, entry, f"{where}: {name}")
    return tensors


def _tensor(archive: Archive, path: str, entry: Mapping[str, Any], where: str) -> Tensor:
    meta = entry["tensor_meta"]
    if entry["use_pickle"] or meta is None:
        raise DataError(
            f"{where}: is stored as a pickle, which is code; nothing of it was run",
            hint="export the network with plain tensors",
            code="source.code",
        )
    dtype = DTYPES[meta["dtype"]]
    sizes, strides = ([int(n["as_int"]) for n in meta[key]] for key in ("sizes", "strides"))
    offset = int(meta["storage_offset"]["as_int"])
    stored = archive.read(path + entry["path_name"])
    count = 1
    for size in sizes:
        count *= size
    if min((*sizes, *strides, offset), default=0) < 0 or count * 4 > MAX_BYTES:
        raise DataError(f"{where}: has sizes {sizes}", code="source.damaged")
    if not count:
        return torch.empty(sizes, dtype=dtype)
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    if (last + 1) * dtype.itemsize > len(stored):
        raise DataError(f"{where}: lies outside its {len(stored)} bytes", code="source.damaged")
    flat = torch.frombuffer(bytearray(stored), dtype=dtype, count=len(stored) // dtype.itemsize)
    tensor = flat.as_strided(sizes, strides, offset).clone(memory_format=torch.contiguous_format)
    if not dtype.is_floating_point:
        return tensor
    if not torch.isfinite(tensor).all():
        raise DataError(f"{where}: holds values that are not finite", code="weights.finite")
    return tensor.float()
