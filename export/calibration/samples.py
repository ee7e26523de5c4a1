"""Pictures for calibration, from wherever they come, as the device would put them in."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder, row_box, whole_picture
from benchmarks.packs import Pack
from benchmarks.readers import Row
from edge.contract import Contract
from edge.engines.null import NullEngine
from edge.errors import DataError, MissingInput, UsageError
from edge.frames import Frame
from edge.owned import Owned
from edge.sources.header import SUFFIXES
from edge.sources.image import read_picture
from edge.stages.base import Stage
from export.calibration.overlap import Known, fingerprint
from export.program.lowered import Sample

__all__ = [
    "Picture",
    "Preparer",
    "as_inputs",
    "folder_pictures",
    "given",
    "known_pictures",
    "pack_pictures",
    "shuffled",
]

_CHANNELS = {"BGR": 3, "RGB": 3, "GREY": 1}
#: More entries of a folder than this are not listed.
_MAX_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture of a set.

    Attributes:
        name: in its set.
        read: decodes it: uint8 ``[H, W, 3]``, BGR; raises an EdgeError if that cannot be done.
        source: its name among all sets.
        box_xywh: where the face is annotated, float64 ``[4]``, or None.
    """

    name: str
    read: Callable[[], NDArray[np.uint8]]
    source: str
    box_xywh: NDArray[np.float64] | None = None


def pack_pictures(pack: Pack, split: str) -> list[Picture]:
    """Return the pictures of a pack's split (of all of it, if that is empty), each once.

    Raises:
        DataError: the pack has no such split.
    """
    rows = pack.rows(split or None)
    return [_of_row(pack, row) for row in {row["file"]: row for row in reversed(rows)}.values()][
        ::-1
    ]


def _of_row(pack: Pack, row: Row) -> Picture:
    name = row["file"]
    return Picture(name, lambda: pack.image(name), f"{pack.folder}/{name}", row_box(row))


def folder_pictures(folder: Path) -> list[Picture]:
    """Return the pictures of a folder and of those inside it, sorted by their paths.

    Files whose name does not end like a picture's are passed over.

    Raises:
        MissingInput: there is no such folder.
        UsageError: it has too many entries to be a folder of pictures.
    """
    if not folder.is_dir():
        raise MissingInput(
            f"{folder}: there is no such folder",
            hint="name a folder of pictures",
            code="calibration.folder",
        )
    paths: list[Path] = []
    entries = 0
    for home, _, files in os.walk(folder):
        entries += len(files)
        if entries > _MAX_ENTRIES:
            raise UsageError(
                f"{folder}: more than {_MAX_ENTRIES} files",
                hint="name a folder of pictures",
                code="calibration.folder",
            )
        paths += [Path(home, f) for f in files if Path(f).suffix.lower() in SUFFIXES]
    return [_of_file(folder, path) for path in sorted(paths)]


def _of_file(folder: Path, path: Path) -> Picture:
    name = path.relative_to(folder).as_posix()
    return Picture(name, lambda: read_picture(str(path)), str(path))


def known_pictures(pictures: Iterable[Picture]) -> Known:
    """Return a set to hold calibration pictures against, such as the pictures of a split.

    Raises:
        DataError: a picture cannot be decoded.
    """
    return Known(fingerprint(picture.name, picture.read()) for picture in pictures)


def shuffled(pictures: list[Picture]) -> Iterator[Picture]:
    """Go through pictures in an order of no meaning, the same every time."""
    for place in np.random.default_rng(0).permutation(len(pictures)):
        yield pictures[int(place)]


class Preparer(Owned):
    """Put pictures into a network's input through the runtime's own ``prepare``.

    Args:
        contract: of the network; its first input takes the picture.
        finder: chooses the face of a picture for a crop round one; without it the whole picture
            is a face.
    """

    def __init__(self, contract: Contract, finder: FaceFinder | None) -> None:
        # In bytes, whatever the file stores: the float network reads the real values of bytes.
        specs = tuple(
            dataclasses.replace(s, dtype="uint8", scale=1 / s.std, zero_point=round(s.mean))
            for s in contract.inputs
        )
        contract = dataclasses.replace(contract, inputs=specs, outputs=())
        self._engine, self._finder = NullEngine(contract), finder
        self._stage = _Crop(self._engine, contract)

    def __call__(self, picture: Picture, image: NDArray[np.uint8]) -> Sample:
        """Return the input for one picture: uint8, new memory.

        Raises:
            UsageError: the network does not take one picture.
        """
        contract = self._stage.contract
        shape, colour = contract.inputs[0].shape, contract.inputs[0].colour
        if len(contract.inputs) != 1 or shape[:1] + shape[3:] != (1, _CHANNELS.get(colour)):
            raise UsageError(
                f"{contract.network}: takes "
                f"{', '.join(f'{s.name} {list(s.shape)}' for s in contract.inputs)}, not one "
                "picture [1, H, W, C] of a known colour",
                hint="give inputs of the network's own shapes, or say what its input means",
                code="calibration.input",
            )
        if self._stage.contract.crop.kind == "frame":
            self._stage.prepare(Frame(image, 0, 0, picture.source))
        elif self._finder is None:
            self._stage.prepare(Frame(image, 0, 0, picture.source), whole_picture(image))
        else:
            face = self._finder.find(image, picture.source, picture.box_xywh)
            self._stage.prepare(face.frame, face.detection)
        return tuple(array.copy() for array in self._engine.inputs)

    def close(self) -> None:
        """Free what is held; a second call does nothing."""
        self._engine.close()


def given(item: object, name: str, contract: Contract) -> Picture | Sample:
    """Take what a caller's iterable gave for a picture, or for inputs as they go in.

    Args:
        item: uint8 ``[H, W, 3]`` (BGR) or ``[H, W]``, a picture; or an array, or a tuple of one
            array an input, each uint8 (bytes) or float32 (real values) with as many numbers as
            that input.
        name: of the item, for messages.
        contract: of the network.

    Raises:
        DataError: it is neither.
    """
    if isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.size:
        if item.ndim == 2 and contract.inputs[0].shape[1:] != (*item.shape, 1):
            item = np.repeat(item[..., None], 3, axis=2)
        if item.ndim == 3 and item.shape[2] == 3:
            image = np.ascontiguousarray(item)
            return Picture(name, lambda: image, name)
    inputs = as_inputs(item, contract, ("uint8", "float32"))
    if inputs is None:
        raise DataError(
            f"{name}: is neither a picture, uint8 [H, W, 3], nor one array, uint8 or float32, for "
            f"each of the inputs {[list(spec.shape) for spec in contract.inputs]}",
            code="calibration.item",
        )
    return inputs


def as_inputs(item: object, contract: Contract, dtypes: tuple[str, ...]) -> Sample | None:
    """Give an array, or a tuple of arrays, the shapes of a network's inputs.

    Returns:
        None if they are not as many, have other sizes, or none of the dtypes.
    """
    arrays = item if isinstance(item, (tuple, list)) else (item,)
    wanted = [math.prod(spec.shape) for spec in contract.inputs]
    if any(not isinstance(a, np.ndarray) or a.dtype.name not in dtypes for a in arrays):
        return None
    if [array.size for array in arrays] != wanted:
        return None
    return tuple(a.reshape(s.shape) for a, s in zip(arrays, contract.inputs, strict=True))


class _Crop(Stage[None]):
    """A stage of any network: only its input is of interest."""

    def decode(self, place: int = 0) -> None:
        """Do nothing."""
