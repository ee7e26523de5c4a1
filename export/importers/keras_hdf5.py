"""Vet an HDF5 file before Keras reads weights from it."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import DataError, UnavailableError
from export.importers.safety import MAX_BYTES

if TYPE_CHECKING:
    import h5py

__all__ = ["check_hdf5"]

#: Deflate, shuffle and Fletcher's checksum; any other is a plug-in that HDF5 would load.
_FILTERS = (1, 2, 3)
_MAX_OBJECTS = 100_000
#: For starting Python and the library on a busy machine, and for reading packed numbers.
_SECONDS, _BYTES_A_SECOND = 30.0, 5e6
#: Not part of the network.
_TRAINING = ("optimizer_weights", "optimizer")
#: What the library raises for files that are none, or damaged.
_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError)


def check_hdf5(content: bytes, *, where: str) -> tuple[str, str]:
    """Refuse links, data outside the file, unknown filters, too much data, values not finite.

    All of the file is read once in a process of its own: the HDF5 library runs for ever, or into
    the ground, on some files that were tampered with, and does so there.

    Args:
        content: the file.
        where: its name, for messages.

    Returns:
        The network's configuration as JSON, and the version of Keras that wrote it; both empty
        where the file does not say.

    Raises:
        DataError: see above; link or tensor is named.
        UnavailableError: h5py is not installed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise UnavailableError(
            f"{where}: reading it needs h5py",
            hint="pip install unveil-edge[keras]",
            code="export.keras",
        )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__],
            input=content,
            capture_output=True,
            env=environment,
            timeout=_SECONDS + len(content) / _BYTES_A_SECOND,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise DataError(
            f"{where}: is a damaged HDF5 file: the library does not survive it",
            code="source.damaged",
        ) from error
    found = json.loads(ended.stdout)
    if "what" in found:
        raise DataError(f"{where}: {found['what']}", code=found["code"])
    return found["config"], found["version"]


def _main() -> None:
    """Check the file on standard input and answer in JSON."""
    import h5py

    found: dict[str, str]
    try:
        with h5py.File(io.BytesIO(sys.stdin.buffer.read()), "r") as file:
            _Walk().group(file)
            found = {
                "config": _text(file.attrs.get("model_config")),
                "version": _text(file.attrs.get("keras_version")),
            }
    except DataError as error:
        found = {"what": error.what, "code": error.code}
    except _ERRORS as error:
        what = f"is no HDF5 file, or is damaged: {type(error).__name__}: {error}"
        found = {"what": what, "code": "source.damaged"}
    print(json.dumps(found))


class _Walk:
    """Go through all groups, each once."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._bytes = 0

    def group(self, group: h5py.Group) -> None:
        """Check all that is in a group."""
        import h5py

        _attributes(group)
        for name in group:
            path = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                goal = f"{getattr(link, 'filename', '')}{getattr(link, 'path', '')}"
                raise DataError(f"{path} is a link to {goal}", code="source.outside")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in self._seen:
                continue
            self._seen.add(address)
            if len(self._seen) > _MAX_OBJECTS:
                raise DataError(f"has more than {_MAX_OBJECTS} objects", code="source.size")
            if isinstance(item, h5py.Dataset):
                self._dataset(item, path)
            elif isinstance(item, h5py.Group):
                self.group(item)

    def _dataset(self, dataset: h5py.Dataset, path: str) -> None:
        if dataset.external or dataset.is_virtual:
            raise DataError(f"{path} lies outside the file", code="source.outside")
        _attributes(dataset)
        plan = dataset.id.get_create_plist()
        filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
        if any(code not in _FILTERS for code in filters):
            raise DataError(f"{path} is packed with filters {filters}", code="source.format")
        self._bytes += math.prod(dataset.shape or ()) * dataset.dtype.itemsize
        if self._bytes > MAX_BYTES:
            raise DataError(f"holds more than {MAX_BYTES} bytes", code="source.size")
        if dataset.dtype.kind not in "fiub":
            raise DataError(f"{path} holds no numbers but {dataset.dtype}", code="source.format")
        trained = path.split("/")[1] not in _TRAINING
        if trained and dataset.dtype.kind == "f" and not np.isfinite(dataset[()]).all():
            raise DataError(f"{path} holds values that are not finite", code="weights.finite")


def _attributes(item: Any) -> None:
    """Read what Keras may read, in the order in which it lies there."""
    for name in item.attrs:
        item.attrs[name]


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw or "")


if __name__ == "__main__":
    _main()
